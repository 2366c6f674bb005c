"""A run that was killed at any moment ends, when it is typed again, in the same table."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import pytest
from mlflow.tracking import MlflowClient
from tunebench.files import busy
from tunebench.records import TrainingCost
from tunebench.store.store import Store
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.tracking.differ import KEY

from tests import small

MEASURED = {
    "train_seconds": None,
    "peak_memory_mib": None,
    "latency_ms": None,
    "latency": (),
    "cost": TrainingCost(),
    "finished": "",
}
FAST = [("file", 5), ("add", 1)]
SLOW = [
    *(("file", count) for count in (1, 2, 3, 4, *range(6, 21))),
    *(("step", count) for count in (1, 2, 3, 4, 5, 6)),
    *(("ask", 1), ("ask", 2), ("add", 2), ("add", 3), ("add", 4)),
    *(("run", count) for count in range(1, 9)),
    ("report", 1),
]


@pytest.fixture(scope="module")
def mortal():
    """A process whose children run a comparison and die."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.study.killing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.fixture
def run_until(mortal, checkpoint):
    """Runs a comparison until a moment; returns its wait status."""

    def run(out, event, count, number=signal.SIGKILL):
        line = {"checkpoint": str(checkpoint), "out": str(out), "event": event, "count": count}
        mortal.stdin.write(json.dumps(line | {"signal": int(number)}) + "\n")
        mortal.stdin.flush()
        return int(mortal.stdout.readline())

    return run


@pytest.fixture(scope="module")
def quiet_lightning(checkpoint, databases, tmp_path_factory):
    out = tmp_path_factory.mktemp("quiet_lightning")
    for file in databases.iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    return compare(small.experiment(checkpoint, out))


def table(comparison):
    rows = [dataclasses.replace(row, **MEASURED) for row in comparison.results]
    trials = [
        dataclasses.replace(trial, seconds=0.0, cost=TrainingCost()) for trial in comparison.trials
    ]
    return rows, trials, comparison.references


def heals(checkpoint, out, quiet_lightning):
    """The same command again: the same table, each run once, nothing for the doctor to find."""
    assert not busy(out)
    comparison = compare(small.experiment(checkpoint, out))
    assert table(comparison) == table(quiet_lightning)
    assert examine(out) == []
    assert Store(out).damaged() == []
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    ids = [e.experiment_id for e in client.search_experiments()]
    keys = [run.data.tags[KEY] for run in client.search_runs(ids, max_results=100)]
    assert len(keys) == len(set(keys)) == 1 + 2 * 3


@pytest.mark.parametrize(("event", "count"), FAST)
def test_a_killed_run_ends_in_the_same_table(
    run_until, checkpoint, make_out, quiet_lightning, event, count
):
    out = make_out()
    assert os.WTERMSIG(run_until(out, event, count)) == signal.SIGKILL
    assert examine(out) if Store(out).plan() else not (out / "latest").exists()
    heals(checkpoint, out, quiet_lightning)


@pytest.mark.slow
@pytest.mark.parametrize(("event", "count"), SLOW)
def test_a_run_killed_at_any_other_moment_ends_in_the_same_table(
    run_until, checkpoint, make_out, quiet_lightning, event, count
):
    out = make_out()
    status = run_until(out, event, count)
    assert os.WIFSIGNALED(status), "the moment never came"
    heals(checkpoint, out, quiet_lightning)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_in_the_same_table(
    run_until, checkpoint, make_out, quiet_lightning
):
    out = make_out()
    deaths = 0
    for event, count in [("file", 3), ("add", 1), ("step", 1), ("file", 6), ("run", 2)] * 2:
        deaths += os.WIFSIGNALED(run_until(out, event, count))
    assert deaths >= 5
    heals(checkpoint, out, quiet_lightning)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_asked_to_stop_says_so_by_its_exit_code(
    run_until, checkpoint, make_out, quiet_lightning, number, code
):
    out = make_out()
    status = run_until(out, "step", 3, number)
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == code
    assert (out / "report.html").is_file()
    assert examine(out) == []
    heals(checkpoint, out, quiet_lightning)
