"""C17 follows what is planted: prompts that start from another task's, and fresh ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.analysis.claims.planted import arm, condition, finding

SOURCE = {"init_from": "runs/adapters/mnli-prompt-seed0-1f2e3d4c5b6a.safetensors"}
TASKS = ("stsb", "mrpc", "sst2")


def transferred(share: float, pins=SOURCE, **more):
    return arm("prompt", share, pins, hyperparameters=pins, **more)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [((0.7, 0.75, 0.8), "reproduced"), ((0.7, 0.75, 0.5), "contradicted")],
)
def test_transfer_helps_on_three_tasks_or_fails_on_one(shares, expected) -> None:
    under = [replace(condition(), task=task) for task in TASKS]
    arms = [arm("prompt", 0.6, under=one) for one in under]
    arms += [transferred(share, under=one) for share, one in zip(shares, under, strict=True)]
    result = finding("C17", *arms)
    assert len(result.parts) == 3
    assert result.finding == expected
    least = min(shares) - 0.6
    assert result.figure == pytest.approx(least, abs=0.03)
    assert result.deciding is not None
    assert "prompt from mnli-prompt-seed0-1f2e3d4c5b6a less a fresh one" in result.deciding.what


def test_equal_answers_show_nothing() -> None:
    assert finding("C17", arm("prompt", 0.6), transferred(0.6)).finding == "undecided"


@pytest.mark.parametrize(
    "other",
    [
        arm("prompt", 0.6, under=condition(epochs=4)),
        arm("prompt", 0.6, under=condition(examples=50)),
        arm("prompt", 0.6, {"length": 20}),
        arm("p_tuning", 0.6),
        transferred(0.6, {"init_from": "another"}),
    ],
    ids=["epochs", "examples", "length", "method", "two sources"],
)
def test_only_a_fresh_prompt_of_the_same_training_stands_beside_it(other) -> None:
    assert finding("C17", transferred(0.9), other).finding == "not tested"


def test_other_pins_are_shared_by_both() -> None:
    length = {"length": 20}
    result = finding("C17", transferred(0.9, {**SOURCE, **length}), arm("prompt", 0.6, length))
    assert result.finding == "reproduced"
