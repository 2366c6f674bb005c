"""How parts make a finding."""

from __future__ import annotations

import pytest
from tunebench.analysis.claims import (
    CLAIMS,
    DRAWBACKS,
    Claim,
    Evidence,
    Part,
    check,
    checked,
    known,
)
from tunebench.analysis.claims.estimate import Count, Mean
from tunebench.errors import UnknownName

from tests.analysis.claims.planted import arm, finding

YES, NO = Count(1.0, ("yes",)), Count(-1.0, ("no",))
OPEN = Mean((-1.0, 1.0, 0.5), ("open",))
ALMOST = Mean((0.2, 0.3, 0.25, 0.6), ("almost",))
"""Above 0 at 95 %, and not at what three parts together leave each."""
AGAINST = Mean((-0.2, -0.3, -0.25, -0.6), ("against",))
ONE = Mean((1.0,), ("one",))


def result(*estimates, every: bool = True):
    parts = [Part(f"part {n}", each, above=0.0) for n, each in enumerate(estimates)]
    return check(Claim("X", "", "", "more", lambda evidence: parts, every), Evidence())


@pytest.mark.parametrize(
    ("estimates", "every", "some"),
    [
        ((YES, YES), "reproduced", "reproduced"),
        ((YES, NO), "contradicted", "reproduced"),
        ((NO, NO), "contradicted", "contradicted"),
        ((YES, OPEN), "undecided", "reproduced"),
        ((NO, OPEN), "contradicted", "undecided"),
        ((ALMOST,), "reproduced", "reproduced"),
        ((ALMOST, OPEN, OPEN), "undecided", "undecided"),
        ((ALMOST, ALMOST, ALMOST), "reproduced", "undecided"),
        ((AGAINST, OPEN, OPEN), "undecided", "undecided"),
        ((AGAINST, AGAINST, AGAINST), "undecided", "contradicted"),
        ((ONE, YES), "undecided", "reproduced"),
        ((), "not tested", "not tested"),
    ],
)
def test_parts_make_a_finding(estimates, every, some) -> None:
    assert result(*estimates).finding == every
    assert result(*estimates, every=False).finding == some


def test_the_part_that_decides_is_shown() -> None:
    assert result(YES, ALMOST).deciding.estimate is ALMOST
    assert result(YES, NO, OPEN).deciding.estimate is NO
    assert result(YES, OPEN).deciding.estimate is OPEN
    assert result(NO, YES, every=False).deciding.estimate is YES


def test_a_finding_lists_its_runs_and_what_would_settle_it() -> None:
    one = result(YES, OPEN)
    assert one.runs == ("yes", "open")
    assert one.holding == 1
    assert "More measurements" in one.reason
    assert result(YES).reason == ""
    assert result().reason == "It needs more."


def test_reasons_why_nothing_could_be_computed_are_told() -> None:
    claim = Claim("X", "", "", "more", lambda evidence: ["the answers are not there"])
    assert check(claim, Evidence()).reason == "The runs are there, but the answers are not there."


def test_altered_answers_test_nothing() -> None:
    lora, prompt = arm("lora", 0.9), arm("prompt", 0.6)
    object.__setattr__(lora.cells[0].result, "score", 0.1)
    altered = finding("C1", lora, prompt)
    assert altered.finding == "not tested"
    assert "altered" in altered.reason


def test_seventeen_claims_and_every_drawback_are_known_by_name() -> None:
    assert [claim.name for claim in CLAIMS] == [f"C{n}" for n in range(1, 18)]
    assert known() == (*CLAIMS, *DRAWBACKS)
    assert [claim.name for claim in known(["lora", "C3"])] == ["C3", "lora"]
    with pytest.raises(UnknownName, match="C99"):
        known(["C99"])


def test_without_runs_nothing_is_tested_and_each_says_what_it_needs() -> None:
    every = checked(Evidence())
    assert {one.finding for one in every} == {"not tested"}
    assert all(one.reason.startswith("It needs ") for one in every)
    assert all(one.claim.sentence.endswith(".") and one.claim.source for one in every)


def test_as_plain_data() -> None:
    plain = finding("C1", arm("lora", 0.9), arm("prompt", 0.6)).as_json()
    assert plain["finding"] == "reproduced"
    assert plain["low"] < plain["figure"] < plain["high"]
    assert plain["what"] == "lora less prompt on made-up"
    assert len(plain["runs"]) == 10
    assert finding("C1").as_json()["figure"] is None
