"""One token against a cache on torch's own attention, where triton need not be there."""

from __future__ import annotations

import pytest
import torch
from tunebench import kernels


@pytest.mark.parametrize("filled", [(40, 40, 40), (40, 7, 1), (0, 40, 3)], ids=str)
@pytest.mark.parametrize("prefix", [0, 1, 9])
@pytest.mark.parametrize(("heads", "groups"), [(6, 2), (3, 3), (4, 1)])
def test_one_token_against_a_cache_equals_the_specification(filled, prefix, heads, groups):
    q = torch.randn(3, heads, 32)
    k, v = torch.randn(2, 3, 50, groups, 32)
    before = torch.randn(2, prefix, groups, 32)
    lengths = torch.tensor(filled, dtype=torch.int32)

    def run(implementation: str, kind: torch.dtype) -> torch.Tensor:
        arguments = (
            {"prefix_k": before[0].to(kind), "prefix_v": before[1].to(kind)} if prefix else {}
        )
        return kernels.decode(
            q.to(kind), k.to(kind), v.to(kind), lengths=lengths,
            implementation=implementation, **arguments,
        )  # fmt: skip

    out = run("auto" if not torch.cuda.is_available() else "sdpa", torch.float32)
    assert (out.double() - run("reference", torch.float64)).abs().max() <= 2e-6


def test_keys_beyond_the_filled_ones_change_nothing():
    q, lengths = torch.randn(2, 4, 16), torch.tensor([7, 33], dtype=torch.int32)
    k, v = torch.randn(2, 2, 40, 2, 16)
    clean = kernels.decode(q, k, v, lengths=lengths, implementation="sdpa")
    for row, length in enumerate(lengths.tolist()):
        k[row, length:], v[row, length:] = 1e4, -1e4
    assert torch.equal(kernels.decode(q, k, v, lengths=lengths, implementation="sdpa"), clean)
