"""A thousand workers and ten thousand cells: every job once, and no job dearer than in a small run.

Real schedule, leases and leader; training and time are made up (`simulated.py`). Counted are the
calls to the file system, which is what many workers share.
"""

import random
from collections import Counter
from pathlib import Path

import pytest
from tunebench.study import schedule

from tests.file_calls import counted
from tests.study.simulated import Crew, by_one_process, draw, jobs


@pytest.fixture(autouse=True)
def draws(monkeypatch):
    monkeypatch.setattr(schedule, "draw", draw)


def run(out: Path, studies: int, seeds: int, workers: int, lost: int = 0) -> Crew:
    """A comparison of so many cells to its end; some workers are lost in the middle of it."""
    times = random.Random(0)
    crew = Crew(out, jobs(studies, seeds), seconds=lambda job: times.uniform(40.0, 80.0))
    crew.add(workers)
    crew.run(until=lambda: len(crew.stored) >= len(crew.jobs) // 4)
    running = [helper for helper in crew.helpers if helper.lease is not None]
    for helper in running[:lost]:
        helper.gone = True
    crew.run()
    return crew


def per_job(out: Path, studies: int, workers: int) -> Counter[str]:
    """Calls to the file system for each job, by kind."""
    counts: Counter[str] = Counter()
    with counted() as calls:
        crew = run(out, studies, 100, workers)
    for (kind, _), count in calls.items():
        counts[kind] += count
    made = len(crew.jobs)
    assert sum(crew.store.puts.values()) == len(crew.store.puts) == made
    assert crew.notes == []
    print(f"\n{made} jobs on {workers} workers, calls for each: {sum(counts.values()) / made:.1f}")
    print(", ".join(f"{kind} {count / made:.2f}" for kind, count in sorted(counts.items())))
    return Counter({kind: count / made for kind, count in counts.items()})


@pytest.mark.soak
def test_ten_thousand_cells_on_a_thousand_workers_cost_each_what_a_hundred_cost(tmp_path):
    small = per_job(tmp_path / "small", 1, 10)
    large = per_job(tmp_path / "large", 100, 1_000)
    assert small.total() > 10
    assert large.total() <= 1.5 * small.total()


def test_workers_that_are_lost_by_the_dozen_cost_nothing_but_their_jobs(tmp_path):
    crew = run(tmp_path, studies=3, seeds=20, workers=20, lost=12)
    expected = by_one_process(crew.jobs)
    assert (crew.store.of_trials, crew.store.of_cells) == (expected.of_trials, expected.of_cells)
    assert set(crew.store.puts.values()) == {1}
    assert len(crew.notes) == 12
    assert crew.steps.total() == len(crew.jobs)
