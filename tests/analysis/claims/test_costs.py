"""C6 to C10 and C12 follow the figures that are planted."""

from __future__ import annotations

import pytest

from tests.analysis.claims.planted import arm, finding, measurement

NOTHING = [1.001, 0.999, 1.0, 1.002, 0.998]
TENTH = [1.1, 1.11, 1.09, 1.1, 1.12]
WIDE = [0.8, 1.4, 1.0, 1.3, 0.9]


def timed(method: str, **sides: list[float]):
    return measurement("latency", method, **sides)


@pytest.mark.parametrize(
    ("merged", "unmerged", "expected"),
    [
        (NOTHING, TENTH, "reproduced"),
        (TENTH, TENTH, "contradicted"),
        (NOTHING, [0.9, 0.91, 0.89, 0.9, 0.92], "contradicted"),
        (NOTHING, WIDE, "undecided"),
        (WIDE, TENTH, "undecided"),
    ],
)
def test_lora_merged_and_unmerged(merged, unmerged, expected) -> None:
    result = finding("C6", timed("lora", served=merged, before_folding=unmerged))
    assert result.finding == expected
    assert result.runs == ("latency-lora",)


def test_a_measurement_that_lacks_a_figure_is_none() -> None:
    assert finding("C6", timed("lora", served=NOTHING)).finding == "not tested"
    assert finding("C6", measurement("latency", "lora", tokens=3)).finding == "not tested"


@pytest.mark.parametrize(
    ("single", "many", "expected"),
    [
        (TENTH, NOTHING, "reproduced"),
        (NOTHING, TENTH, "contradicted"),
        (WIDE, NOTHING, "undecided"),
    ],
)
def test_adapters_cost_most_for_a_single_text_or_do_not(single, many, expected) -> None:
    both = {"served": single, "served, 32 texts": many}
    assert finding("C7", timed("adapter", **both)).finding == expected
    cells = arm("adapter", 0.8, ratios=list(zip(single, many, strict=True)))
    result = finding("C7", cells)
    assert result.finding == expected
    assert len(result.runs) == 5


def test_what_was_measured_in_rounds_comes_before_what_cells_timed() -> None:
    cells = arm("adapter", 0.8, ratios=[(1.0, 1.1)] * 5)
    both = {"served": TENTH, "served, 32 texts": NOTHING}
    assert finding("C7", cells, timed("adapter", **both)).finding == "reproduced"


def work(method: str, flops: float, positions: float = 10):
    figures = {"flops": flops, "base_flops": 1000, "length": 10, "tokens": 100}
    return measurement("work", method, positions=positions, **figures)


@pytest.mark.parametrize(
    ("flops", "positions", "expected"),
    [(1102, 10, "reproduced"), (1000, 10, "contradicted"), (1102, 0, "contradicted")],
)
def test_a_prompt_takes_positions_and_adds_their_work_or_does_not(
    flops, positions, expected
) -> None:
    assert finding("C8", work("prompt", flops, positions)).finding == expected


@pytest.mark.parametrize(("flops", "expected"), [(1005, "reproduced"), (1050, "contradicted")])
def test_a_prefix_adds_hardly_any_work_or_does(flops, expected) -> None:
    result = finding("C9", work("prompt", 1102), work("prefix", flops, 0))
    assert result.finding == expected
    assert result.figure == pytest.approx((flops - 1000) / 102)


def test_a_prefix_without_a_prompt_beside_it_says_nothing() -> None:
    assert finding("C9", work("prefix", 1005, 0)).finding == "not tested"


@pytest.mark.parametrize(
    ("state", "activations", "expected"),
    [(1, 80, "reproduced"), (1, 20, "contradicted"), (70, 80, "contradicted")],
)
def test_activations_are_saved_less_than_state_or_are_not(state, activations, expected) -> None:
    full = measurement("memory", "full", state=100, activations=100)
    lora = measurement("memory", "lora", state=state, activations=activations)
    result = finding("C10", full, lora)
    assert result.finding == expected
    assert result.figure == pytest.approx((100 - activations) / (100 - state))


@pytest.mark.parametrize(("trained", "expected"), [(2000, "reproduced"), (500, "contradicted")])
def test_an_encoder_trains_more_than_it_stores_or_does_not(trained, expected) -> None:
    of = {"trainable_params": trained, "stored_params": 100}
    result = finding("C12", arm("p_tuning", 0.5, hyperparameters={"hidden": 128}, **of))
    assert result.finding == expected
    assert result.figure == trained / 100
    assert result.interval == (trained / 100, trained / 100)


def test_a_prefix_without_an_encoder_is_another_method() -> None:
    of = {"trainable_params": 100, "stored_params": 100}
    assert finding("C12", arm("prefix", 0.5, hyperparameters={"hidden": 0}, **of)).parts == ()
