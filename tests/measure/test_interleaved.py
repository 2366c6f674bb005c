"""Passes timed in turn, by a clock that only the passes move; and once by a real one."""

import math
import multiprocessing
import os
import time

import numpy as np
import pytest
import torch
from tunebench.measure.interleaved import pass_seconds, rounds_in_turn, time_in_turn
from tunebench.measure.ratio import FEWEST, LEAST, next_look

CPU = torch.device("cpu")


class Machine:
    """A clock, and passes that take it onwards: slower while other processes run."""

    def __init__(self, busy=lambda now: 1.0, noise=0.0, seed=0):
        self.now, self.busy, self.noise = 100.0, busy, noise
        self.generator = np.random.default_rng(seed)
        self.calls = []

    def __call__(self):
        return self.now

    def passes(self, name, seconds):
        """A pass that takes so long where nothing else runs."""

        def run():
            self.calls.append(name)
            jitter = math.exp(self.generator.normal(0, self.noise)) if self.noise else 1.0
            self.now += seconds * self.busy(self.now) * jitter

        return run


def timed(machine, ours=0.011, base=0.01, half_width=0.02, seconds=1000.0):
    """A measurement on such a machine."""
    return time_in_turn(
        machine.passes("ours", ours),
        machine.passes("base", base),
        half_width=half_width,
        seconds=seconds,
        device=CPU,
        clock=machine,
    )


def test_ours_and_base_run_in_turn_each_as_often_first_after_one_pass_unmeasured():
    machine = Machine()
    got = timed(machine)
    assert machine.calls == ["ours", "base"] + ["ours", "base", "base", "ours"] * LEAST
    assert got.rounds == LEAST
    assert got.ratio is not None
    assert got.ratio.value == pytest.approx(1.1)
    assert (got.p50_ms, got.base_p50_ms) == pytest.approx((11, 10))


def test_it_goes_on_until_the_interval_is_as_narrow_as_asked():
    wide, narrow = (
        timed(Machine(noise=0.1), half_width=half_width) for half_width in (0.05, 0.005)
    )
    assert wide.rounds == LEAST
    assert narrow.rounds > next_look(LEAST)
    assert narrow.ratio is not None
    assert narrow.ratio.half_width <= 0.005
    assert narrow.ratio.low < 1.1 < narrow.ratio.high


def test_time_ends_it_but_not_before_there_is_an_interval():
    assert timed(Machine(), seconds=0.0).rounds == FEWEST
    some = timed(Machine(noise=0.1), half_width=1e-6, seconds=10.0)
    assert LEAST < some.rounds < 10.0 / 0.042 + 10
    assert some.ratio is not None
    assert some.ratio.half_width > 1e-6


def test_as_few_rounds_as_asked_for_where_there_is_no_time():
    machine = Machine()
    passes = (machine.passes("ours", 0.011), machine.passes("base", 0.01))
    limits = {"half_width": 0.0, "seconds": 0.0, "device": CPU, "clock": machine}
    assert len(rounds_in_turn(*passes, fewest=3, **limits)) == 3
    assert len(rounds_in_turn(*passes, **limits)) == FEWEST


def sequential(machine, ours, base, seconds):
    """What others do: all passes of the one, then all of the other; the ratio of the medians."""
    medians = []
    for name, each in (("ours", ours), ("base", base)):
        end, run, took = machine() + seconds / 2, machine.passes(name, each), []
        while machine() < end:
            took.append(pass_seconds(run, CPU, machine))
        medians.append(np.median(took))
    return medians[0] / medians[1]


@pytest.mark.parametrize("factor", [1.3, 2.0, 4.0])
def test_processes_that_start_half_way_move_a_sequential_ratio_and_not_ours(factor):
    def start(now):
        return 1.0 if now < 105.0 else factor

    got = timed(Machine(start, noise=0.02), half_width=0.001, seconds=10.0)
    assert got.ratio is not None
    assert abs(got.ratio.value / 1.1 - 1) < 0.05
    machine = Machine(start, noise=0.02)
    assert abs(sequential(machine, 0.011, 0.01, 10.0) / 1.1 - 1) > 0.2


@pytest.mark.parametrize("seed", range(10))
def test_processes_that_come_and_go_all_the_time_leave_an_error_below_5_percent_or_a_word(seed):
    generator = np.random.default_rng(seed)
    slow = np.repeat(generator.choice([1.0, 2.0, 4.0], 400), generator.integers(1, 40, 400))

    def come_and_go(now):
        return float(slow[int((now - 100.0) / 0.005) % len(slow)])

    got = timed(Machine(come_and_go, noise=0.02, seed=seed), seconds=20.0)
    assert got.ratio is None or abs(got.ratio.value / 1.1 - 1) < 0.05


def test_a_gpu_has_finished_before_a_pass_begins_and_before_its_time_is_read(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("wait"))
    pass_seconds(lambda: calls.append("pass"), torch.device("cuda"))
    assert calls == ["wait", "pass", "wait"]


def test_nothing_is_recorded_for_gradients():
    modes = []
    run = lambda: modes.append(torch.is_inference_mode_enabled())  # noqa: E731
    time_in_turn(run, run, half_width=1.0, seconds=0.0, device=CPU)
    assert set(modes) == {True}


def _burn(begin, end):
    """Keep a core busy between two moments."""
    while time.time() < begin:
        time.sleep(0.01)
    while time.time() < end:
        sum(range(1000))


@pytest.mark.soak
def test_three_busy_processes_that_start_and_stop_half_way_do_not_move_the_ratio():
    """For real: twice the same product against one, whose true ratio is 2."""
    weight = torch.randn(512, 512)

    def once():
        return weight @ weight

    def twice():
        return weight @ weight, weight @ weight

    def busy(work):
        now = time.time()
        spawn = multiprocessing.get_context("spawn")
        workers = [spawn.Process(target=_burn, args=(now + 4, now + 8)) for _ in range(3)]
        for each in workers:
            each.start()
        time.sleep(max(0.0, now + 2 - time.time()))
        result = work()
        for each in workers:
            each.join()
        return result

    got = busy(lambda: time_in_turn(twice, once, half_width=0.001, seconds=8.0, device=CPU))
    others = busy(lambda: _in_sequence(twice, once, 8.0))
    print(f"{os.cpu_count()} cores: in turn {got.ratio}, one after the other {others:.2f}")
    assert got.ratio is None or abs(got.ratio.value / 2 - 1) < 0.05


def _in_sequence(ours, base, seconds):
    """The ratio of the mean times of two stretches, one after the other."""
    means = []
    for run in (ours, base):
        end, took = time.perf_counter() + seconds / 2, []
        while time.perf_counter() < end:
            took.append(pass_seconds(run, CPU))
        means.append(np.mean(took))
    return means[0] / means[1]
