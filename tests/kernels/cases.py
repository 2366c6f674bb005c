"""Generated cases of packed attention, and the float64 oracle that all of them are held to."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from tunebench import kernels
from tunebench.kernels import reference

LENGTHS = (0, 1, 15, 16, 17, 63, 64, 65, 129)
HEADS = (32, 64, 80, 128)
PREFIXES = (0, 1, 10, 64, 65)
MASKS = ("causal", "full", "window")
NAMES = ("out", "dq", "dk", "dv", "dprefix_k", "dprefix_v")


@dataclass(frozen=True)
class Case:
    """One shape of packed attention."""

    queries: tuple[int, ...]
    keys: tuple[int, ...]
    heads: int
    groups: int
    head: int
    prefix: int
    causal: bool
    window: int | None

    def __str__(self) -> str:
        mask = "causal" if self.causal else "full"
        mask += "" if self.window is None else f"-w{self.window}"
        lengths = "+".join(map(str, self.queries))
        lengths += "" if self.queries == self.keys else "on" + "+".join(map(str, self.keys))
        shape = f"h{self.heads}g{self.groups}e{self.head}"
        return f"{lengths}-{shape}-{mask}-p{self.prefix}"


def case(number: int) -> Case:
    """The case of this number: every value meets every other as numbers go on."""
    draw = random.Random(number)
    queries = [LENGTHS[number % 9]]
    while sum(queries) < 100 and draw.random() < 0.6:
        queries.append(draw.choice(LENGTHS[:7]))
    keys = list(queries)
    mask, prefix = MASKS[(number + number // 9) % 3], PREFIXES[number % 5]
    if number % 4 == 3:
        keys = [draw.choice(LENGTHS) for _ in queries]
    if prefix == 1 and mask == "causal":
        # A query that sees one key alone has a test of its own: its gradient is pure rounding.
        keys = [max(pair) for pair in zip(queries, keys, strict=True)]
    draw.shuffle(pairs := list(zip(queries, keys, strict=True)))
    heads = 2 + 2 * (number % 2)
    return Case(
        queries=tuple(q for q, _ in pairs),
        keys=tuple(k for _, k in pairs),
        heads=heads,
        groups=(1, 2, heads)[(number // 2) % 3],
        head=HEADS[number % 4],
        prefix=prefix,
        causal=mask == "causal" or (mask == "window" and number % 2 == 0),
        window=draw.choice((5, 20, 70)) if mask == "window" else None,
    )


CASES = [case(number) for number in range(108)]
FAST = 27


def cumulate(lengths: tuple[int, ...], device: torch.device) -> Tensor:
    """Where sequences of these lengths begin and end, as int32."""
    return torch.tensor([0, *lengths], device=device).cumsum(0).to(torch.int32)


@dataclass
class Inputs:
    """The tensors of one case; q, k and v are views of one fused tensor where they can be."""

    case: Case
    q: Tensor
    k: Tensor
    v: Tensor
    prefix: tuple[Tensor, ...]
    grad: Tensor
    cu_seqlens_q: Tensor
    cu_seqlens_k: Tensor

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """What is differentiated, in the order of NAMES."""
        return (self.q, self.k, self.v, *self.prefix)

    def to(self, dtype: torch.dtype) -> Inputs:
        """The same numbers in another type, cut off from the graph."""
        q, k, v, *prefix = (x.detach().to(dtype).requires_grad_() for x in self.leaves)
        return Inputs(
            self.case,
            q,
            k,
            v,
            tuple(prefix),
            self.grad.to(dtype),
            self.cu_seqlens_q,
            self.cu_seqlens_k,
        )


def draw(
    case: Case, device: torch.device, dtype: torch.dtype = torch.float32, loud: float = 1.0
) -> Inputs:
    """Normal numbers for a case; `loud` multiplies the queries."""
    n, m = sum(case.queries), sum(case.keys)
    h, g, e = case.heads, case.groups, case.head

    def fresh(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device).to(dtype)

    if case.queries == case.keys:
        q, k, v = fresh(n, h + 2 * g, e).requires_grad_().split_with_sizes((h, g, g), 1)
    else:
        q, k, v = (fresh(*s).requires_grad_() for s in ((n, h, e), (m, g, e), (m, g, e)))
    prefix = tuple(fresh(case.prefix, g, e).requires_grad_() for _ in range(2 * (case.prefix > 0)))
    cu_seqlens_q = cumulate(case.queries, device)
    cu_seqlens_k = cu_seqlens_q if case.queries == case.keys else cumulate(case.keys, device)
    return Inputs(case, q * loud, k, v, prefix, fresh(n, h, e), cu_seqlens_q, cu_seqlens_k)


def results(attend: Callable[..., Tensor], inputs: Inputs, **options: object) -> tuple[Tensor, ...]:
    """Output and every gradient of one implementation."""
    prefix_k, prefix_v = inputs.prefix if inputs.prefix else (None, None)
    out = attend(
        inputs.q,
        inputs.k,
        inputs.v,
        cu_seqlens_q=inputs.cu_seqlens_q,
        cu_seqlens_k=inputs.cu_seqlens_k,
        causal=inputs.case.causal,
        window=inputs.case.window,
        prefix_k=prefix_k,
        prefix_v=prefix_v,
        **options,
    )
    return (out.detach(), *torch.autograd.grad(out, inputs.leaves, inputs.grad, retain_graph=True))


def ours(inputs: Inputs) -> tuple[Tensor, ...]:
    """Output and gradients of the Triton kernels."""
    return results(kernels.attention, inputs, implementation="triton")


def exact(inputs: Inputs) -> tuple[Tensor, ...]:
    """Output and gradients of the specification in float64."""
    return results(reference.attention, inputs.to(torch.float64))


def errors(results: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> dict[str, float]:
    """The largest error of each result, relative to the largest number expected, at least 1."""
    assert len(results) == len(expected)
    return {
        name: float((a.double() - b).abs().max() / max(1.0, float(b.abs().max())))
        for name, a, b in zip(NAMES, results, expected, strict=False)
        if b.numel()
    }
