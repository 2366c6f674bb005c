"""`train.devices`: comparisons whose trainings have two processes each, and what is refused."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing import active_children

import pytest
import torch
from tunebench import Experiment
from tunebench.config import TrainSettings
from tunebench.errors import UserError
from tunebench.progress import Quiet
from tunebench.records import Result
from tunebench.store.store import PlannedCell, Store
from tunebench.study.checks import check_run_settings
from tunebench.study.compare import compare
from tunebench.study.jobs import cell_job, execute
from tunebench.study.plan import study_of
from tunebench.study.prepare_run import prepare_run, usable_cores, workers_of
from tunebench.training.device import device_of
from tunebench.training.environment import environment

from tests import small

TWO = TrainSettings(batch_size=15, accelerator="cpu", threads=1, head_dropout=0.0, devices=2)


class Killing(Quiet):  # type: ignore[misc]
    """Ends the other process while a step is under way."""

    def step(self, step: int, steps: int, loss: float) -> None:
        for other in active_children():
            assert other.pid is not None
            os.kill(other.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.usefixtures("records_only")
def test_a_comparison_has_the_rows_that_one_process_makes(checkpoint, make_out):
    """By worker processes, which start the others themselves."""
    settings = {"methods": {"lora": {}}, "workers": 2}
    one, two = (
        compare(
            small.experiment(
                checkpoint, make_out(str(devices)), train=replace(TWO, devices=devices), **settings
            )
        )
        for devices in (1, 2)
    )
    (row,), (expected,) = two.results, one.results
    assert (row.status, row.cell, row.study) == ("complete", expected.cell, expected.study)
    assert row.score == pytest.approx(expected.score)
    assert (row.environment["devices"], "devices" in expected.environment) == ("2", False)


@pytest.mark.slow
def test_a_process_that_is_killed_makes_a_row_that_is_tried_again(checkpoint, tmp_path):
    run = prepare_run(small.experiment(checkpoint, tmp_path, train=TWO), Store(tmp_path), Killing())
    (task,) = run.tasks
    cell = PlannedCell("cell-0123456789ab", "study-0123456789ab", task, "lora", 0)
    row = execute(replace(cell_job(cell, ()), hyperparameters={}), run)
    assert isinstance(row, Result)
    assert (row.status, row.failure) == ("error", "transient")
    assert row.reason == "RankLostError: rank 1 ended by signal 9"
    assert not active_children()


def test_the_name_of_a_study_does_not_depend_on_it(checkpoint, tmp_path):
    experiment = small.experiment(checkpoint, tmp_path, train=replace(TWO, devices=1))
    run = prepare_run(experiment, Store(tmp_path), Quiet())
    (prepared,) = run.tasks.values()
    names = {
        study_of(replace(experiment, train=replace(TWO, devices=n)), prepared, "lora", "digest")
        for n in (1, 2, 3)
    }
    assert len(names) == 1


def test_a_record_says_it_where_there_are_several():
    device = torch.device("cpu")
    assert environment({}, device, 2) == environment({}, device) | {"devices": "2"}


@pytest.mark.parametrize(("devices", "share"), [(1, 1), (2, 2), (1000, 10**6)])
def test_workers_share_the_cores(devices, share):
    settings = replace(TWO, devices=devices)
    assert workers_of(Experiment(train=settings)) == max(1, usable_cores() // share)
    assert workers_of(Experiment(train=settings, workers=3)) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": TrainSettings(devices=0)}, r"^train\.devices: must be >= 1, but got 0$"),
        (
            {"train": TrainSettings(batch_size=4, devices=5)},
            r"^train\.devices: must be at most train\.batch_size, .* but got \(5 > 4\)$",
        ),
    ],
)
def test_what_no_machine_can_do_is_refused_in_one_line(tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        check_run_settings(Experiment(out=str(tmp_path), **settings))


def test_ray_gives_each_training_one_process(tmp_path):
    pytest.importorskip("ray", reason="an extra")
    with pytest.raises(UserError, match=r"^train\.devices: must be 1 with executor ray, .*got 2$"):
        check_run_settings(Experiment(out=str(tmp_path), executor="ray", train=TWO))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cuda", r"^train\.devices: must be at most the GPUs that are here, .*\(2 > 1\)$"),
        ("mps", r"^train\.devices: must be 1 on mps .*but got 2$"),
    ],
)
def test_what_this_machine_cannot_do_is_refused_in_one_line(monkeypatch, kind, message):
    from tunebench.training import device

    class Strategy:
        root_device = torch.device(kind, 0)

    class Trainer:
        strategy = Strategy()

        def __init__(self, **settings: object) -> None:
            pass

    monkeypatch.setattr(device, "Trainer", Trainer)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=message):
        device_of(Experiment(train=replace(TWO, accelerator="auto")))
