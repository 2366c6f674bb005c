"""Workers, runners and helpers that are killed at random moments: every cell once, the same table.

Nor is much trained again: who takes a cell over goes on from where it was kept.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tunebench.store.store import Store
from tunebench.study.compare import compare
from tunebench.study.doctor import examine

from tests.study.killing_workers import RECORDS, longer
from tests.study.optimizer_steps import needed, taken
from tests.study.test_workers import table

MOST = 1.3
"""Steps that may be taken, by those of a run that nobody disturbs; few kills cost less."""


def kill(**line: Any) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.study.killing_workers", json.dumps(line, default=str)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return answer


def undisturbed_and_killed(
    checkpoint: Path, make_out: Any, kills: int, helpers: int
) -> tuple[list[object], Path, str]:
    """A table, the folder that the same must come out in, and what happened there in one line."""
    begin = time.monotonic()
    expected = compare(longer(str(checkpoint), str(make_out("expected")), workers=1))
    seconds = time.monotonic() - begin
    out = make_out("killed")
    steps = out / "steps"
    dead = kill(
        **{"checkpoint": checkpoint, "out": out, "steps": steps, "seed": 0},
        **{"kills": kills, "helpers": helpers, "seconds": seconds / RECORDS},
    )
    ratio = taken(steps) / needed(expected)
    figures = (
        f"{dead['runners']} runners, {dead['workers']} of their processes and {dead['helpers']} "
        f"helpers killed, {dead['at work']} of them while a job was theirs; "
        f"{taken(steps)} steps for {needed(expected)}: {ratio:.2f} times"
    )
    assert dead["runners"] + dead["workers"] + dead["helpers"] == kills, figures
    assert set(dead["statuses"]) == {0}, figures
    assert 1.0 <= ratio <= MOST, figures
    return table(expected), out, figures


def check_whole(out: Path, checkpoint: Path, expected: list[object]) -> None:
    """Every cell once, as nobody disturbed it, and nothing left over."""
    comparison = compare(longer(str(checkpoint), str(out)))
    assert len(comparison.results) == 24
    assert table(comparison) == expected
    assert all(row.latency_ms for row in comparison.results)
    assert examine(out) == []
    assert Store(out).damaged() == []
    assert Store(out).unfinished() == ()


@pytest.mark.slow
@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(("kills", "helpers"), [(6, 0), (8, 2)])
def test_a_comparison_whose_processes_are_killed_is_the_same(
    checkpoint: Path, make_out: Any, kills: int, helpers: int
) -> None:
    expected, out, _ = undisturbed_and_killed(checkpoint, make_out, kills, helpers)
    check_whole(out, checkpoint, expected)


@pytest.mark.soak
def test_forty_kills_change_nothing_in_mlflow_either(
    checkpoint: Path, make_out: Any, capsys: Any
) -> None:
    expected, out, figures = undisturbed_and_killed(checkpoint, make_out, kills=40, helpers=2)
    with capsys.disabled():
        print(f"\n{figures}")
    check_whole(out, checkpoint, expected)
