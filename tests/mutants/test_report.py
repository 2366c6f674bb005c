"""What a run prints at its end: what was not tried is no kill, what changes nothing no survivor."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tests.mutants.__main__ import report
from tests.mutants.mutations import Mutation

SLIPS = [Mutation("src/data/a.py", n, 10 * n, 10 * n + 1, "1", "(2)") for n in range(5)]


def test_the_share_is_of_all_that_change_behaviour(capsys: pytest.CaptureFixture[str]) -> None:
    reasons = {slip: None if slip.line else "nothing reads it" for slip in SLIPS}
    statuses = ("survived", "killed", "timeout")
    outcomes = [
        {"mutation": asdict(slip), "status": status}
        for slip, status in zip(SLIPS[3:0:-1], statuses, strict=True)
    ]
    report(outcomes, 4, reasons)
    assert capsys.readouterr().out.splitlines() == [
        "changes nothing  src/data/a.py:0: 1 -> (2): nothing reads it",
        "survived  src/data/a.py:3: 1 -> (2)",
        "2 of 4 that change behaviour killed (50.0%); 1 more change nothing; 1 not tried",
    ]
