"""Looks while seeds come in: who goes on, what stays decided, and 5 % over all looks together."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tunebench.analysis.verdict import LEVEL, LOOKS, Pair, Sequential, TaskVerdict, sequential
from tunebench.analysis.verdict.matching import Scored
from tunebench.analysis.verdict.pairs import verdict_of
from tunebench.analysis.verdict.sequential import (
    LEAST_CHANCE,
    has_a_chance,
    spent,
    take_looks,
)

from tests.analysis.verdict.made_up import cells
from tests.analysis.verdict.simulate import Design, right_answers

METHODS = ("a", "b", "c", "d")
NOTHING = verdict_of([], {}, {}, "made-up")


def in_memory(right: Sequence[np.ndarray[Any, Any]]) -> dict[str, Scored]:
    """Methods from right answers, each (S N), as their cells would give them."""
    return {
        method: Scored(
            method,
            "accuracy",
            tuple(range(len(hits))),
            tuple(hits.mean(1).tolist()),
            hits.astype(float),
            1.0,
            tuple(range(hits.shape[1])),
            (0,) * hits.shape[1],
            10.0,
        )
        for method, hits in zip(METHODS, right, strict=False)
    }


def looked_at(methods: Mapping[str, Scored], margin: float = 0.01) -> Sequential:
    """All looks at methods of which every seed is there."""

    def at(wanted: Mapping[str, int], level: float) -> TaskVerdict:
        first = {name: methods[name].at(range(count)) for name, count in wanted.items()}
        return verdict_of(list(methods), first, {}, "made-up", margin, level)

    return take_looks(dict.fromkeys(methods, LOOKS[0]), at, NOTHING)


def study(seeds: int = 20, examples: int = 400, start: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """d is far behind; a, b and c differ by as much as their seeds do."""
    generator = np.random.default_rng(start)
    hard = generator.random(examples)
    shares = {"a": 0.86, "b": 0.83, "c": 0.79, "d": 0.35}
    return {
        method: hard < share + 0.05 * generator.standard_normal((20, 1))[:seeds]
        for method, share in shares.items()
    }


def test_the_shares_of_the_looks_add_up_to_the_level() -> None:
    shares = np.diff([0.0, *map(spent, LOOKS)])
    assert (shares > 0).all()
    assert shares.sum() == pytest.approx(LEVEL)


@pytest.mark.parametrize("seeds", [2, 3, 4, 5])
def test_a_look_is_taken_when_all_of_its_seeds_are_there(seeds: int) -> None:
    looks = sequential(cells(study(seeds)), "made-up", METHODS)
    assert looks.look == max((look for look in LOOKS if look <= seeds), default=0)
    assert not looks.ended
    assert looks.next_look == next(look for look in LOOKS if look > seeds)


def test_before_the_first_look_there_is_no_pair() -> None:
    looks = sequential(cells(study(2)), "made-up", METHODS)
    assert looks.verdict.pairs == ()
    assert looks.wanted == dict.fromkeys(METHODS, 3)


def test_who_is_decided_against_everyone_gets_no_more_seeds() -> None:
    """d is worse than all others at once, and they are not decided yet."""
    looks = sequential(cells(study(5)), "made-up", METHODS)
    assert all(looks.verdict.pair("d", other).better == other for other in "abc")  # type: ignore[union-attr]
    assert looks.wanted["d"] < looks.next_look
    assert any(looks.wanted[other] == looks.next_look for other in "abc")


def test_cells_beyond_what_a_look_wants_change_nothing() -> None:
    """A run that was stopped in the midst of a look comes to the verdicts of the looks before."""
    right = study(20)
    whole = sequential(cells(right), "made-up", METHODS)
    needed = [c for c in cells(right) if c.result.seed < whole.wanted[c.result.method]]
    again = sequential(needed, "made-up", METHODS)
    assert whole.ended
    assert again.wanted == whole.wanted
    assert again.verdict.pairs == whole.verdict.pairs
    assert len(needed) < 4 * 20


def test_a_cell_that_failed_counts_as_run_and_a_missing_one_does_not() -> None:
    made = cells(study(3))
    failed = replace(made[0].result, status="diverged", score=None)
    without = [replace(made[0], result=failed, predictions=None), *made[1:]]
    assert sequential(without, "made-up", METHODS).look == 3
    missing = replace(failed, status="missing")
    without[0] = replace(made[0], result=missing, predictions=None)
    assert sequential(without, "made-up", METHODS).look == 0


def scripted(*looks: Mapping[tuple[str, str], str]) -> tuple[Sequential, list[Mapping[str, int]]]:
    """Looks with the verdicts of a script, and the seeds that each was asked with."""
    asked: list[Mapping[str, int]] = []
    pattern = verdict_of("abc", in_memory(list(study(3).values())[:3]), {}, "made-up")
    within_reach = verdict_of("ab", far_apart(), {}, "made-up").pairs[0].question

    def at(wanted: Mapping[str, int], level: float) -> TaskVerdict | None:
        if len(asked) == len(looks):
            return None
        script = looks[len(asked)]
        asked.append(dict(wanted))
        pairs: list[Pair] = []
        for pair in pattern.pairs:
            decision: Any = script[pair.a, pair.b]
            pairs.append(replace(pair, verdict=decision, difference=0.1, question=within_reach))
        return replace(pattern, pairs=tuple(pairs))

    return take_looks(dict.fromkeys("abc", 3), at, NOTHING), asked


def far_apart() -> dict[str, Scored]:
    """Two methods whose difference some more seeds would show for sure."""
    right = study(3)
    return in_memory([right["a"], right["d"]])


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_what_a_look_decided_stays_decided() -> None:
    first = {("a", "b"): "better", ("a", "c"): "undecided", ("b", "c"): "undecided"}
    later = {("a", "b"): "undecided", ("a", "c"): "equivalent", ("b", "c"): "equivalent"}
    looks, _ = scripted(first, later)
    kept = {(p.a, p.b): p.verdict for p in looks.verdict.pairs}
    assert kept == {("a", "b"): "better", ("a", "c"): "equivalent", ("b", "c"): "equivalent"}
    assert looks.ended
    assert looks.verdict.letters == {"a": "a", "b": "b", "c": "ab"}


def test_only_the_methods_of_undecided_pairs_go_on() -> None:
    first = {("a", "b"): "undecided", ("a", "c"): "better", ("b", "c"): "better"}
    looks, asked = scripted(first, first)
    assert asked[1] == {"a": 5, "b": 5, "c": 3}
    assert looks.wanted == {"a": 8, "b": 8, "c": 3}


def test_a_pair_that_no_seeds_can_decide_gets_none() -> None:
    """Answers that no seed changes: the test examples are the limit from the first look on."""
    right = np.random.default_rng(1).random((2, 1, 60)) < np.array([0.85, 0.75])[:, None, None]
    looks = looked_at(in_memory(np.repeat(right, 20, 1)))
    (pair,) = looks.verdict.pairs
    assert pair.verdict == "undecided"
    assert (looks.look, looks.ended) == (3, True)
    assert pair.to_decide is not None
    assert pair.to_decide.sentence.startswith("No number of seeds")


def family_wise_errors(studies: int, seeds: float, examples: int) -> int:
    """Studies of four equal methods in which some look separates two."""
    design = Design(seeds)
    equal = design.levels()[[0] * len(METHODS)]
    drawn = right_answers(design, generator(), studies, LOOKS[-1], examples, equal)
    ends = (looked_at(in_memory(drawn[:, number])) for number in range(studies))
    return sum(any(pair.verdict == "better" for pair in each.verdict.pairs) for each in ends)


@pytest.mark.parametrize("seeds", [0.0, 0.3])
def test_equal_methods_are_seldom_separated_by_any_look(seeds: float) -> None:
    wrong = family_wise_errors(60, seeds, 150)
    assert wrong <= 8  # 5 % of 60 and three standard errors


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [0.0, 0.4])
def test_equal_methods_are_separated_in_5_percent_of_studies_at_most(seeds: float) -> None:
    wrong = family_wise_errors(2000, seeds, 277)
    assert wrong / 2000 <= LEVEL


@pytest.mark.parametrize(("seeds", "asked_of"), [(3, 20), (20, 20), (24, 24)])
def test_the_chance_is_that_at_the_last_look_or_with_the_seeds_that_are_there(
    seeds: int, asked_of: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def power(question: object, goal: object, seeds: int, examples: int) -> float:
        asked.append((seeds, examples))
        return next(chances)

    hits = np.random.default_rng(0).random((2, seeds, 300)) < 0.6
    (pair,) = verdict_of("ab", in_memory(list(hits)), {}, "made-up").pairs
    # The package's `sequential` is the function of that name.
    module = importlib.import_module("tunebench.analysis.verdict.sequential")
    monkeypatch.setattr(module, "power", power)
    for best, has in ((LEAST_CHANCE, True), (LEAST_CHANCE - 1e-9, False)):
        chances = itertools.chain([best], itertools.repeat(0.0))
        assert has_a_chance(pair) is has
    assert {*asked} == {(asked_of, 300)}
