"""Floating-point operations: in closed form from shapes, and as torch counts what it multiplies.

A multiplication and an addition are two. Each map of n rows, from i numbers to o, has

    forward     2 n i o
    backward    2 n i o where its input has a gradient, and as many where its weight has one

and attention of q queries and k keys, h heads of e, has a product for the scores and one for the
sums, 2 q k h e each. Its backward pass has four more; torch's own makes the scores anew, a fifth.
Packed texts count by their own lengths, and by what the kernel really multiplies: texts that go
through batched products are filled up to whole vectors (`kernels/products.py`). The whole square
counts where a mask is causal: kernels differ in what they leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..backbone.block import Attention, ForwardContext
from ..backbone.config import BackboneConfig
from ..errors import UserError
from ..kernels.by_length import neighbours, suit_products
from ..kernels.products import VECTOR
from ..methods._low_rank import merges
from ..methods.ia3 import InputScaledLinear
from ..methods.lora import DoRALinear, LowRankLinear
from ..methods.vera import VectorLinear

aten = torch.ops.aten


def forward_operations(cfg: BackboneConfig, lengths: Sequence[int], prefix: int = 0) -> int:
    """Those of a backbone's blocks for texts of these lengths.

    Args:
        cfg: The backbone's shape.
        lengths: Tokens of each text, inserted ones included.
        prefix: Keys that all tokens see before their own.
    """
    maps = sum(i * o for i, o in map(cfg.linear, cfg.sites))
    seen = sum(length * (prefix + length) for length in lengths)
    attention = 4 * seen * cfg.heads * cfg.head_size
    return cfg.layers * (2 * sum(lengths) * maps + attention)


def operations_by_torch(run: Callable[[], object]) -> int:
    """What torch's FlopCounterMode counts; attention on a CPU, which it leaves out, is added."""
    cpu = {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention_forward,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    }
    with FlopCounterMode(display=False, custom_mapping=cpu) as counter:
        run()
    return int(counter.get_total_flops())


def _attention_forward(q: Sequence[int], k: Sequence[int], *_: Any, **__: Any) -> int:
    """Scores and sums of queries (b h q e) and keys (b g k e)."""
    rows, heads, queries, size = q
    return 2 * 2 * rows * heads * queries * k[-2] * size


def _attention_backward(
    _: Sequence[int], q: Sequence[int], k: Sequence[int], *__: Any, **___: Any
) -> int:
    """Five products in the place of two."""
    return 5 * _attention_forward(q, k) // 2


class ClosedForm:
    """Adds up the closed forms of all maps that a run goes through, from their inputs' shapes."""

    def __init__(self, module: nn.Module) -> None:
        """Listen to every map and every attention within the module.

        Raises:
            UserError: No closed form is written for a part of it.
        """
        if any(isinstance(part, nn.RNNBase) for part in module.modules()):
            raise UserError("there is no closed form of an LSTM's operations")
        self.forward = self.backward = 0
        self._differentiable: dict[nn.Module, bool] = {}
        """Whether what a map gave last has a gradient."""
        self._handles = [
            part.register_forward_hook(hook)
            for part in module.modules()
            for kind, hook in ((nn.Linear, self._map), (Attention, self._attention))
            if isinstance(part, kind)
        ]

    def __enter__(self) -> ClosedForm:
        """Count from here on."""
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        for handle in self._handles:
            handle.remove()

    def _map(self, module: nn.Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        assert isinstance(module, nn.Linear)
        self._differentiable[module] = out.requires_grad
        forward, backward = map_operations(module, inputs[0])
        self.forward += forward
        self.backward += backward if out.requires_grad else 0

    def _attention(self, module: nn.Module, inputs: tuple[Any, ...], _: Tensor) -> None:
        assert isinstance(module, Attention)
        context: ForwardContext = inputs[1]
        q, k, v = (self._differentiable[port] for port in (module.q, module.k, module.v))
        if context.memory is not None:
            k |= context.memory.keys.requires_grad
            v |= context.memory.values.requires_grad
        product, kernel = attention_product(module.cfg, context)
        self.forward += 2 * product
        if q or k or v:
            self.backward += product * (5 if kernel == "torch" else v + (q or k) + q + k)


def map_operations(module: nn.Linear, x: Tensor) -> tuple[int, int]:
    """Those of a linear map, forward and backward, whichever method's it is.

    Raises:
        UserError: No closed form is written for this kind of map.
    """
    size, out = module.in_features, module.out_features
    rows = x.numel() // size
    whole = 2 * rows * size * out
    needs_input = whole if x.requires_grad else 0
    if isinstance(module, DoRALinear):
        raise UserError("there is no closed form of DoRA's operations")
    if isinstance(module, LowRankLinear):
        rank = len(module.a)
        thin, update = 2 * rows * rank * (size + out), 2 * rank * size * out
        if merges(x, module.weight, module.bias, rank):
            return whole + update, (needs_input + update if needs_input else 0) + 2 * thin
        reaches = 2 * rows * rank * size if needs_input else 0
        return whole + thin, needs_input + reaches + thin + 2 * rows * rank * out
    if isinstance(module, VectorLinear):
        rank = len(module.d)
        down, up = 2 * rows * rank * size, 2 * rows * rank * out
        return whole + down + up, needs_input + up + (down if needs_input else 0)
    if isinstance(module, InputScaledLinear):
        return whole, whole
    return whole, needs_input + (whole if module.weight.requires_grad else 0)


def attention_product(
    cfg: BackboneConfig, context: ForwardContext
) -> tuple[int, Literal["products", "torch"]]:
    """One product of queries and keys, of all texts and heads, and what multiplies them."""
    prefix = 0 if context.memory is None else context.memory.keys.shape[1]
    starts = context.layout.cu_seqlens.tolist()
    groups = neighbours(starts, starts)
    each = 2 * cfg.heads * cfg.head_size
    if suit_products(groups, prefix):
        sizes = [_filled(prefix + one.keys) for one in groups for _ in range(one.sequences)]
        return each * sum(size * (size - prefix) for size in sizes), "products"
    pairs = sum(one.sequences * one.queries * (prefix + one.keys) for one in groups)
    return each * pairs, "torch"


def _filled(keys: int) -> int:
    """Keys filled up to whole vectors."""
    return -(-keys // VECTOR) * VECTOR
