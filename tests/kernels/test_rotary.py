from __future__ import annotations

import pytest
import torch
from torch import Tensor
from tunebench import kernels

pytest.importorskip("triton", reason="triton is installed on Linux only")

SHAPES = [(64, 32), (32, 16), (128, 64), (80, 40), (80, 24), (64, 8), (96, 48)]


def tables(places: int, half: int, device: torch.device) -> tuple[Tensor, Tensor]:
    angle = torch.arange(places, device=device)[:, None] / 10000 ** torch.linspace(0, 1, half)
    return angle.cos(), angle.sin()


@pytest.mark.parametrize("interleaved", [False, True], ids=["halves", "neighbours"])
@pytest.mark.parametrize(("head", "half"), SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["fp32", "fp16"])
def test_rotation_and_its_gradient_equal_the_specification(head, half, interleaved, dtype, device):
    bar = 2e-7 if dtype == torch.float32 else 5e-4
    q = torch.randn(70, 6, head, device=device).to(dtype).requires_grad_()
    k = torch.randn(70, 2, head, device=device).to(dtype).requires_grad_()
    cos, sin = tables(100, half, device)
    places = torch.randint(0, 100, (70,), device=device)
    grads = torch.randn(70, 6, head, device=device), torch.randn(70, 2, head, device=device)
    grads = tuple(g.to(dtype) for g in grads)

    def run(implementation: str, kind: torch.dtype) -> tuple[Tensor, ...]:
        pair = [x.detach().to(kind).requires_grad_() for x in (q, k)]
        rotated = kernels.rotate(
            *pair, cos.to(torch.promote_types(kind, torch.float32)),
            sin.to(torch.promote_types(kind, torch.float32)), places,
            interleaved=interleaved, implementation=implementation,
        )  # fmt: skip
        back = torch.autograd.grad(rotated, pair, [g.to(kind) for g in grads])
        return (*(x.detach() for x in rotated), *back)

    rotated, truth = run("triton", dtype), run("reference", torch.float64)
    for a, b in zip(rotated, truth, strict=True):
        assert (a.double() - b).abs().max() <= bar * max(1.0, float(b.abs().max()))


def test_positions_counted_from_lengths_equal_explicit_ones(device):
    lengths = [40, 0, 1] + [3] * 150
    cu_seqlens = torch.tensor([0, *lengths], device=device).cumsum(0).to(torch.int32)
    places = torch.cat([torch.arange(length) for length in lengths]).to(device)
    q, k = (torch.randn(len(places), heads, 32, device=device) for heads in (4, 2))
    cos, sin = tables(50, 16, device)
    explicit = kernels.rotate(q, k, cos, sin, places, implementation="triton")
    for implementation in ("triton", "reference"):
        counted = kernels.rotate(
            q, k, cos, sin, cu_seqlens=cu_seqlens, implementation=implementation
        )
        for a, b in zip(explicit, counted, strict=True):
            assert torch.allclose(a, b, atol=1e-6)


def test_turning_back_gives_the_heads_again_and_keeps_their_norm(device):
    q, k = (torch.randn(33, heads, 64, device=device) for heads in (4, 1))
    cos, sin = tables(33, 32, device)
    places = torch.arange(33, device=device)
    rotated = kernels.rotate(q, k, cos, sin, places, implementation="triton")
    back = kernels.rotate(*rotated, cos, -sin, places, implementation="triton")
    for start, there, again in zip((q, k), rotated, back, strict=True):
        assert (again - start).abs().max() <= 3e-7 * float(start.abs().max())
        assert torch.allclose(there.norm(dim=-1), start.norm(dim=-1), rtol=1e-6)


def test_views_of_one_fused_tensor_are_rotated_in_place_of_copies(device):
    fused = torch.randn(20, 6, 64, device=device)
    before = fused.clone()
    q, k, _ = fused.split((4, 1, 1), 1)
    cos, sin = tables(20, 32, device)
    places = torch.arange(20, device=device)
    rotated = kernels.rotate(q, k, cos, sin, places, implementation="triton")
    contiguous = kernels.rotate(
        q.contiguous(), k.contiguous(), cos, sin, places, implementation="triton"
    )
    for a, b in zip(rotated, contiguous, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(fused, before)


def test_only_the_asked_gradient_is_computed(device):
    q = torch.randn(9, 2, 32, device=device, requires_grad=True)
    k = torch.randn(9, 2, 32, device=device)
    cos, sin = tables(9, 16, device)
    rotated, _ = kernels.rotate(
        q, k, cos, sin, torch.arange(9, device=device), implementation="triton"
    )
    (dq,) = torch.autograd.grad(rotated.sum(), q)
    assert dq.shape == q.shape


def test_no_tokens_give_no_tokens(device):
    q, k = (torch.randn(0, heads, 32, device=device) for heads in (4, 2))
    cos, sin = tables(5, 16, device)
    places = torch.arange(0, device=device)
    rotated = kernels.rotate(q, k, cos, sin, places, implementation="triton")
    assert [x.shape for x in rotated] == [q.shape, k.shape]
