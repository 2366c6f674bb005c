"""Wrong calls answer with the argument, the law and the values."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import torch
from tunebench import kernels
from tunebench.kernels.choice import chosen_for


def call(implementation: str = "triton", **changes: object) -> torch.Tensor:
    cu_seqlens = torch.tensor([0, 6], dtype=torch.int32)
    arguments = {
        "q": torch.randn(6, 4, 32), "k": torch.randn(6, 2, 32), "v": torch.randn(6, 2, 32),
        "cu_seqlens_q": cu_seqlens, "cu_seqlens_k": cu_seqlens, "causal": True,
    }  # fmt: skip
    arguments.update(changes)
    q, k, v = (arguments.pop(name) for name in "qkv")
    return kernels.attention(q, k, v, implementation=implementation, **arguments)


WRONG = [
    ({"k": torch.randn(6, 3, 32), "v": torch.randn(6, 3, 32)}, "heads of q % heads of k", "(6, 3"),
    ({"v": torch.randn(5, 2, 32)}, "k.shape == v.shape", "(5, 2, 32)"),
    ({"k": torch.randn(6, 2, 40), "v": torch.randn(6, 2, 40)}, "one head size", "(6, 2, 40)"),
    ({"prefix_k": torch.randn(3, 2, 32)}, "`prefix_k` and `prefix_v` must be given", "None"),
    ({"prefix_k": torch.randn(3, 2, 16), "prefix_v": torch.randn(3, 2, 16)}, "`prefix_k`", "16)"),
    ({"prefix_k": torch.randn(3, 2, 32), "prefix_v": torch.randn(4, 2, 32)}, "`prefix_v`", "(4,"),
]
WRONG_TRITON = [
    ({"q": torch.randn(6, 4, 32).half()}, "`k` must be of one type with q", "float16"),
    (
        {"cu_seqlens_q": torch.tensor([0, 6])},
        "`cu_seqlens_q` must hold b + 1 int32 numbers",
        "int64",
    ),
    (
        {"cu_seqlens_k": torch.tensor([0, 3, 6], dtype=torch.int32)},
        "len(cu_seqlens_q) == len(cu_seqlens_k)",
        "cu_seqlens_k=3",
    ),
    ({"window": -2}, "window >= 0", "-2"),
    ({"scale": 0.0}, "scale > 0", "0.0"),
    ({"scale": -0.5}, "scale > 0", "-0.5"),
    ({"q": torch.randn(1, 6, 4, 32)}, "`q` must be packed", "(1, 6, 4, 32)"),
]


@pytest.mark.parametrize("implementation", ["triton", "sdpa", "reference"])
@pytest.mark.parametrize(("changes", "condition", "values"), WRONG)
def test_shapes_that_do_not_fit_are_refused_everywhere(changes, condition, values, implementation):
    with pytest.raises(ValueError, match="but got") as caught:
        call(implementation, **changes)
    assert condition in str(caught.value)
    assert values in str(caught.value)


@pytest.mark.parametrize(("changes", "condition", "values"), WRONG_TRITON)
def test_what_triton_cannot_run_is_refused(changes, condition, values):
    with pytest.raises(ValueError, match="but got") as caught:
        call(**changes)
    assert condition in str(caught.value)
    assert values in str(caught.value)


@pytest.mark.parametrize("head", [4, 36, 136, 256])
def test_an_unsupported_head_size_is_refused(head):
    q = torch.randn(6, 2, head)
    with pytest.raises(ValueError, match="head size % 8 == 0") as caught:
        call(q=q, k=q, v=q)
    assert f"head_size={head}" in str(caught.value)


def test_an_unknown_implementation_is_refused():
    # Tests check every annotation while they run; this looks at what a user would meet.
    with pytest.raises(ValueError, match="auto, triton, sdpa or reference"):
        inspect.unwrap(chosen_for)("fast", torch.zeros(1))


@pytest.mark.parametrize("name", ["cos", "sin"])
def test_half_precision_tables_are_refused(name):
    q, k = torch.randn(3, 2, 32), torch.randn(3, 1, 32)
    tables = {"cos": torch.randn(4, 16), "sin": torch.randn(4, 16)}
    tables[name] = tables[name].half()
    with pytest.raises(ValueError, match=f"`{name}` must be float32"):
        kernels.rotate(q, k, **tables, positions=torch.arange(3), implementation="triton")


def test_tables_wider_than_the_head_and_missing_positions_are_refused():
    q, k = torch.randn(3, 2, 32), torch.randn(3, 1, 32)
    with pytest.raises(ValueError, match="2 r <= head size"):
        kernels.rotate(q, k, *torch.randn(2, 4, 17), torch.arange(3), implementation="triton")
    for implementation in ("triton", "reference"):
        with pytest.raises(ValueError, match="exactly one of `positions` and `cu_seqlens`"):
            kernels.rotate(q, k, *torch.randn(2, 4, 16), implementation=implementation)
    with pytest.raises(ValueError, match="one int32 or int64 number per token"):
        kernels.rotate(q, k, *torch.randn(2, 4, 16), torch.arange(4), implementation="triton")


def test_decoding_refuses_what_does_not_fit():
    q, cache = torch.randn(2, 2, 32), torch.randn(2, 5, 1, 32)
    lengths = torch.tensor([1, 2], dtype=torch.int32)
    with pytest.raises(ValueError, match="b capacity g e"):
        kernels.decode(q[:1], cache, cache, lengths=lengths[:1], implementation="triton")
    with pytest.raises(ValueError, match="`lengths` must hold b int32"):
        kernels.decode(q, cache, cache, lengths=lengths.long(), implementation="triton")


def test_a_tensor_on_a_cpu_is_refused_without_the_interpreter():
    program = (
        "import os; os.environ.pop('TRITON_INTERPRET', None)\n"
        "import torch; from tunebench import kernels\n"
        "q = torch.randn(3, 2, 32); cu_seqlens = torch.tensor([0, 3], dtype=torch.int32)\n"
        "try: kernels.attention(q, q, q, "
        "cu_seqlens_q=cu_seqlens, cu_seqlens_k=cu_seqlens, causal=True, implementation='triton')\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "`q` must lie on a GPU for attention=triton" in done.stdout, done.stderr[-2000:]
    assert "device=cpu" in done.stdout
