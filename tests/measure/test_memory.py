"""Peak memory where a system tells it otherwise, or does not tell it."""

import ctypes
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tunebench.measure.memory import peak_memory

CPU = torch.device("cpu")


def test_a_gpu_s_peak_is_reset_before_and_read_after(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 3 * 2**20 + 2**19)
    with peak_memory(torch.device("cuda")) as peak:
        assert calls == ["reset"]
        assert peak.mib is None
    assert peak.mib == 3.5


def test_a_mark_that_cannot_be_reset_is_not_read(monkeypatch):
    def refused(path, text):
        raise PermissionError(str(path))

    monkeypatch.setattr(Path, "write_text", refused)
    with peak_memory(CPU) as peak:
        pass
    assert peak.mib is None


@pytest.mark.parametrize(
    ("status", "mib"),
    [("VmPeak:\t9 kB\nVmHWM:\t  2560 kB\nVmRSS:\t7 kB\n", 2.5), ("VmRSS:\t7 kB\n", None)],
)
def test_the_kernel_s_high_water_mark_is_in_kib(monkeypatch, status, mib):
    marks = []
    monkeypatch.setattr(Path, "write_text", lambda path, text: marks.append((str(path), text)))
    monkeypatch.setattr(Path, "read_text", lambda path: status)
    with peak_memory(CPU) as peak:
        pass
    assert peak.mib == mib
    assert marks == [("/proc/self/clear_refs", "5")]


@pytest.mark.parametrize("trim", [True, False])
def test_freed_memory_is_given_back_where_the_c_library_can(monkeypatch, trim):
    calls = []
    library = SimpleNamespace(**({"malloc_trim": calls.append} if trim else {}))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    with peak_memory(CPU):
        pass
    assert calls == [0] * trim
