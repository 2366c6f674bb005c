"""Ratios from planted times: what cancels, how wide, how often right, and when there is none."""

import math

import numpy as np
import pytest
from scipy import signal, stats
from tunebench.measure import ratio
from tunebench.measure.ratio import BLOCKS, FEWEST, LEAST, LEVEL, Round


def planted(truth, *, rounds=64, drift=0.0, second=1.0, noise=None):
    """Rounds of two passes whose true ratio is known."""
    order = (truth, 1.0, 1.0, truth)
    place = (1.0, second, 1.0, second)  # the second of a pair takes so many times as long
    made = []
    for number in range(rounds):
        times = [
            side * factor * math.exp(drift * (4 * number + k))
            for k, (side, factor) in enumerate(zip(order, place, strict=True))
        ]
        if noise is not None:
            times = [t * math.exp(e) for t, e in zip(times, noise[number], strict=True)]
        made.append(Round(*times))
    return made


def test_drift_and_the_order_within_a_pair_cancel():
    logs = [each.log_ratio for each in planted(1.1, drift=0.01, second=1.3)]
    assert logs == pytest.approx([math.log(1.1)] * len(logs), abs=1e-12)


def test_few_rounds_have_student_s_interval():
    logs = np.random.default_rng(0).normal(0.05, 0.02, 9)
    got = ratio.interval(logs)
    low, high = stats.t.interval(LEVEL, len(logs) - 1, logs.mean(), stats.sem(logs))
    assert (got.low, got.value, got.high) == pytest.approx(np.exp([low, logs.mean(), high]))
    assert got.half_width == pytest.approx((high - low) / 2)


def test_a_block_is_the_median_of_neighbours_so_that_one_interruption_does_not_count():
    logs = np.zeros(3 * BLOCKS)
    logs[7] = 5.0
    assert not ratio.blocks(logs).any()
    assert ratio.blocks(np.repeat(np.arange(BLOCKS), 4)) == pytest.approx(np.arange(BLOCKS))


NOISES = {
    "white": (0.0, 0.0, 0.03, 0.0),
    "slow": (0.97, 0.1, 0.02, 0.0),
    "slower, with interruptions": (0.99, 0.2, 0.03, 0.02),
    "as fast as a round": (0.5, 0.1, 0.02, 0.05),
}
"""Correlation of neighbouring passes, deviation of that noise, of each pass by itself, and how many
passes are interrupted for about half as long again."""


def drawn(generator, kind, rounds):
    """Logarithms of noise (rounds, 4)."""
    correlation, common, each_pass, interrupted = NOISES[kind]
    shocks = generator.normal(0, common * math.sqrt(1 - correlation**2), 4 * rounds + 500)
    noise = signal.lfilter([1], [1, -correlation], shocks)[500:]
    noise = noise + generator.normal(0, each_pass, len(noise))
    spikes = generator.exponential(0.5, len(noise)) * (generator.random(len(noise)) < interrupted)
    return (noise + spikes).reshape(rounds, 4)


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("narrow", [0.01, 0.03])
def test_an_interval_that_is_awaited_holds_the_truth_as_often_as_it_says(kind, narrow):
    generator, truth, trials, most, right = np.random.default_rng(1), math.log(1.07), 250, 1200, 0
    for _ in range(trials):
        noise = drawn(generator, kind, most)
        logs = truth + (noise[:, 0] + noise[:, 3] - noise[:, 1] - noise[:, 2]) / 2
        look = LEAST
        got = ratio.interval(logs[:look])
        while got.half_width > narrow and look < most:
            look = min(most, ratio.next_look(look))
            got = ratio.interval(logs[:look])
        right += got.low <= 1.07 <= got.high
    # Were the true share 95 %, fewer than this would come once in a thousand times.
    assert right >= stats.binom.ppf(0.001, trials, 0.95)


@pytest.mark.parametrize(("percentile", "least"), [(0.9, 64), (0.95, 130), (0.99, 662)])
def test_percentiles_need_as_many_passes_as_mlperf_asks_for(percentile, least):
    assert ratio.least_repeats(percentile) == least
    beyond = 1 - percentile
    assert stats.binom.cdf(1, least, beyond) <= 0.01 < stats.binom.cdf(1, least - 1, beyond)


@pytest.mark.parametrize(("rounds", "p95", "p99"), [(64, False, False), (65, True, False)])
def test_a_percentile_is_stated_from_its_floor_on(rounds, p95, p99):
    # Two passes of ours a round.
    noise = drawn(np.random.default_rng(2), "white", rounds)
    got = ratio.timing(planted(1.0, rounds=rounds, noise=noise))
    assert (got.p95_ms is not None, got.p99_ms is not None) == (p95, p99)
    ours = np.exp(noise[:, [0, 3]]).ravel() * 1000
    assert got.p50_ms == pytest.approx(np.median(ours))
    base = np.exp(noise[:, [1, 2]]).ravel() * 1000
    assert got.base_p50_ms == pytest.approx(np.median(base))
    if p95:
        assert got.p95_ms == pytest.approx(np.quantile(ours, 0.95))


def test_the_highest_percentile_comes_with_662_passes():
    assert ratio.timing(planted(1.0, rounds=330)).p99_ms is None
    assert ratio.timing(planted(1.0, rounds=331)).p99_ms == pytest.approx(1000)


@pytest.mark.parametrize(
    ("values", "noisy"),
    [
        ([1.0, 1.0, 1.1, 0.9], False),
        ([1.0, 1.2, 0.8, 1.0], True),  # deviation 0.16 of the mean
        ([1.0] * 99 + [1.52], True),  # deviation 0.05, and one value half as much again
        ([1.0] * 99 + [1.48], False),
    ],
)
def test_the_verdict_on_noise_has_pyperf_s_two_limits(values, noisy):
    assert ratio.is_noisy(np.array(values)) is noisy


def test_a_machine_that_changes_its_pace_has_a_ratio_and_no_milliseconds():
    noise = np.zeros((64, 4))
    noise[32:] = math.log(2)
    got = ratio.timing(planted(1.05, noise=noise))
    assert got.ratio is not None
    assert got.ratio.value == pytest.approx(1.05)
    assert (got.p50_ms, got.base_p50_ms, got.p95_ms, got.p99_ms) == (None,) * 4


def test_ratios_that_jump_are_no_ratio():
    noise = np.zeros((FEWEST, 4))
    noise[::2, [0, 3]] = 0.4
    assert ratio.timing(planted(1.0, rounds=FEWEST, noise=noise)).ratio is None
