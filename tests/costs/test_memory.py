"""Memory of a step: shares of known size, and the measured peak."""

import pytest
import torch
from tunebench.checkpoints.checkpoint import load_backbone
from tunebench.costs.memory import StepMemory, step_memory
from tunebench.costs.texts import random_batch
from tunebench.errors import UserError
from tunebench.methods import get_method, names

from tests import tiny

HEAD = 2 * (32 + 1) + 32
"""Weights of a head of two classes, and its origin."""


@pytest.mark.parametrize("name", ["full", "lora", "prefix"])
def test_weights_and_the_optimizer_s_state_have_their_closed_forms(name):
    base_model, method = tiny.backbone(tiny.ENCODER), get_method(name)()
    got = step_memory(base_model, method, random_batch(tiny.ENCODER, 16, 32))
    trains = method.trainable(tiny.ENCODER)
    added = 0 if name == "full" else trains
    weights = sum(p.nbytes for p in base_model.parameters()) + 4 * (added + HEAD)
    assert got.weights == weights
    # Two moments of each weight, and a step number for each tensor.
    moments = 2 * 4 * (trains + HEAD - 32)
    assert moments <= got.optimizer <= 1.02 * moments + 4 * 60
    assert all(p.grad is None for p in base_model.parameters())


def test_activations_grow_with_the_batch_and_a_frozen_network_keeps_none():
    base_model = tiny.backbone(tiny.ENCODER)
    lora, head = get_method("lora")(), get_method("head")()
    one, two = (
        step_memory(base_model, lora, random_batch(tiny.ENCODER, texts, 24)).activations
        for texts in (8, 16)
    )
    assert two == pytest.approx(2 * one, rel=0.05)
    frozen = step_memory(base_model, head, random_batch(tiny.ENCODER, 16, 24))
    assert frozen.activations < 0.02 * two


def test_what_is_explained_is_counted_by_measured():
    memory = StepMemory(1, 2, 3, 4, 5, 20)
    assert (memory.counted, memory.explained) == (15, 0.75)
    assert StepMemory(1, 2, 3, 4, 5, None).explained is None


@pytest.mark.soak
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(("backbone", "layers"), [("minilm", None), ("smollm2", 8)])
def test_counted_memory_explains_the_measured_peak_within_10_percent(backbone, layers, name):
    torch.set_num_threads(1)
    base_model, method = load_backbone(backbone, layers=layers), get_method(name)()
    try:
        method.check(base_model.cfg)
    except UserError as unfit:
        pytest.skip(str(unfit))
    got = step_memory(base_model, method, random_batch(base_model.cfg, 16, 128))
    if got.measured is None:
        pytest.skip("this system cannot reset its high-water mark")
    assert got.explained == pytest.approx(1, abs=0.1)
