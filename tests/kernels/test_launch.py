from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from tunebench.kernels import launch

GPU = torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("capability", "rows"),
    [
        ((8, 0), "sm_80"),
        ((8, 6), "sm_80"),
        ((8, 9), "sm_80"),
        ((9, 0), "sm_90"),
        ((12, 0), "sm_80"),
    ],
)
def test_each_gpu_finds_rows_that_fit_its_shared_memory(capability, rows, monkeypatch):
    properties = SimpleNamespace(name="a GPU", major=capability[0], minor=capability[1])
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.version, "hip", None)
    assert launch.architecture(GPU) == rows
    chosen = launch.choose("forward", 80, torch.bfloat16, GPU)
    assert chosen == launch.TABLE[rows, "forward", 128, 16]
    short = launch.choose("forward", 80, torch.bfloat16, GPU, True)
    assert short == launch.BRIEF[rows, "forward", 128, 16]
    # Rows of full precision are small as they are, and row products know no sequences.
    for kernel, dtype in (("forward", torch.float32), ("delta", torch.bfloat16)):
        assert launch.choose(kernel, 80, dtype, GPU, True) == launch.choose(kernel, 80, dtype, GPU)


def test_a_gpu_of_amd_finds_its_rows(monkeypatch):
    properties = SimpleNamespace(name="a GPU", major=9, minor=4)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.version, "hip", "7.0")
    assert launch.architecture(GPU) == "gfx942"


def test_an_older_gpu_is_refused_with_its_name_and_what_works(monkeypatch):
    properties = SimpleNamespace(name="an older GPU", major=7, minor=5)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.version, "hip", None)
    with pytest.raises(ValueError, match=r"compute capability >= 8\.0") as caught:
        launch.architecture(GPU)
    assert "an older GPU" in str(caught.value)
    assert "sdpa works" in str(caught.value)


def test_a_cpu_takes_the_rows_of_the_interpreter():
    cpu = torch.device("cpu")
    for kernel in launch.KERNELS:
        assert launch.choose(kernel, 64, torch.float32, cpu) == launch.INTERPRETED[kernel]
