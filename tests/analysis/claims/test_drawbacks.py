"""Every method's drawback is a check, and follows what is planted."""

from __future__ import annotations

import pytest
from tunebench.analysis.claims import DRAWBACKS
from tunebench.methods import names

from tests.analysis.claims.planted import arm, finding, measurement

SLOW = [(1.1, 1.0), (1.11, 1.0), (1.09, 1.0), (1.1, 1.0), (1.12, 1.0)]
FAST = [(0.9, 1.0), (0.91, 1.0), (0.89, 1.0), (0.9, 1.0), (0.92, 1.0)]


def test_every_method_has_one() -> None:
    assert [claim.name for claim in DRAWBACKS] == list(names())


@pytest.mark.parametrize("method", ["adapter", "p_tuning_v2"])
def test_latency(method: str) -> None:
    assert finding(method, arm(method, 0.8, ratios=SLOW)).finding == "reproduced"
    assert finding(method, arm(method, 0.8, ratios=FAST)).finding == "contradicted"
    assert finding(method, arm(method, 0.8, ratios=SLOW[:1], seeds=1)).finding == "undecided"


@pytest.mark.parametrize("method", ["prompt", "p_tuning"])
def test_prompts_cost_latency_and_learn_little(method: str) -> None:
    beside = (arm("head", 0.6), arm("full", 0.9))
    assert finding(method, *beside, arm(method, 0.65, ratios=SLOW)).finding == "reproduced"
    assert finding(method, *beside, arm(method, 0.85, ratios=SLOW)).finding == "contradicted"
    assert finding(method, *beside, arm(method, 0.65, ratios=FAST)).finding == "contradicted"


def test_a_prefix_trains_more_than_it_keeps() -> None:
    of = {"hyperparameters": {"hidden": 256}, "stored_params": 100, "ratios": SLOW}
    assert finding("prefix", arm("prefix", 0.8, trainable_params=2000, **of)).finding == (
        "reproduced"
    )
    assert finding("prefix", arm("prefix", 0.8, trainable_params=200, **of)).finding == (
        "contradicted"
    )


def test_full_stores_and_takes_the_most() -> None:
    arms = [arm("full", 0.8, stored_params=1000), arm("lora", 0.8, stored_params=10)]
    step = [
        measurement("memory", "full", state=100, activations=100),
        measurement("memory", "lora", state=1, activations=80),
    ]
    assert finding("full", *arms, *step).finding == "reproduced"
    hungry = measurement("memory", "lora", state=1, activations=300)
    assert finding("full", *arms, step[0], hungry).finding == "contradicted"


@pytest.mark.parametrize(
    ("method", "other"),
    [("ia3", "full"), ("layer_norm", "full"), ("vera", "lora"), ("head", "full")],
)
def test_methods_that_can_do_less(method: str, other: str) -> None:
    assert finding(method, arm(method, 0.7), arm(other, 0.8)).finding == "reproduced"
    assert finding(method, arm(method, 0.8), arm(other, 0.7)).finding == "contradicted"
    assert finding(method, arm(method, 0.8), arm(other, 0.8)).finding == "undecided"


def test_lora_needs_its_rate() -> None:
    slow = {"lr": 3e-4}
    assert finding("lora", arm("lora", 0.8), arm("lora", 0.6, slow)).finding == "reproduced"
    assert finding("lora", arm("lora", 0.6), arm("lora", 0.8, slow)).finding == "contradicted"
    near = {"lr": 1e-3}
    assert finding("lora", arm("lora", 0.8), arm("lora", 0.6, near)).finding == "not tested"


def test_what_no_run_can_show_is_not_tested() -> None:
    result = finding("bitfit", arm("bitfit", 0.8), arm("full", 0.9))
    assert result.finding == "not tested"
    assert "refused before any training" in result.reason
