"""An executor is one file: where jobs run and in which order they end changes no figure."""

import dataclasses
import re
from pathlib import Path

import pytest
from tunebench.config import Experiment, SearchSettings
from tunebench.errors import UnknownName, UserError
from tunebench.records import Comparison, TrainingCost
from tunebench.store.store import Store
from tunebench.study import executors
from tunebench.study.checks import check_run_settings
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.executors import get_executor, names
from tunebench.study.executors.base import Executor

from tests import small

TOY = '''
"""Runs what became ready last first; each job travels as text, each record through pickle."""

import pickle

from tunebench.study.jobs import Job

ORDER = []


class Backwards:
    workers = 1

    def __init__(self, experiment):
        pass

    def close(self):
        pass

    def run(self, ready, execute):
        while jobs := list(ready()):
            job = Job.from_json(jobs[-1].to_json())
            ORDER.append(job.name)
            yield job, pickle.loads(pickle.dumps(execute(job)))


EXECUTOR = Backwards
'''
THREAD = '''
"""Has every ready job under way at once, though one thread runs them, and waits for the last."""

from concurrent.futures import ThreadPoolExecutor


class Threaded:
    workers = 1

    def __init__(self, experiment):
        pass

    def close(self):
        pass

    def run(self, ready, execute):
        started = {}
        with ThreadPoolExecutor(max_workers=1) as pool:
            while True:
                for job in ready():
                    if job.name not in started:
                        started[job.name] = (job, pool.submit(execute, job))
                waiting = [entry for entry in started.values() if entry is not None]
                if not waiting:
                    return
                job, future = waiting[-1]
                started[job.name] = None
                yield job, future.result()


EXECUTOR = Threaded
'''


@pytest.fixture
def toys(tmp_path, monkeypatch) -> Path:
    """Two executors in a folder of their own, beside the registry's."""
    folder = tmp_path / "executors"
    folder.mkdir()
    (folder / "backwards.py").write_text(TOY)
    (folder / "threaded.py").write_text(THREAD)
    monkeypatch.setattr(executors, "__path__", [*executors.__path__, str(folder)])
    return folder


def table(comparison: Comparison) -> list[object]:
    """All that does not tell the time."""
    measured = {"train_seconds": None, "peak_memory_mib": None, "latency_ms": None}
    rows = [
        dataclasses.replace(row, **measured, latency=(), cost=TrainingCost(), finished="")
        for row in comparison.results
    ]
    trials = [
        dataclasses.replace(trial, seconds=0.0, cost=TrainingCost()) for trial in comparison.trials
    ]
    return [comparison.id, rows, trials, comparison.references]


@pytest.mark.usefixtures("records_only")
def test_a_comparison_is_the_same_whoever_runs_it_and_whatever_ends_first(
    checkpoint, make_out, toys
):
    search = SearchSettings(trials=6, trial_epochs=1, epochs=1)

    def run(name: str) -> list[object]:
        out = make_out(name)
        experiment = small.experiment(
            checkpoint, out, search=search, seeds=(0, 1), executor=name, methods={"lora": {}}
        )
        comparison = compare(experiment)
        assert {row.status for row in comparison.results} == {"complete"}
        assert examine(out) == []
        assert Store(out).damaged() == []
        return table(comparison)

    expected = run("in_process")
    assert run("backwards") == expected
    assert run("threaded") == expected
    assert run("processes") == expected


def test_the_registry_is_the_folder_and_an_unknown_name_lists_it(toys):
    assert names() == ("backwards", "in_process", "processes", "ray", "threaded")
    assert isinstance(get_executor("in_process"), Executor)
    with pytest.raises(UnknownName, match=r"unknown executor 'dask' \(known: backwards, in_pro"):
        get_executor("dask")


@pytest.mark.usefixtures("ray_is_here")
@pytest.mark.parametrize("name", names())
def test_how_many_jobs_run_at_a_time_is_as_asked_where_they_have_processes(name):
    executor = get_executor(name, Experiment(workers=3))
    assert isinstance(executor, Executor)
    assert executor.workers == (1 if name == "in_process" else 3)
    executor.close()


def test_an_executor_whose_package_is_missing_says_what_to_install(package_of_ray):
    package_of_ray("no_such_package")
    with pytest.raises(UserError) as raised:
        check_run_settings(Experiment(executor="ray"))
    assert str(raised.value) == (
        "executor: ray needs no_such_package, which is not here: "
        "pip install 'tunebench[no_such_package]'"
    )


@pytest.mark.usefixtures("ray_is_here")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"address": "head:6379"}, "address: goes with executor ray"),
        ({"gpus": 0.5, "executor": "processes"}, "gpus: goes with executor ray"),
        ({"gpus": 1.5, "executor": "ray"}, "gpus: must be a part of one, or whole, but got 1.5"),
        ({"gpus": -1.0, "executor": "ray"}, "gpus: must be >= 0"),
    ],
)
def test_settings_of_a_cluster_are_for_one_and_fit(settings, message):
    with pytest.raises(UserError, match=re.escape(message)):
        check_run_settings(Experiment(**settings))
    check_run_settings(Experiment(executor="ray", gpus=0.25, address="auto"))


def test_an_unknown_executor_is_told_before_anything_is_loaded(checkpoint, out):
    experiment = small.experiment(checkpoint, out, executor="in_proces")
    with pytest.raises(UserError, match="did you mean 'in_process'"):
        compare(experiment)
    assert not (out / "comparisons").exists()
