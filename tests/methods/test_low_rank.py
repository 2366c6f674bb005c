"""LoRA's map as one product: the same numbers as its formula, where it may be had."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from tunebench.methods import _low_rank
from tunebench.methods.lora import LowRankLinear

ROWS = 40


def layer(dtype: torch.dtype = torch.float64, bias: bool = True, dropout: float = 0.0):
    torch.manual_seed(3)
    occupant = nn.Linear(12, 7, bias=bias, dtype=dtype).requires_grad_(False)
    made = LowRankLinear(occupant, 3, 0.7, dropout).to(dtype)
    nn.init.normal_(made.b)
    return made


def formula(made: LowRankLinear, x: torch.Tensor) -> torch.Tensor:
    update = made.scale * (made.b @ made.a)
    return nn.functional.linear(x, made.weight + update, made.bias)


@pytest.fixture
def calls(monkeypatch):
    """How often the one product was taken."""
    counted, apply = [], _low_rank.MergedLinear.apply
    monkeypatch.setattr(_low_rank.MergedLinear, "apply", lambda *a: counted.append(1) or apply(*a))
    return counted


@pytest.mark.parametrize("shape", [(ROWS, 12), (4, 10, 12)], ids=["packed", "padded"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("needs", ["all", "x", "a", "b"])
def test_output_and_gradients_are_the_formula_s(calls, shape, bias, needs):
    made = layer(bias=bias)
    x = torch.randn(shape, dtype=torch.float64)
    leaves = {"x": x, "a": made.a, "b": made.b}
    trained = list(leaves) if needs == "all" else [needs]
    for name, leaf in leaves.items():
        leaf.requires_grad_(name in trained)
    grad = torch.randn(*shape[:-1], 7, dtype=torch.float64)
    outputs = [run(x) for run in (made, lambda x: formula(made, x))]
    assert calls == [1]
    torch.testing.assert_close(*outputs)
    wanted = [leaves[name] for name in trained]
    pairs = zip(*(torch.autograd.grad(out, wanted, grad) for out in outputs), strict=True)
    for ours, truth in pairs:
        torch.testing.assert_close(ours, truth)


def test_an_update_of_zero_leaves_the_map_as_it_is_bit_for_bit(calls):
    made = layer(torch.float32)
    nn.init.zeros_(made.b)
    x = torch.randn(ROWS, 12)
    assert torch.equal(made(x), nn.functional.linear(x, made.weight, made.bias))
    assert calls == [1]


def test_few_rows_half_precision_weights_that_train_and_dropout_take_the_two_products(calls):
    made, x = layer(torch.float32), torch.randn(ROWS, 12)
    for spoilt, rows in (
        (made, x[: 3 * _low_rank.WORTH - 1]),
        (layer(torch.bfloat16), x.bfloat16()),
        (layer(torch.float32, dropout=0.5), x),
    ):
        spoilt(rows).sum().backward()
    for trained in ("weight", "bias"):
        whole = layer(torch.float32)
        getattr(whole, trained).requires_grad_()
        whole(x).sum().backward()
        assert getattr(whole, trained).grad is not None
    with torch.autocast("cpu", torch.bfloat16):
        made(x)
    assert calls == []
    made(x[: 3 * _low_rank.WORTH])
    layer(torch.float32, dropout=0.5).eval()(x)
    assert calls == [1, 1]


def test_a_graph_takes_the_two_products(calls, monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    layer(torch.float32)(torch.randn(ROWS, 12))
    assert calls == []
