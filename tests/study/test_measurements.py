"""What is measured beside training, on a random network small enough to count by hand."""

from __future__ import annotations

import pytest
import torch
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study import measurements
from tunebench.study.claims import claims_of
from tunebench.study.compare import compare
from tunebench.study.measurements import Laboratory, kept_for_backward, measure, relative_change

from tests import small, tiny


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory(tiny.backbone(tiny.ENCODER))


@pytest.mark.parametrize("method", ["lora", "adapter"])
def test_methods_that_begin_as_the_identity_change_nothing(
    laboratory: Laboratory, method: str
) -> None:
    assert laboratory.change_at_start(get_method(method)()) == {"change": 0.0}


def test_a_prefix_of_zeros_changes_the_states(laboratory: Laboratory) -> None:
    """It takes its share of every softmax."""
    assert laboratory.change_of_zero_prefix() > 1e-3


def test_a_prompt_of_p_tokens_costs_what_p_more_tokens_of_text_cost(laboratory: Laboratory) -> None:
    values = laboratory.work(get_method("prompt")(length=3))
    assert values["positions"] == values["length"] == 3
    tokens = int(values["tokens"])
    longer = laboratory._flops(tiny.backbone(tiny.ENCODER), laboratory.batch(1, tokens + 3))
    assert values["flops"] == longer
    assert values["base_flops"] < longer


def test_a_prefix_costs_its_scores_and_its_sums_alone(laboratory: Laboratory) -> None:
    """Two products of tokens × p × width a layer, each two operations a place."""
    values = laboratory.work(get_method("p_tuning_v2")(length=3))
    cfg = tiny.ENCODER
    width = cfg.heads * cfg.head_size
    added = cfg.layers * 2 * 2 * values["tokens"] * 3 * width
    assert values["flops"] - values["base_flops"] == added
    assert values["positions"] == 0


def test_state_is_three_times_the_weights_that_train(laboratory: Laboratory) -> None:
    """A gradient and two moments of each, in fp32; AdamW counts its steps in four bytes more."""
    method = get_method("lora")(rank=2)
    values = laboratory.memory(method)
    head = 2 * tiny.ENCODER.width + 2
    trained = method.trainable(tiny.ENCODER) + head
    tensors = 2 * 2 * tiny.ENCODER.layers + 2
    assert values["state"] == 4 * (3 * trained + tensors)


def test_full_fine_tuning_keeps_more_activations_than_the_head_alone(
    laboratory: Laboratory,
) -> None:
    full, head = (laboratory.memory(get_method(name)()) for name in ("full", "head"))
    assert full["activations"] > 2 * head["activations"]
    assert full["state"] > 10 * head["state"]


def test_what_is_kept_is_counted_once_and_without_weights() -> None:
    linear = torch.nn.Linear(4, 5)
    x = torch.randn(3, 4, requires_grad=True)
    with kept_for_backward(linear) as kept:
        (linear(x) * linear(x)).sum()
    # The input, once for both maps and for both weights' gradients, and the two outputs.
    assert sorted(kept.values()) == [4 * 12, 4 * 15, 4 * 15]


def test_a_relative_change_is_by_the_largest_value() -> None:
    before = torch.tensor([1.0, -4.0])
    assert relative_change(before, before + torch.tensor([0.0, 1.0])) == 0.25


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(measurements, "ROUNDS", 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished comparison of a tiny network."""
    tmp_path = tmp_path_factory.mktemp("claims")
    made = small.make_folder(tmp_path / "tiny")
    small.write_reviews(made)
    out = tmp_path / "runs"
    compare(small.experiment(made, out, methods={"lora": {"rank": 2}, "head": {}}))
    return out


@pytest.mark.slow
def test_a_folder_is_measured_once_and_its_claims_change(folder) -> None:
    before = {one.claim.name: one.finding for one in claims_of(folder)}
    assert before["C14"] == before["C16"] == "not tested"
    made = measure(folder, Quiet())
    kinds = {(one.kind, one.method) for one in made}
    assert {"start", "work", "memory", "latency", "merge"} == {kind for kind, _ in kinds}
    assert ("start", "zero prefix") in kinds
    (merged,) = (one for one in made if one.kind == "merge")
    assert merged.cell.startswith("reviews-lora-seed0")
    assert merged.values["fp32"] < 1e-5 < merged.values["bf16"]
    assert [one.name for one in Store(folder).measurements()] == sorted(one.name for one in made)
    after = {one.claim.name: one for one in claims_of(folder)}
    assert after["C14"].finding == "reproduced"
    assert merged.name in after["C16"].runs
    assert after["C8"].finding != "not tested"
    assert measure(folder, Quiet()) == ()


@pytest.mark.slow
def test_a_damaged_measurement_is_made_again(folder) -> None:
    measure(folder, Quiet())
    (path,) = (folder / "measurements").glob("start-lora-*.json")
    path.write_text(path.read_text().replace('"change": 0.0', '"change": 0.5'))
    assert Store(folder).damaged("measurements") == [f"measurements/{path.name}"]
    (again,) = measure(folder, Quiet())
    assert (again.kind, again.method, again.values) == ("start", "lora", {"change": 0.0})


def test_a_folder_without_cells_has_nothing_to_measure(tmp_path) -> None:
    assert measure(tmp_path, Quiet()) == ()
    assert Store(tmp_path).measurements() == ()
