"""Samples of the process that trains: what they say, when there are none, and where they go."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mlflow.tracking import MlflowClient
from tunebench.records import SystemSamples
from tunebench.study import system_metrics
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.system_metrics import allocated, resident, sampled

from tests import small

CPU = torch.device("cpu")
STATUS = Path("/proc/self/status")


def samplers() -> list[str]:
    return [one.name for one in threading.enumerate() if "system-metrics" in one.name]


def work(seconds: float) -> None:
    """Keep the processor busy for so much of its time."""
    begin = time.process_time()
    while time.process_time() - begin < seconds:
        pass


def test_samples_are_of_this_process_and_stop_with_the_block() -> None:
    begin, worked = time.monotonic(), time.process_time()
    with sampled(0.01, CPU) as samples:
        work(0.2)
    passed, used = time.monotonic() - begin, time.process_time() - worked
    seen = samples()
    assert samplers() == []
    assert list(seen.seconds) == sorted(set(seen.seconds))
    assert seen.seconds[-1] <= passed
    # What each sample counts, over its time, adds up to the processor time that was used.
    spans = [b - a for a, b in zip((0.0, *seen.seconds), seen.seconds, strict=False)]
    counted = sum(share / 100 * span for share, span in zip(seen.cpu_percent, spans, strict=True))
    assert 0 < counted <= used
    assert samples() == seen


def test_a_sample_is_of_the_time_since_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which 2 s pass between two looks, of which the process works 0.5 s."""
    passed, worked = itertools.count(), itertools.count()
    clock = SimpleNamespace(
        monotonic=lambda: 2.0 * next(passed), process_time=lambda: 0.5 * next(worked)
    )
    monkeypatch.setattr(system_metrics, "time", clock)
    with sampled(0.001, CPU) as samples:
        deadline = time.monotonic() + 30
        while len(samples().seconds) < 3 and time.monotonic() < deadline:
            threading.Event().wait(0.001)
        (sampler,) = (one for one in threading.enumerate() if one.name in samplers())
        assert sampler.daemon, "it must not keep a process alive that leaves the block undone"
    seen = samples()
    assert len(seen.seconds) >= 3
    assert list(seen.seconds) == [2.0 * n for n in range(1, len(seen.seconds) + 1)]
    assert set(seen.cpu_percent) == {25.0}


def test_a_block_that_fails_ends_its_samples() -> None:
    there: list[list[str]] = []

    def fail() -> None:
        with sampled(0.01, CPU):
            there.append(samplers())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert len(there[0]) == 1
    assert samplers() == []


def test_without_an_interval_nothing_is_sampled() -> None:
    with sampled(0, CPU) as samples:
        assert samplers() == []
    assert samples() == SystemSamples()


@pytest.mark.skipif(not STATUS.exists(), reason="says how much memory a process has")
def test_memory_is_what_the_kernel_says() -> None:
    line = re.search(r"^VmRSS:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    assert line is not None
    assert resident() == pytest.approx(int(line[1]) / 1024, rel=0.02)
    assert allocated(CPU) == 0


def test_a_system_that_says_nothing_gives_no_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(system_metrics, "STATM", tmp_path / "none")
    assert resident() == 0


def test_samples_reach_mlflow_and_change_no_score(
    checkpoint: Path, make_out: Callable[..., Path]
) -> None:
    plain, watched = make_out("plain"), make_out("watched")
    without = compare(small.experiment(checkpoint, plain, methods={"head": {}}))
    with_them = compare(
        small.experiment(checkpoint, watched, methods={"head": {}}, system_metrics=0.001)
    )
    assert [row.score for row in without.results] == [row.score for row in with_them.results]
    assert [row.cell for row in without.results] == [row.cell for row in with_them.results]
    assert {row.system for row in (*without.results, *without.trials)} == {SystemSamples()}
    assert examine(watched) == []
    client = MlflowClient(f"sqlite:///{watched}/mlflow.db")
    ids = [one.experiment_id for one in client.search_experiments()]
    for row in with_them.results:
        assert row.system.seconds
        (run,) = client.search_runs(ids, f"tags.`tunebench.key` LIKE '%/{row.cell}'")
        points = client.get_metric_history(run.info.run_id, "system/process_memory_mebibytes")
        assert [point.value for point in points] == list(row.system.memory_mib)
        passed = [point.timestamp - run.info.start_time for point in points]
        assert passed == [round(1000 * at) for at in row.system.seconds]
        assert "system/gpu_memory_allocated_mebibytes" not in run.data.metrics
