"""Latency and memory: positive, and they rise with what is measured."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tunebench.backbone.layout import Layout
from tunebench.baselines.cosine import cosine, embed
from tunebench.measure.latency import LEAST, MOST, WARM_UP, latency
from tunebench.measure.memory import peak_memory

from tests import tiny

CPU = torch.device("cpu")


def test_both_sides_run_in_turn_and_equally_often():
    calls = []
    times = latency(
        lambda: calls.append("tuned"),
        lambda: calls.append("base"),
        batch=3,
        tokens=7,
        device=CPU,
        seconds=0.0,
    )
    assert calls == ["tuned", "base"] * (WARM_UP + LEAST)
    assert (times.batch, times.tokens, times.repeats) == (3, 7, LEAST)
    assert 0 < times.median_ms <= times.p95_ms
    assert times.ratio > 0


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what a pass adds to it."""
    clock = SimpleNamespace(seconds=100.0)
    ticking = SimpleNamespace(perf_counter=lambda: clock.seconds)
    monkeypatch.setattr("tunebench.measure.latency.time", ticking)
    return clock


def lasting(clock, *milliseconds):
    """A pass that takes these times in turn, and the last of them from then on."""
    left = list(milliseconds)

    def run():
        clock.seconds += (left.pop(0) if len(left) > 1 else left[0]) / 1000

    return run


def test_the_ratio_is_the_median_of_tuned_over_base_and_warming_up_does_not_count(clock):
    tuned, base = (3.0, 30.0, 9.0, 6.0, 12.0), (2.0, 10.0, 9.0, 1.0, 24.0)
    times = latency(
        lasting(clock, *[5000.0] * WARM_UP, *tuned),
        lasting(clock, *[7000.0] * WARM_UP, *base),
        batch=1,
        tokens=1,
        device=CPU,
        seconds=0.0,
    )
    assert times.repeats == len(tuned) == LEAST
    assert times.ratio == pytest.approx(np.median(np.divide(tuned, base)), rel=1e-9)
    assert times.ratio != pytest.approx(np.median(tuned) / np.median(base))
    assert times.median_ms == pytest.approx(np.median(tuned), rel=1e-9)
    assert times.p95_ms == pytest.approx(np.quantile(tuned, 0.95), rel=1e-9)


def test_passes_are_repeated_until_the_time_is_spent(clock):
    one = lasting(clock, 1000 / 64)
    times = latency(one, one, batch=1, tokens=1, device=CPU, seconds=0.5)
    assert times.repeats == 16


def test_a_gpu_has_finished_before_a_pass_begins_and_before_its_time_is_read(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("wait"))
    latency(
        lambda: calls.append("tuned"),
        lambda: calls.append("base"),
        batch=1,
        tokens=1,
        device=torch.device("cuda"),
        seconds=0.0,
    )
    one_round = ["wait", "tuned", "wait", "wait", "base", "wait"]
    assert calls == ["tuned", "base"] * WARM_UP + one_round * LEAST


def test_a_fast_pass_is_not_repeated_for_ever():
    def nothing():
        return None

    times = latency(nothing, nothing, batch=1, tokens=1, device=CPU, seconds=30.0)
    assert times.repeats == MOST


def test_nothing_is_recorded_for_gradients_while_time_is_taken():
    modes = []

    def note():
        modes.append(torch.is_inference_mode_enabled())

    latency(note, note, batch=1, tokens=1, device=CPU, seconds=0.0)
    assert set(modes) == {True}


def test_what_was_freed_before_does_not_count():
    # Pieces too small to be mapped one by one, each second one freed last.
    pieces = [torch.ones(2**13) for _ in range(8_000)]
    with peak_memory(CPU) as full:
        pass
    if full.mib is None:
        pytest.skip("this system cannot reset its high-water mark")
    del pieces[::2]
    pieces.clear()
    with peak_memory(CPU) as freed:
        pass
    # Some pieces may have filled gaps that earlier tests left; without trimming hardly any counts.
    assert full.mib - freed.mib == pytest.approx(250, rel=0.25)


def test_the_peak_rises_by_what_was_held_in_between():
    with peak_memory(CPU) as before:
        pass
    if before.mib is None:
        pytest.skip("this system cannot reset its high-water mark")
    with peak_memory(CPU) as during:
        held = torch.ones(200 * 2**18)
        del held
    assert during.mib - before.mib == pytest.approx(200, rel=0.1)
    with peak_memory(CPU) as after:
        pass
    assert after.mib < during.mib - 150


def test_the_cosine_of_a_text_with_itself_is_1_and_order_is_kept(cfg):
    backbone = tiny.backbone(cfg)
    texts = [tuple(range(3, 3 + n)) for n in (5, 2, 9, 1)]
    assert cosine(backbone, texts, texts) == pytest.approx([1.0] * 4, abs=1e-5)
    vectors = embed(backbone, texts, "mean")
    for vector, text in zip(vectors, texts, strict=True):
        states = backbone.encode(torch.tensor(text), Layout.from_lengths([len(text)]))
        assert torch.allclose(vector, states.mean(0), rtol=1e-4, atol=1e-5)
