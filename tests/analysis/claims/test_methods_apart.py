"""C1, C2 and C3 follow the scores that are planted."""

from __future__ import annotations

import pytest

from tests.analysis.claims.planted import arm, condition, finding


@pytest.mark.parametrize(
    ("prompt", "expected"), [(0.6, "reproduced"), (0.9, "contradicted"), (0.805, "contradicted")]
)
def test_prompt_tuning_trails_by_four_points_or_does_not(prompt: float, expected: str) -> None:
    result = finding("C1", arm("lora", 0.82), arm("full", 0.84), arm("prompt", prompt))
    assert result.finding == expected
    assert len(result.parts) == 2
    assert len(result.runs) == 15


def test_a_gap_near_four_points_is_undecided_and_says_what_would_settle_it() -> None:
    result = finding("C1", arm("lora", 0.84, seeds=3), arm("prompt", 0.8, seeds=3))
    assert result.finding == "undecided"
    assert "would decide it" in result.reason


def test_one_method_that_does_not_lead_contradicts_a_claim_about_all() -> None:
    result = finding("C1", arm("lora", 0.9), arm("prefix", 0.7), arm("prompt", 0.7))
    assert result.finding == "contradicted"
    assert result.deciding is not None
    assert result.deciding.what.startswith("prefix less prompt")


def test_p_tuning_is_a_prompt_and_no_method_inside_the_layers() -> None:
    assert finding("C1", arm("p_tuning", 0.9), arm("prompt", 0.6)).finding == "not tested"


def test_a_method_with_a_setting_of_its_own_is_not_the_method_as_it_comes() -> None:
    slow = arm("prompt", 0.3, {"lr": 3e-4})
    assert finding("C1", arm("lora", 0.9), slow).finding == "not tested"
    assert finding("C1", arm("lora", 0.9), slow, arm("prompt", 0.9)).finding == "contradicted"


@pytest.mark.parametrize(("v2", "expected"), [(0.85, "reproduced"), (0.65, "contradicted")])
def test_more_than_half_of_the_gap_is_closed_or_is_not(v2: float, expected: str) -> None:
    result = finding("C2", arm("full", 0.9), arm("prompt", 0.6), arm("p_tuning_v2", v2))
    assert result.finding == expected
    assert result.figure == pytest.approx(v2 - 0.75, abs=0.03)


def test_without_a_gap_nothing_is_closed_and_nothing_contradicted() -> None:
    result = finding("C2", arm("full", 0.8), arm("prompt", 0.8), arm("p_tuning_v2", 0.9))
    assert result.finding == "undecided"


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.6, 0.8, "reproduced"), (0.8, 0.6, "contradicted")]
)
def test_a_prompt_method_needs_a_high_rate_or_does_not(
    low: float, high: float, expected: str
) -> None:
    result = finding(
        "C3",
        arm("full", 0.9),
        arm("p_tuning_v2", high),
        arm("p_tuning_v2", low, {"lr": 3e-4}),
    )
    assert result.finding == expected


def test_rates_in_between_say_nothing() -> None:
    """Only a rate like full fine-tuning's, beside one of ten times that, is what is claimed."""
    between = arm("p_tuning_v2", 0.6, {"lr": 1e-3})
    assert finding("C3", arm("full", 0.9), arm("p_tuning_v2", 0.8), between).finding == "not tested"


def test_arms_of_different_budgets_are_not_set_beside_each_other() -> None:
    other = condition(epochs=6)
    assert finding("C1", arm("lora", 0.9, under=other), arm("prompt", 0.6)).finding == "not tested"
