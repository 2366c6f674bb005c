"""The benchmark of a CPU's attention forces the form it says, and leaves the choice as it was."""

from importlib import import_module
from pathlib import Path

import pytest
import torch
from tunebench.kernels import by_length, products

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return import_module("bench_cpu_attention")


@pytest.mark.parametrize(
    ("padded", "short", "expected"), [(False, 1024, True), (False, 0, False), (True, 1024, False)]
)
def test_a_layer_runs_the_form_that_is_asked_for(script, monkeypatch, padded, short, expected):
    calls, apply = [], products.Products.apply
    monkeypatch.setattr(products.Products, "apply", lambda *a: calls.append(1) or apply(*a))
    script.layer([9, 40], 3, padded, short)()
    assert bool(calls) == expected
    assert (by_length.SHORT, by_length.SHORT_EQUAL) == (128, 24)


def test_ratios_are_of_the_first_over_the_second(script, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(script.time, "process_time", lambda: clock[0])

    def taking(seconds):
        return lambda: clock.__setitem__(0, clock[0] + seconds)

    assert script.ratios(taking(3.0), taking(4.0), 5) == pytest.approx([0.75] * 5)


def test_lengths_are_drawn_alike_in_every_run(script):
    assert script.drawn(28, 16) == script.drawn(28, 16)
    assert len(script.drawn(28, 16)) == 16
    assert torch.tensor(script.drawn(28, 500)).float().mean() == pytest.approx(28, rel=0.1)
