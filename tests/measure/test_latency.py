"""A cell's latency, by a clock that only the passes move; peak memory; the vectors of cosine."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tunebench.backbone.layout import Layout
from tunebench.baselines.cosine import cosine, embed
from tunebench.measure.latency import FEWEST, HALF_WIDTH, latency
from tunebench.measure.memory import peak_memory
from tunebench.measure.ratio import LEAST, Round, interval, least_repeats

from tests import tiny

CPU = torch.device("cpu")
ONCE = ["tuned", "base"]
"""Before anything is counted."""
ROUND = ["tuned", "base", "base", "tuned"]


@pytest.fixture
def clock():
    """A clock that stands still but for what a pass adds to it."""
    return SimpleNamespace(seconds=100.0, calls=[])


def lasting(clock, name, *milliseconds):
    """A pass that takes these times one after the other, and the last of them from then on."""
    left = list(milliseconds)

    def run():
        clock.calls.append(name)
        clock.seconds += (left.pop(0) if len(left) > 1 else left[0]) / 1000

    return run


def timed(clock, tuned, base, seconds=0.0):
    """The record of two passes."""
    limits = {"device": CPU, "seconds": seconds, "clock": lambda: clock.seconds}
    return latency(tuned, base, batch=3, tokens=7, **limits)


def test_slow_passes_get_the_fewest_rounds_and_the_first_pass_of_each_side_does_not_count(clock):
    tuned = (3.0, 3.3, 3.1, 3.2, 2.9, 3.0)
    base = (2.0, 2.1, 2.2, 1.9, 2.0, 2.0)
    got = timed(
        clock, lasting(clock, "tuned", 5000.0, *tuned), lasting(clock, "base", 7000.0, *base), 0.001
    )
    assert clock.calls == ONCE + ROUND * FEWEST
    assert (got.batch, got.tokens, got.repeats) == (3, 7, 2 * FEWEST)
    assert got.median_ms == pytest.approx(np.median(tuned), rel=1e-9)
    pairs = np.log(np.divide(tuned, base)).reshape(-1, 2).mean(axis=1)
    assert got.ratio == pytest.approx(np.exp(pairs.mean()), rel=1e-9)
    rounds = [
        Round(o1, b1, b2, o2)
        for (o1, o2), (b1, b2) in zip(
            zip(tuned[::2], tuned[1::2], strict=True),
            zip(base[::2], base[1::2], strict=True),
            strict=True,
        )
    ]
    ends = interval([each.log_ratio for each in rounds])
    assert (got.ratio_low, got.ratio_high) == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert got.ratio_low < got.ratio < got.ratio_high
    assert got.p95_ms is None


def test_steady_passes_end_at_the_first_look(clock):
    got = timed(clock, lasting(clock, "tuned", 1.1), lasting(clock, "base", 1.0), seconds=30.0)
    assert got.repeats == 2 * LEAST
    assert got.ratio == pytest.approx(1.1)
    assert got.p95_ms is None


def test_unsteady_ones_go_on_until_the_time_is_spent(clock):
    generator = np.random.default_rng(0)
    base = lasting(clock, "base", *np.exp(generator.normal(0, 0.15, 2000)))
    got = timed(clock, lasting(clock, "tuned", 1.0), base, seconds=0.5)
    assert got.ratio_low is not None
    assert np.log(got.ratio_high / got.ratio_low) / 2 > HALF_WIDTH
    assert clock.seconds - 100.0 == pytest.approx(0.5, abs=0.01)


def test_the_95th_percentile_comes_with_130_passes(clock):
    generator = np.random.default_rng(0)
    times = np.exp(generator.normal(0, 0.1, 2000))
    got = timed(clock, lasting(clock, "tuned", *times), lasting(clock, "base", 1.0), seconds=0.4)
    assert got.repeats >= least_repeats(0.95) == 130
    assert got.p95_ms == pytest.approx(np.quantile(times[1 : 1 + got.repeats], 0.95), rel=1e-9)


def test_a_machine_that_was_too_unsteady_gives_no_ratio_but_what_the_clock_said(clock):
    tuned = (1.0, 1.0, 4.0, 4.0, 1.0, 1.0)
    got = timed(clock, lasting(clock, "tuned", 1.0, *tuned), lasting(clock, "base", 1.0))
    assert (got.ratio, got.ratio_low, got.ratio_high, got.p95_ms) == (None,) * 4
    assert got.median_ms == pytest.approx(1.0)


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
