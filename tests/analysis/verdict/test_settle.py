"""What would settle a pair: the power of what is proposed, by simulation and by statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower
from tunebench.analysis.verdict.crossed import Components, Crossed, crossed, expected, parts_of
from tunebench.analysis.verdict.settle import Question, power, settlement, smallest_seen


def question(
    difference: float = 0.02,
    parts: Components | None = None,
    seeds: int = 5,
    examples: int = 1000,
    margin: float = 0.01,
    step: float = 0.0,
    **changes,
) -> Question:
    """A pair with these variances, estimated without error."""
    known = parts or Components(0.0004, 0.01, 0.05)
    error = parts_of(expected(known, seeds, examples), seeds, examples)
    one = Crossed(difference, error, known, seeds, examples, step)
    return Question(one, margin, 0.05, 0.05, 40.0)._replace(**changes)


def reaches(asked: Question, goal: str, seeds: int, examples: int) -> bool:
    return power(asked, goal, seeds, examples) >= 0.8


@pytest.mark.parametrize("effect", [0.5, 0.8, 1.0])
def test_without_variance_of_examples_the_seeds_are_those_of_a_t_test(effect):
    """Ours is the usual approximation by a central t, which asks for a little more."""
    asked = question(0.02, Components((0.02 / effect) ** 2, 0.0, 0.0), seeds=2)
    exact = TTestPower().solve_power(effect, power=0.8, alpha=0.05)
    assert exact <= settlement(asked).seeds <= exact + 2


def test_the_seeds_that_would_do_are_the_fewest():
    asked = question()
    answer = settlement(asked)
    assert answer.goal == "better"
    assert reaches(asked, "better", answer.seeds, 1000)
    assert not reaches(asked, "better", answer.seeds - 1, 1000)
    assert answer.more_seeds == answer.seeds - 5
    assert answer.seconds == 40 * answer.more_seeds
    assert answer.examples is None
    assert answer.sentence.startswith(f"{answer.seeds} seeds ({answer.more_seeds} more, about ")
    assert answer.sentence.endswith(
        "would show a difference, if it is as large as it looks (0.02)."
    )


def test_a_small_difference_is_settled_by_equivalence():
    asked = question(0.001, Components(0.0004, 0.0005, 0.05))
    answer = settlement(asked)
    assert answer.goal == "equivalent"
    assert reaches(asked, "equivalent", answer.seeds, 1000)
    assert not reaches(asked, "equivalent", answer.seeds - 1, 1000)
    assert answer.sentence.endswith("would show that they differ by less than 0.01.")


def test_no_difference_at_all_can_only_be_equivalent():
    assert settlement(question(0.0, Components(0.0004, 0.0005, 0.05))).goal == "equivalent"


def test_what_the_test_set_forbids_no_number_of_seeds_can_decide():
    # var_b / N alone leaves a standard error of 0.01.
    asked = question(0.02, Components(0.0, 0.1, 0.05))
    answer = settlement(asked)
    assert answer.seeds is None
    assert answer.examples > 1000
    assert reaches(asked, "better", 5 + answer.more_seeds, answer.examples)
    assert not reaches(asked, "better", 5 + answer.more_seeds, answer.examples - 1)
    assert not reaches(asked, "better", 1000, 1000)
    assert answer.sentence.startswith(
        "No number of seeds would decide this on 1000 test examples; "
    )


def test_where_both_are_too_few_both_are_named():
    asked = question(0.02, Components(0.01, 0.1, 0.05), seeds=2)
    answer = settlement(asked)
    assert answer.seeds is None
    assert answer.more_seeds > 0
    assert reaches(asked, "better", 2 + answer.more_seeds, answer.examples)
    assert f"({answer.more_seeds} more, about " in answer.sentence


@pytest.mark.parametrize(("difference", "examples"), [(0.2, 10), (0.02, 1000)])
def test_examples_are_named_to_two_digits_and_rounded_up(difference, examples):
    answer = settlement(question(difference, Components(0.0, 0.1, 0.05), examples=examples))
    assert (answer.examples < 100) == (examples == 10)
    named = int(answer.sentence.split("; ")[1].split(" ")[0].replace(",", ""))
    assert named == answer.examples or (answer.examples >= 100 and named % 100 == 0)
    assert answer.examples <= named < 1.1 * answer.examples


def test_what_nothing_decides_says_so():
    answer = settlement(question(1e-7, Components(0.04, 0.1, 0.05), margin=1e-7))
    assert (answer.goal, answer.seeds, answer.examples) == (None, None, None)
    assert "nor would any number of examples" in answer.sentence


def test_one_seed_is_sent_to_three():
    one = crossed(np.random.default_rng(0).normal(size=(1, 50)))
    answer = settlement(question()._replace(crossed=one))
    assert (answer.goal, answer.seeds, answer.more_seeds, answer.seconds) == (None, 3, 2, 80)
    assert answer.sentence == (
        "One seed cannot say how much another would differ: run 3 at least, about 1 min 20 s."
    )


def test_times_that_are_not_known_are_not_named():
    answer = settlement(question(seconds_a_seed=None))
    assert answer.seconds is None
    assert "about" not in answer.sentence


def test_a_stricter_level_takes_more_seeds():
    assert settlement(question(better_at=0.002)).seeds > settlement(question()).seeds


def test_the_smallest_difference_seen_has_the_power_that_it_claims():
    """Among true differences of that size, 80 % of the studies find one."""
    parts, seeds, examples = Components(0.0004, 0.01, 0.05), 8, 400
    generator = np.random.default_rng(5)

    def studies(count, mean):
        return (
            mean
            + np.sqrt(parts.seeds) * generator.normal(size=(count, seeds, 1))
            + np.sqrt(parts.examples) * generator.normal(size=(count, 1, examples))
            + np.sqrt(parts.rest) * generator.normal(size=(count, seeds, examples))
        )

    size = smallest_seen(question(0.0, parts, seeds, examples))
    seen = np.mean([crossed(d).p() <= 0.05 for d in studies(600, size)])
    assert 0.75 <= seen <= 0.87


def test_what_is_proposed_has_the_power_that_it_claims():
    asked = question(0.02)
    answer = settlement(asked)
    parts = asked.crossed.components
    generator = np.random.default_rng(6)
    decided = 0
    for _ in range(400):
        d = (
            0.02
            + np.sqrt(parts.seeds) * generator.normal(size=(answer.seeds, 1))
            + np.sqrt(parts.examples) * generator.normal(size=(1, 1000))
            + np.sqrt(parts.rest) * generator.normal(size=(answer.seeds, 1000))
        )
        decided += crossed(d).p() <= 0.05
    assert 0.73 <= decided / 400 <= 0.9


def test_few_steps_are_minded_in_what_would_show_equivalence():
    """Answers that almost all agree today are not a reason to expect that of more examples."""
    parts = Components(0.0, 0.0, 0.0001)
    asked = question(0.0, parts, examples=100, step=1.0)
    answer = settlement(asked)
    assert answer.seeds is None
    # Exactly, 299 examples without any difference are needed.
    assert 299 <= answer.examples <= 1000
