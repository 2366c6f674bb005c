"""What would settle an undecided pair: more seeds, more test examples, or nothing within reach.

With the variances of seeds, examples and the rest known, the error at any number S of seeds and N
of examples is known too: seeds shrink var_a / S and var_e / (S N), and never var_b / N, which is
the test set's. A pair counts as settled where the test would find the difference that was observed
with 80 % power, or, where that is less than the margin, would show the equivalence with 80 % power.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ...text import plural
from ..format import duration
from .crossed import Crossed, at_margin, expected, parts_of
from .two_parts import quantile, upper

Goal = Literal["better", "equivalent"]
Unit = Literal["seed", "search"]
"""What is repeated to see what chance does: a training, or a search with its trainings."""

POWER = 0.8
MOST_SEEDS = 1000
"""Nobody trains more: beyond this, seeds count as unable to decide."""
MOST_EXAMPLES = 10**9
FEWEST_SEEDS = 3
"""What is proposed where one seed was run, which cannot say how much seeds differ."""


@dataclass(frozen=True)
class Settlement:
    """What would decide a pair, as data and as a sentence."""

    goal: Goal | None
    """Which verdict would be reached; none where that cannot be foreseen."""
    seeds: int | None
    """Seeds in all that would do; none where no number of seeds would."""
    more_seeds: int
    """Those that are still to be run."""
    seconds: float | None
    """The time that these take here, both methods together; none where it is not known."""
    examples: int | None
    """Test examples that would do with `more_seeds` more seeds; none where seeds would do."""
    sentence: str
    unit: Unit = "seed"
    """What `seeds` and `more_seeds` count: seeds, or whole searches with the seeds of each."""


class Question(NamedTuple):
    """What has to be decided, and how strictly."""

    crossed: Crossed
    margin: float
    better_at: float
    """The level at which a difference counts as one, after Holm."""
    equivalent_at: float
    """The level at which an equivalence counts as one, after Holm."""
    seconds_a_seed: float | None
    """Wall time of one seed of both methods."""
    unit: Unit = "seed"
    """What was repeated."""


class _Answer(NamedTuple):
    goal: Goal
    seeds: int


def smallest_seen(question: Question) -> float:
    """The smallest true difference that this study would have found with 80 % power."""
    parts = question.crossed.parts
    return quantile(question.better_at / 2, parts) + quantile(1 - POWER, parts)


def settlement(question: Question) -> Settlement:
    """What would settle a pair that is undecided."""
    crossed = question.crossed
    if crossed.seeds == 1:
        return _from_one_seed(question)
    answers = [
        _Answer(goal, seeds)
        for goal in goals(question)
        if (seeds := _fewest_seeds(question, goal)) is not None
    ]
    if answers:
        return _more_seeds(question, min(answers, key=lambda one: one.seeds))
    return _more_examples(question)


def power(question: Question, goal: Goal, seeds: int, examples: int) -> float:
    """The chance that so many seeds and examples reach a verdict, if the difference is as observed.

    Args:
        question: The pair.
        goal: "better" for the two-sided test, "equivalent" for the two one-sided ones.
        seeds: 2 at least.
        examples: Test examples.
    """
    size = abs(question.crossed.difference)
    parts = parts_of(expected(question.crossed.components, seeds, examples), seeds, examples)
    if goal == "better":
        return upper(quantile(question.better_at / 2, parts) - size, parts)
    parts, less = at_margin(parts, question.margin, question.crossed.step, examples)
    limit = quantile(question.equivalent_at, parts)
    room = question.margin - less - limit
    return max(0.0, upper(size - room, parts) + upper(-size - room, parts) - 1)


def goals(question: Question) -> tuple[Goal, ...]:
    """Which verdicts the observed difference could lead to."""
    size = abs(question.crossed.difference)
    within_margin: tuple[Goal, ...] = ("equivalent",) if size < question.margin else ()
    return (*within_margin, "better") if size > 0 else within_margin


def _fewest_seeds(question: Question, goal: Goal) -> int | None:
    """The smallest number of seeds that reaches a verdict on this test set; none within reach."""
    crossed = question.crossed
    return _fewest(
        lambda seeds: power(question, goal, seeds, crossed.examples) >= POWER,
        crossed.seeds + 1,
        MOST_SEEDS,
    )


def _fewest_examples(question: Question, goal: Goal, seeds: int) -> int | None:
    """The fewest test examples that reach a verdict with so many seeds; none within reach."""
    return _fewest(
        lambda examples: power(question, goal, seeds, examples) >= POWER,
        question.crossed.examples + 1,
        MOST_EXAMPLES,
    )


def _fewest(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number from low to high that is enough, where all above it are."""
    if not enough(high):
        return None
    while low < high:
        middle = math.isqrt(low * high)  # the numbers that matter lie near the low end
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _from_one_seed(question: Question) -> Settlement:
    more = FEWEST_SEEDS - 1
    seconds = _time(question, more)
    return Settlement(
        None,
        FEWEST_SEEDS,
        more,
        seconds,
        None,
        f"One {question.unit} cannot say how much another would differ: "
        f"run {FEWEST_SEEDS} at least{_in_time(seconds)}.",
        question.unit,
    )


