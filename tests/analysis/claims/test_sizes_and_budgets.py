"""C4, C5, C11, C13 and C15 follow the scores that are planted."""

from __future__ import annotations

import pytest

from tests.analysis.claims.planted import arm, condition, finding


@pytest.mark.parametrize(
    ("method", "full", "expected"),
    [((0.6, 0.85), (0.8, 0.85), "reproduced"), ((0.6, 0.62), (0.6, 0.85), "contradicted")],
)
def test_more_epochs_add_more_to_a_prompt_method_or_do_not(method, full, expected) -> None:
    arms = [
        arm(name, share, under=condition(epochs=epochs))
        for name, shares in (("p_tuning_v2", method), ("full", full))
        for share, epochs in zip(shares, (1, 6), strict=True)
    ]
    result = finding("C4", *arms)
    assert result.finding == expected
    gain = (method[1] - method[0]) - (full[1] - full[0])
    assert result.figure == pytest.approx(gain, abs=0.03)


def test_the_fewest_and_the_most_epochs_are_compared() -> None:
    arms = [
        arm(name, share, under=condition(epochs=epochs))
        for name, shares in (("prefix", (0.6, 0.7, 0.9)), ("full", (0.8, 0.8, 0.8)))
        for share, epochs in zip(shares, (2, 4, 1), strict=True)
    ]
    result = finding("C4", *arms)
    assert result.deciding is not None
    assert "from 1 to 4 epochs" in result.deciding.what
    assert result.finding == "contradicted"  # it falls from 0.9 to 0.7


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.85, 0.8, 0.6), "reproduced"),
        ((0.6, 0.9, 0.8), "reproduced"),
        ((0.6, 0.75, 0.9), "contradicted"),
    ],
)
def test_a_longer_prefix_falls_somewhere_or_nowhere(shares, expected) -> None:
    lengths = zip(({"length": 5}, {}, {"length": 100}), (5, 10, 100), shares, strict=True)
    arms = [
        arm("prefix", share, pins, hyperparameters={"length": length})
        for pins, length, share in lengths
    ]
    result = finding("C5", *arms)
    assert len(result.parts) == 3
    assert result.finding == expected


def test_lengths_of_different_methods_are_not_compared() -> None:
    arms = (
        arm("prefix", 0.9, hyperparameters={"length": 5}),
        arm("p_tuning_v2", 0.6, hyperparameters={"length": 100}),
    )
    assert finding("C5", *arms).finding == "not tested"


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [
        ({"lora": 0.8, "full": 0.6}, {"lora": 0.85, "full": 0.9}, "reproduced"),
        ({"lora": 0.6, "full": 0.8}, {"lora": 0.85, "full": 0.9}, "contradicted"),
        ({"lora": 0.8, "full": 0.6}, {"lora": 0.95, "full": 0.85}, "contradicted"),
    ],
)
def test_few_weights_win_on_small_data_alone_or_do_not(small, large, expected) -> None:
    arms = [
        arm(method, share, under=condition(examples=examples, epochs=epochs))
        for shares, examples, epochs in ((small, 100, 10), (large, 5000, 1))
        for method, share in shares.items()
    ]
    result = finding("C11", *arms)
    assert len(result.parts) == 3
    assert result.finding == expected


def test_of_one_size_the_longest_training_counts() -> None:
    arms = [
        arm(method, share, under=condition(examples=examples, epochs=epochs))
        for examples, epochs, shares in (
            (100, 1, {"lora": 0.5, "full": 0.9}),
            (100, 10, {"lora": 0.8, "full": 0.6}),
            (5000, 1, {"lora": 0.85, "full": 0.9}),
        )
        for method, share in shares.items()
    ]
    assert finding("C11", *arms).finding == "reproduced"


@pytest.mark.parametrize(
    ("lstm", "seconds", "weights", "expected"),
    [
        (0.7, 20.0, 500, "reproduced"),
        (0.9, 20.0, 500, "contradicted"),
        (0.7, 5.0, 500, "contradicted"),
        (0.7, 20.0, 50, "contradicted"),
    ],
)
def test_an_lstm_costs_more_for_nothing_or_does_not(lstm, seconds, weights, expected) -> None:
    result = finding(
        "C13",
        arm("p_tuning", 0.8, hyperparameters={"encoder": "mlp"}, trainable_params=100),
        arm(
            "p_tuning",
            lstm,
            {"encoder": "lstm"},
            hyperparameters={"encoder": "lstm"},
            train_seconds=seconds,
            trainable_params=weights,
        ),
    )
    assert len(result.parts) == 3
    assert result.finding == expected


def test_training_times_are_compared_over_the_seeds_that_both_have() -> None:
    mlp = arm("p_tuning", 0.8, seeds=5, hyperparameters={"encoder": "mlp"}, trainable_params=100)
    lstm = arm(
        "p_tuning",
        0.7,
        {"encoder": "lstm"},
        seeds=3,
        hyperparameters={"encoder": "lstm"},
        trainable_params=500,
    )
    # Of three seeds one took no time that was recorded, and the two others twice and thrice as
    # long; the seeds of the MLP alone, however slow, count for nothing.
    for cells, seconds in ((mlp.cells, (10, 10, 10, 900, 900)), (lstm.cells, (20, 30, 0))):
        for cell, each in zip(cells, seconds, strict=True):
            object.__setattr__(cell.result, "train_seconds", float(each))
    (time,) = [one for one in finding("C13", mlp, lstm).parts if "training time" in one.what]
    assert time.estimate.values == pytest.approx((1.0, 2.0))
    assert time.estimate.figure == pytest.approx(1.5)


def test_without_a_seed_in_common_no_training_time_is_compared() -> None:
    settings = {"mlp": 100, "lstm": 500}
    mlp, lstm = (
        arm("p_tuning", 0.8, {"encoder": e}, hyperparameters={"encoder": e}, trainable_params=n)
        for e, n in settings.items()
    )
    for cell in lstm.cells:
        object.__setattr__(cell.result, "seed", cell.result.seed + 100)
    result = finding("C13", mlp, lstm)
    assert [one.what for one in result.parts] == ["trained weights, LSTM to MLP"]


@pytest.mark.parametrize(
    ("pfeiffer", "weights", "expected"),
    [
        (0.8, 52, "reproduced"),
        (0.6, 52, "contradicted"),
        (0.9, 52, "contradicted"),
        (0.8, 100, "contradicted"),
    ],
)
def test_one_adapter_is_as_good_as_two_at_half_the_size_or_is_not(
    pfeiffer, weights, expected
) -> None:
    result = finding(
        "C15",
        arm("adapter", 0.8, hyperparameters={"place": "houlsby"}, trainable_params=100),
        arm(
            "adapter",
            pfeiffer,
            {"place": "pfeiffer"},
            hyperparameters={"place": "pfeiffer"},
            trainable_params=weights,
        ),
    )
    assert result.finding == expected


def test_equal_answers_on_few_examples_do_not_show_that_one_is_enough() -> None:
    both = [
        arm("adapter", 0.8, pins, tests=60, hyperparameters={"place": place}, trainable_params=n)
        for place, pins, n in (("houlsby", {}, 100), ("pfeiffer", {"place": "pfeiffer"}, 50))
    ]
    result = finding("C15", *both)
    assert result.finding == "undecided"
    assert result.reason
