from __future__ import annotations

import pytest
import torch
from tunebench import kernels

pytest.importorskip("triton", reason="triton is installed on Linux only")

FILLED = [(300, 17, 0), (0, 1, 256), (257, 299, 255)]
SHAPES = [(6, 2, 64), (3, 3, 80), (4, 1, 128)]
GRID = [
    pytest.param(f, p, *s, marks=[] if (a + b + c) % 3 == 0 and c != 1 else pytest.mark.slow)
    for a, f in enumerate(FILLED)
    for b, p in enumerate((0, 1, 65))
    for c, s in enumerate(SHAPES)
]


@pytest.mark.parametrize(("filled", "prefix", "heads", "groups", "head"), GRID)
def test_one_token_against_a_cache_equals_the_specification(
    filled, prefix, heads, groups, head, device
):
    q = torch.randn(3, heads, head, device=device)
    k, v = torch.randn(2, 3, 300, groups, head, device=device)
    before = torch.randn(2, prefix, groups, head, device=device)
    lengths = torch.tensor(filled, dtype=torch.int32, device=device)

    def run(implementation: str, kind: torch.dtype) -> torch.Tensor:
        arguments = (
            {"prefix_k": before[0].to(kind), "prefix_v": before[1].to(kind)} if prefix else {}
        )
        return kernels.decode(
            q.to(kind), k.to(kind), v.to(kind), lengths=lengths,
            implementation=implementation, **arguments,
        )  # fmt: skip

    error = (run("triton", torch.float32).double() - run("reference", torch.float64)).abs().max()
    assert error <= 2e-6


def test_keys_beyond_the_filled_ones_are_never_read(device):
    q = torch.randn(2, 4, 64, device=device)
    k, v = torch.randn(2, 2, 40, 2, 64, device=device)
    lengths = torch.tensor([7, 33], dtype=torch.int32, device=device)
    clean = kernels.decode(q, k, v, lengths=lengths, implementation="triton")
    for row, length in enumerate(lengths.tolist()):
        k[row, length:], v[row, length:] = float("nan"), float("nan")
    poisoned = kernels.decode(q, k, v, lengths=lengths, implementation="triton")
    assert torch.equal(clean, poisoned)


def test_attention_splits_the_keys_where_each_sequence_has_one_query(device, monkeypatch):
    from tunebench.kernels import triton_path

    cu_seqlens_q = torch.arange(4, dtype=torch.int32, device=device)
    cu_seqlens_k = torch.tensor([0, 50, 51, 90], dtype=torch.int32, device=device)
    q = torch.randn(3, 4, 32, device=device)
    k, v = torch.randn(2, 90, 2, 32, device=device)
    arguments = {
        "cu_seqlens_q": cu_seqlens_q,
        "cu_seqlens_k": cu_seqlens_k,
        "causal": True,
        "implementation": "triton",
    }
    whole = kernels.attention(q, k, v, **arguments)
    calls = []
    inner = triton_path._decode
    monkeypatch.setattr(triton_path, "_decode", lambda *a: calls.append(1) or inner(*a))
    split = kernels.attention(q, k, v, **arguments, max_seqlen_q=1, max_seqlen_k=50)
    assert calls == [1]
    assert torch.allclose(split, whole, atol=1e-6)
    kernels.attention(q.requires_grad_(), k, v, **arguments, max_seqlen_q=1, max_seqlen_k=50)
    assert calls == [1]