def _more_seeds(question: Question, answer: _Answer) -> Settlement:
    """So many seeds would do."""
    more = answer.seeds - question.crossed.seeds
    seconds = _time(question, more)
    return Settlement(
        answer.goal,
        answer.seeds,
        more,
        seconds,
        None,
        f"{_units(question, answer.seeds)} ({more} more{_in_time(seconds)}) would "
        f"{_reach(question, answer)}.",
        question.unit,
    )


def _more_examples(question: Question) -> Settlement:
    """No number of seeds would do on these test examples."""
    crossed = question.crossed
    of_units = "seeds" if question.unit == "seed" else "searches"
    examples_here = plural(crossed.examples, "test example")
    start = f"No number of {of_units} would decide this on {examples_here}"
    seeds = crossed.seeds
    while seeds <= MOST_SEEDS:
        least = [
            (examples, goal)
            for goal in goals(question)
            if (examples := _fewest_examples(question, goal, seeds)) is not None
        ]
        if least:
            examples, goal = min(least)
            more = seeds - crossed.seeds
            seconds = _time(question, more)
            with_seeds = _units(question, seeds)
            with_seeds += f" ({more} more{_in_time(seconds)})" if more else ""
            reach = _reach(question, _Answer(goal, seeds))
            return Settlement(
                goal,
                None,
                more,
                seconds,
                examples,
                f"{start}; {rounded_up(examples):,} examples with {with_seeds} would {reach}.",
                question.unit,
            )
        seeds *= 2
    return Settlement(
        None,
        None,
        0,
        None,
        None,
        f"{start}, nor would any number of examples: the difference is too near to "
        "nothing, and the margin too narrow.",
        question.unit,
    )


def _units(question: Question, count: int) -> str:
    """So many repetitions in words: "5 seeds", "4 searches"."""
    return f"{count} seeds" if question.unit == "seed" else f"{count} searches"


def _reach(question: Question, answer: _Answer) -> str:
    """What would come out."""
    if answer.goal == "equivalent":
        return f"show that they differ by less than {question.margin:g}"
    size = abs(question.crossed.difference)
    return f"show a difference, if it is as large as it looks ({size:.3g})"


def _time(question: Question, more: int) -> float | None:
    """How long more seeds of both methods take."""
    each = question.seconds_a_seed
    return None if each is None else more * each


def _in_time(seconds: float | None) -> str:
    return "" if seconds is None else f", about {duration(seconds)}"


def rounded_up(count: int) -> int:
    """Two digits: the number rests on estimated variances. Rounded up, so that it would do."""
    scale = int(10.0 ** max(0, len(str(count)) - 2))
    return -(-count // scale) * scale
