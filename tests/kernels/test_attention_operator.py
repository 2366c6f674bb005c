from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from tunebench import kernels
from tunebench.kernels.attention_operator import flash_attention
from tunebench.kernels.decode_operator import flash_decode
from tunebench.kernels.rotate_operator import rotary

from tests.kernels.cases import Case, draw

pytest.importorskip("triton", reason="triton is installed on Linux only")

SMALL = Case((9, 0, 3), (9, 0, 3), 2, 1, 32, 2, True, None)
CHECKS = ("test_schema", "test_autograd_registration", "test_faketensor")
ALL_CHECKS = (*CHECKS, "test_aot_dispatch_dynamic")


@pytest.mark.parametrize(
    "checks", [CHECKS, pytest.param(ALL_CHECKS, marks=pytest.mark.slow)], ids=["short", "all"]
)
@pytest.mark.parametrize("prefix", [False, True])
def test_the_attention_operator_keeps_torchs_contract(prefix, checks, device):
    inputs = draw(SMALL, device)
    q, k, v, *before = (x.detach().requires_grad_() for x in inputs.leaves)
    before = before if prefix else [None, None]
    torch.library.opcheck(
        flash_attention,
        (q, k, v, inputs.cu_seqlens_q, inputs.cu_seqlens_k, *before, True, 4, 0.2, False),
        test_utils=checks,
    )


def test_the_rotary_operator_keeps_torchs_contract(device):
    q, k = (torch.randn(9, h, 32, device=device, requires_grad=True) for h in (2, 1))
    tables = torch.randn(2, 12, 16, device=device)
    places = torch.arange(9, device=device)
    torch.library.opcheck(
        rotary, (q, k, *tables, places, False, False, False), test_utils=ALL_CHECKS
    )


def test_the_decode_operator_keeps_torchs_contract(device):
    q = torch.randn(2, 2, 32, device=device)
    k, v = torch.randn(2, 10, 1, 32, device=device)
    starts, lengths = (torch.tensor(x, dtype=torch.int32, device=device) for x in ([0, 5], [5, 3]))
    torch.library.opcheck(flash_decode, (q, k, v, starts, lengths, 5, None, None, 0.2))


PROGRAM = """
import torch
from tunebench import kernels
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
cu_seqlens = torch.tensor([0, 5, 12], dtype=torch.int32, device=device)
q = torch.randn(12, 2, 32, device=device, requires_grad=True)
k = torch.randn(12, 1, 32, device=device, requires_grad=True)
prefix = torch.randn(2, 3, 1, 32, device=device, requires_grad=True)
cos, sin = torch.randn(2, 12, 16, device=device)
places = torch.arange(12, device=device)
def layer(q, k, prefix):
    a, b = kernels.rotate(q, k, cos, sin, places, implementation="triton")
    return kernels.attention(a, b, k * 2, cu_seqlens_q=cu_seqlens, cu_seqlens_k=cu_seqlens,
                             causal=True, prefix_k=prefix[0], prefix_v=prefix[1],
                             implementation="triton")
plain = layer(q, k, prefix)
expected = torch.autograd.grad(plain.square().sum(), (q, k, prefix))
compiled = torch.compile(layer, fullgraph=True, backend="BACKEND", dynamic=True)
out = compiled(q, k, prefix)
found = torch.autograd.grad(out.square().sum(), (q, k, prefix))
for a, b in zip((plain, *expected), (out, *found)):
    assert torch.allclose(a, b, rtol=1e-5, atol=1e-5)
print("one graph")
"""


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_attention_and_rotation_compile_into_one_graph(backend):
    program = PROGRAM.replace("BACKEND", backend)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "one graph", done.stderr[-2000:]


def test_the_package_imports_and_runs_without_triton():
    program = (
        "import sys; sys.modules['triton'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'triton' else find(name, *a)\n"
        "import torch; from tunebench import kernels\n"
        "q = torch.randn(3, 2, 32); cu_seqlens = torch.tensor([0, 3], dtype=torch.int32)\n"
        "print(kernels.attention(q, q, q, "
        "cu_seqlens_q=cu_seqlens, cu_seqlens_k=cu_seqlens, causal=True).shape)\n"
        "try: kernels.attention(q, q, q, "
        "cu_seqlens_q=cu_seqlens, cu_seqlens_k=cu_seqlens, causal=True, implementation='triton')\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "torch.Size([3, 2, 32])",
        "implementation=triton needs the package triton, which is not installed",
    ], done.stderr[-2000:]


def test_importing_the_kernels_imports_no_triton():
    program = (
        "import sys; import tunebench.kernels\nprint('triton' in sys.modules, file=sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr[-2000:]


def test_a_prefix_in_full_precision_serves_half_precision_tokens(device):
    inputs = draw(SMALL, device, torch.float16)
    q, k, v = (x.detach() for x in (inputs.q, inputs.k, inputs.v))
    before = torch.randn(2, 2, 1, 32, device=device, requires_grad=True)
    out = kernels.attention(
        q,
        k,
        v,
        cu_seqlens_q=inputs.cu_seqlens_q,
        cu_seqlens_k=inputs.cu_seqlens_k,
        causal=True,
        prefix_k=before[0],
        prefix_v=before[1],
        implementation="triton",
    )
    (grad,) = torch.autograd.grad(out.float().sum(), before)
    assert out.dtype == torch.float16
    assert grad.dtype == torch.float32
    assert grad[1].any()
