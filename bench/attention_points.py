"""What the attention benchmark times: points of the grid, rivals, and operations per point."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from tunebench import kernels

TOKENS = 16384
WIDTH = 2048
BACKENDS = {
    "sdpa flash": SDPBackend.FLASH_ATTENTION,
    "sdpa cudnn": SDPBackend.CUDNN_ATTENTION,
    "sdpa efficient": SDPBackend.EFFICIENT_ATTENTION,
}


@dataclass(frozen=True)
class Point:
    """One shape: b sequences of at most `length` tokens, a share of which is padding."""

    rows: int
    length: int
    heads: int
    head: int
    causal: bool
    prefix: int = 0
    padding: float = 0.0

    @property
    def lengths(self) -> list[int]:
        """Lengths spread evenly around the mean that leaves this share of padding.

        Above a half the last row alone keeps the full length, and the share is a little less.
        """
        if not self.padding:
            return [self.length] * self.rows
        least = max(1, round(self.length * (1 - 2 * self.padding)))
        most = min(self.length, round(2 * self.length * (1 - self.padding)))
        steps = max(1, self.rows - 1)
        spread = [least + (most - least) * row // steps for row in range(self.rows)]
        return [*spread[:-1], self.length]

    @property
    def operations(self) -> float:
        """Multiplications and additions forward: 4 per score and number of a head."""
        text_keys = sum(n * n for n in self.lengths) * (0.5 if self.causal else 1.0)
        before = sum(self.lengths) * self.prefix
        return 4.0 * (text_keys + before) * self.heads * self.head


def grid() -> Iterator[Point]:
    """16k tokens at a width of 2048, then the sizes of fine-tuning, where launches rule."""
    for length, head, causal in itertools.product(
        (512, 1024, 2048, 4096, 8192, 16384), (64, 128), (True, False)
    ):
        yield Point(TOKENS // length, length, WIDTH // head, head, causal)
    for prefix, causal in itertools.product((16, 64, 256), (True, False)):
        yield Point(32, 512, 32, 64, causal, prefix=prefix)
    for padding in (0.25, 0.5, 0.75):
        yield Point(32, 512, 32, 64, True, padding=padding)
    for length in (128, 512):
        yield Point(32, length, 12, 64, False)


@dataclass
class Tensors:
    """Dense inputs (b s h e), the prefix (p h e), and which of the tokens exist."""

    q: Tensor
    k: Tensor
    v: Tensor
    prefix: tuple[Tensor, ...]
    cu_seqlens: Tensor
    exists: Tensor

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """What is differentiated."""
        return (self.q, self.k, self.v, *self.prefix)


def draw(point: Point, device: torch.device, dtype: torch.dtype) -> Tensors:
    """Normal numbers for a point; dense rivals see the padding, packed ones do not."""
    shape = (point.rows, point.length, point.heads, point.head)
    q, k, v = (torch.randn(shape, device=device).to(dtype).requires_grad_() for _ in range(3))
    before = (point.prefix, point.heads, point.head)
    prefix = tuple(
        torch.randn(before, device=device).to(dtype).requires_grad_()
        for _ in range(2 if point.prefix else 0)
    )
    lengths = torch.tensor(point.lengths, device=device)
    cu_seqlens = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
    exists = torch.arange(point.length, device=device) < lengths[:, None]
    return Tensors(q, k, v, prefix, cu_seqlens, exists)


def ours(point: Point, tensors: Tensors) -> Callable[[], Tensor]:
    """The packed call, prefix apart; where nothing is padded the packing is a view."""
    packed = [x[tensors.exists] if point.padding else x.flatten(0, 1) for x in tensors.leaves[:3]]
    prefix_k, prefix_v = tensors.prefix or (None, None)
    return lambda: kernels.attention(
        *packed, cu_seqlens_q=tensors.cu_seqlens, cu_seqlens_k=tensors.cu_seqlens,
        causal=point.causal, prefix_k=prefix_k, prefix_v=prefix_v,
    )  # fmt: skip


def joined(point: Point, tensors: Tensors) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, and keys and values after a copy of the prefix, as (b h s e)."""
    k, v = tensors.k, tensors.v
    if tensors.prefix:
        k, v = (
            torch.cat([before.expand(point.rows, -1, -1, -1), x], 1)
            for before, x in zip(tensors.prefix, (k, v), strict=True)
        )
    return tensors.q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


def sdpa(point: Point, tensors: Tensors, backend: SDPBackend) -> Callable[[], Tensor]:
    """One backend of torch's attention on padded rows; joining the prefix is part of the call."""
    mask: object = None
    keys = point.prefix + point.length
    if point.padding:
        seen = torch.nn.functional.pad(tensors.exists, (point.prefix, 0), value=True)[:, None, None]
        place = torch.arange(keys, device=tensors.cu_seqlens.device)
        distance = place[None, :] - place[point.prefix :, None]
        mask = seen & (distance <= 0) if point.causal else seen
    elif point.causal and point.prefix:
        mask = causal_lower_right(point.length, keys)

    def call() -> Tensor:
        q, k, v = joined(point, tensors)
        with sdpa_kernel(backend):
            plain = point.causal and mask is None
            return scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=plain)

    return call


def flex_blocks(point: Point, tensors: Tensors) -> Any:
    """FlexAttention's block mask, which is made and timed apart from the call."""
    from torch.nn.attention.flex_attention import create_block_mask

    lengths, prefix = tensors.exists.sum(1), point.prefix

    def visible(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        text_key = j - prefix
        seen = text_key < lengths[b]
        return (j < prefix) | (seen & (text_key <= i) if point.causal else seen)

    return create_block_mask(
        visible, point.rows, None, point.length, prefix + point.length, tensors.cu_seqlens.device
    )


def flex(point: Point, tensors: Tensors, compiled: Callable[..., Tensor]) -> Callable[[], Tensor]:
    """Compiled FlexAttention; its block mask is made outside the timed call."""
    blocks = flex_blocks(point, tensors)
    return lambda: compiled(*joined(point, tensors), block_mask=blocks)


def varlen(point: Point, tensors: Tensors) -> Callable[[], Tensor]:
    """Torch's packed attention; it takes no prefix, so those points are left out."""
    from torch.nn.attention.varlen import varlen_attn

    if point.prefix:
        raise NotImplementedError("torch's variable-length attention takes no separate prefix")
    packed = [x[tensors.exists] if point.padding else x.flatten(0, 1) for x in tensors.leaves[:3]]
    window = (-1, 0) if point.causal else (-1, -1)
    return lambda: varlen_attn(
        *packed,
        tensors.cu_seqlens,
        tensors.cu_seqlens,
        point.length,
        point.length,
        window_size=window,
    )
