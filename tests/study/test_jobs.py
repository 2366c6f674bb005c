"""Jobs are plain data, and whatever goes wrong in one of them is its own row."""

import csv as python_csv
import errno
import importlib
import json
import pickle
import sys
from dataclasses import replace

import pytest
import torch
from tunebench import methods
from tunebench.__main__ import main
from tunebench.analysis import analyse
from tunebench.cli import comparing
from tunebench.config import SearchSettings, TrainSettings
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.records import Latency, Result, Trial
from tunebench.report import csv
from tunebench.store.store import PlannedCell, Store
from tunebench.study import attempt, cell
from tunebench.study.compare import compare
from tunebench.study.jobs import (
    RANDOM_TRIALS,
    Job,
    baseline_job,
    cell_job,
    execute,
    non_finite,
    plain,
    trial_jobs,
)
from tunebench.study.prepare_run import prepare_run
from tunebench.training.classifier import Classifier

from tests import small

ONE = SearchSettings(trials=1, trial_epochs=1, epochs=1)


def study_of_six():
    trials = tuple(trial_jobs("sst2-lora-1", "sst2", "lora", 3, 6))
    planned = PlannedCell("sst2-lora-seed0-1", "sst2-lora-1", "sst2", "lora", 0)
    return trials, cell_job(planned, trials)


def test_the_first_trials_are_independent_the_later_ones_need_all_before_and_a_cell_needs_all():
    trials, row = study_of_six()
    names = [job.name for job in trials]
    assert RANDOM_TRIALS == 4
    assert [job.needs for job in trials] == [(), (), (), (), tuple(names[:4]), tuple(names[:5])]
    assert row.needs == tuple(names)
    assert row.writes == "cells/sst2-lora-seed0-1"
    assert trials[5].writes == "trials/sst2-lora-1/0005"
    assert baseline_job("sst2").needs == ()
    more = list(trial_jobs("sst2-lora-1", "sst2", "lora", 3, 6, random_trials=5))
    assert [len(job.needs) for job in more] == [0, 0, 0, 0, 0, 5]


def test_a_job_says_what_it_is_for():
    planned = PlannedCell("c", "s", "t", "m", 7)
    (trial,) = trial_jobs("s", "t", "m", 5, 1)
    assert trial == Job(
        kind="trial",
        name="s/0",
        task="t",
        method="m",
        seed=5,
        study="s",
        number=0,
        needs=(),
        writes="trials/s/0000",
    )
    assert cell_job(planned, (trial,)) == Job(
        kind="cell",
        name="c",
        task="t",
        method="m",
        seed=7,
        study="s",
        needs=("s/0",),
        writes="cells/c",
    )
    assert baseline_job("t") == Job(
        kind="baselines", name="t/baselines", task="t", writes="untrained"
    )
    for made in (trial, cell_job(planned, (trial,)), baseline_job("t")):
        assert (made.hyperparameters, made.validation_score, made.status) == (None, None, None)


@pytest.mark.parametrize(
    "job",
    [
        *study_of_six()[0],
        study_of_six()[1],
        baseline_job("sst2"),
        replace(
            study_of_six()[1],
            hyperparameters=plain({"lr": 0.1 + 0.2, "targets": ("q", "v"), "rank": 8}),
            number=3,
            validation_score=1 / 3,
        ),
        replace(study_of_six()[1], status="diverged", reason="0 of 1 trials complete: loss is nan"),
    ],
)
def test_a_job_survives_json_and_pickle(job):
    assert Job.from_json(job.to_json()) == job
    assert Job.from_json(json.dumps(json.loads(job.to_json()))) == job
    assert pickle.loads(pickle.dumps(job)) == job
    assert hash(job.name) == hash(Job.from_json(job.to_json()).name)


def test_the_first_number_that_is_none_is_named_by_its_place():
    row = Result("c", "s", "t", "m", 0, "complete")
    assert non_finite(row) is None
    assert non_finite(replace(row, metrics={"f1": float("nan")})) == "metrics.f1 is nan"
    timed = Latency(1, 8, 1.0, 2.0, float("inf"), 3)
    assert non_finite(replace(row, latency=(timed,))) == "latency.0.ratio is inf"
    assert non_finite(Trial("s", 0, "complete", {"lr": float("-inf")}, 0.5, 0.0)) is not None


def exits(*arguments, **named):
    sys.exit("goodbye")


def breaks(*arguments, **named):
    raise KeyError("weight")


def not_a_number(*arguments, **named):
    return (Latency(1, 8, float("nan"), 1.0, 1.0, 3),)


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(
    ("name", "fault", "reason"),
    [
        ("prepare", exits, "SystemExit: goodbye"),
        ("prepare", breaks, "KeyError: 'weight'"),
        ("plugs", exits, "SystemExit: goodbye"),
        ("plugs", breaks, "KeyError: 'weight'"),
        ("on_train_batch_start", exits, "SystemExit: goodbye"),
        ("on_train_batch_start", breaks, "KeyError: 'weight'"),
        ("save", breaks, "KeyError: 'weight'"),
        ("save", exits, "SystemExit: goodbye"),
        ("fold", breaks, "KeyError: 'weight'"),
        ("hyperparameters", breaks, "KeyError: 'weight'"),
    ],
)
def test_any_fault_of_a_method_is_its_row_with_its_reason_and_the_others_run(
    checkpoint, out, monkeypatch, name, fault, reason
):
    monkeypatch.setattr(get_method("lora"), name, fault)
    for _ in range(2):
        lora, head = compare(
            small.experiment(checkpoint, out, methods={"lora": {}, "head": {}}, search=ONE)
        ).results
        assert (lora.status, lora.failure or "deterministic") == ("error", "deterministic")
        assert lora.reason.endswith(reason)
        assert head.status == "complete"
        assert Store(out).damaged() == []


@pytest.mark.usefixtures("records_only")
def test_a_figure_that_is_not_finite_makes_a_row_without_figures(checkpoint, out, monkeypatch):
    monkeypatch.setattr(cell, "serve", not_a_number)
    (row,) = compare(small.experiment(checkpoint, out, methods={"head": {}})).results
    assert (row.status, row.score) == ("diverged", None)
    assert row.reason == "latency_ms is nan"


@pytest.mark.usefixtures("records_only")
def test_a_method_that_exits_makes_the_program_end_with_1(checkpoint, out, monkeypatch, capsys):
    monkeypatch.setattr(get_method("lora"), "on_train_batch_start", exits)
    experiment = small.experiment(checkpoint, out)
    monkeypatch.setattr(comparing, "_experiment", lambda line: experiment)
    assert main(["compare", "sentiment"]) == 1
    printed = capsys.readouterr()
    assert "goodbye" in printed.out
    assert "Traceback" not in printed.err


def interrupted(*arguments, **named):
    raise KeyboardInterrupt


def test_ctrl_c_in_training_is_a_keyboard_interrupt_for_whoever_called(
    checkpoint, tmp_path, monkeypatch
):
    experiment = small.experiment(checkpoint, tmp_path)
    monkeypatch.setattr(get_method("lora"), "on_train_batch_start", interrupted)
    run = prepare_run(experiment, Store(tmp_path), Quiet())
    (task,) = run.tasks
    job = replace(
        cell_job(PlannedCell("c", "s", task, "lora", 0), ()),
        hyperparameters=plain(get_method("lora")().hyperparameters()),
    )
    with pytest.raises(KeyboardInterrupt):
        execute(job, run)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "transient"),
        (torch.OutOfMemoryError("CUDA out of memory"), "transient"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "transient"),
        (OSError(errno.ENOSPC, "No space left on device"), "transient"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "transient"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "deterministic"),
        (OSError(errno.ENOENT, "No such file"), "deterministic"),
        (UserError("`1 <= rank` must hold"), "deterministic"),
        (SystemExit(1), "deterministic"),
    ],
)
def test_what_the_machine_lacked_is_transient_and_all_else_is_not(error, expected):
    assert attempt.failure_class(error) == expected
    wrapped = UserError("cannot write it")
    wrapped.__cause__ = error
    assert attempt.failure_class(wrapped) == expected


def test_a_cpu_that_is_asked_for_more_memory_than_there_is_says_so_as_we_know_it():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert attempt.failure_class(raised.value) == "transient"


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize("method", ["head", "lora"])
def test_where_memory_is_short_a_batch_goes_through_in_parts_and_gives_the_same(
    checkpoint, make_out, monkeypatch, method
):
    def run(name, most):
        step = Classifier.training_step

        def scarce(self, batch, batch_idx=0):
            if len(batch.labels) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return step(self, batch, batch_idx)

        train = TrainSettings(batch_size=7, head_dropout=0.0, accelerator="cpu")
        with monkeypatch.context() as patch:
            patch.setattr(Classifier, "training_step", scarce)
            out = make_out(name)
            comparison = compare(
                small.experiment(checkpoint, out, methods={method: {}}, search=ONE, train=train)
            )
        (line,) = python_csv.DictReader(csv.text(analyse(comparison), {}).splitlines())
        return comparison, line["micro_batch"]

    (whole, plain_column), (parts, column) = run("whole", 100), run("parts", 2)
    assert (plain_column, column) == ("", "2")
    assert {one.micro_batch for one in (*whole.trials, *whole.results)} == {None}
    assert {one.micro_batch for one in (*parts.trials, *parts.results)} == {2}
    (in_parts,), (in_one,) = parts.results, whole.results
    assert in_parts.curve.steps == in_one.curve.steps
    assert in_parts.curve.loss == pytest.approx(in_one.curve.loss, rel=1e-4)
    (row,) = analyse(parts).tasks[0].rows[:1]
    assert row.remarks == ("micro-batch 2: memory was too small for a whole batch",)


@pytest.mark.usefixtures("records_only")
def test_where_not_even_one_example_fits_the_failure_is_told_and_transient(
    checkpoint, out, monkeypatch
):
    sizes = []

    def full(*arguments, micro_batch=None, **named):
        sizes.append(micro_batch)
        raise MemoryError("no room")

    monkeypatch.setattr(cell, "fit", full)
    train = TrainSettings(batch_size=5, accelerator="cpu")
    (row,) = compare(small.experiment(checkpoint, out, methods={"head": {}}, train=train)).results
    assert sizes == [None, 3, 2, 1]
    assert (row.status, row.reason) == ("error", "0 of 1 trials complete: MemoryError: no room")
    (trial,) = Store(out).all_trials(row.study)
    assert trial.failure == "transient"


@pytest.mark.usefixtures("records_only")
def test_a_transient_failure_is_tried_again_by_the_next_start_and_a_deterministic_one_is_not(
    checkpoint, out, monkeypatch
):
    experiment = small.experiment(
        checkpoint,
        out,
        methods={"head": {}},
        search=SearchSettings(trials=3, trial_epochs=1, epochs=2),
    )
    inner, calls = cell.fit, []

    def scarce(*arguments, epochs, **named):
        calls.append(epochs)
        if epochs == 1 and len(calls) == 1:
            raise OSError(errno.ENOSPC, "no room")
        if epochs == 1 and len(calls) == 2:
            raise ValueError("no sense")
        return inner(*arguments, epochs=epochs, **named)

    monkeypatch.setattr(cell, "fit", scarce)
    first = compare(experiment)
    assert calls == [1, 1, 1, 2]
    assert [t.failure for t in first.trials] == ["transient", "deterministic", ""]
    (row,) = analyse(first).tasks[0].rows[:1]
    assert row.remarks == (
        "2 of 3 trials failed (OSError: [Errno 28] no room; ValueError: no sense); "
        "1 of them runs again with the next start",
    )
    calls[:] = [0, 0]
    second = compare(experiment)
    assert calls[2:] in ([1], [1, 2]), "the transient one again, and the winner where it changed"
    assert [t.failure for t in second.trials] == ["", "deterministic", ""]
    best = max(second.trials, key=lambda t: (t.score or 0.0, -t.number))
    assert second.results[0].best_trial == best.number
    calls[:] = [0, 0]
    assert compare(experiment).results == second.results
    assert calls[2:] == []


POISON = {
    "made": "    def __post_init__(self):\n        raise OSError(2, 'no such thing')",
    "stopped": "    def attach(self, *a, **k):\n        raise GeneratorExit('stopped')",
    "exits": "    def setup(self, *a, **k):\n        import sys\n        sys.exit(0)",
    "not_a_number": "    mine: float = float('nan')",
}


@pytest.fixture
def strangers(tmp_path, monkeypatch):
    """Methods of somebody else, each with a fault of its own, in a folder beside ours."""
    folder = tmp_path / "strangers"
    folder.mkdir()
    for name, body in POISON.items():
        (folder / f"poison_{name}.py").write_text(
            "from dataclasses import dataclass\n\nfrom tunebench.methods.lora import LoRA\n\n\n"
            f"@dataclass(eq=False)\nclass Poison(LoRA):\n{body}\n\n\nMETHOD = Poison\n"
        )
    (folder / "poison_import.py").write_text("import sys\n\nsys.exit(0)\n")
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(folder)])
    importlib.invalidate_caches()


@pytest.mark.usefixtures("records_only", "strangers")
def test_a_stranger_s_method_poisons_its_own_row_alone_and_no_later_start(checkpoint, out):
    names = [f"poison_{name}" for name in POISON]
    experiment = small.experiment(
        checkpoint, out, methods={name: {} for name in [*names, "head"]}, search=ONE
    )
    reasons = ("FileNotFoundError", "GeneratorExit", "SystemExit", "params.mine is nan")
    for _ in range(2):
        *poisoned, head = compare(experiment).results
        assert head.status == "complete"
        assert len(poisoned) == len(reasons)
        for row, reason in zip(poisoned, reasons, strict=True):
            assert row.status in ("error", "diverged")
            assert reason in row.reason
        assert Store(out).damaged() == []


@pytest.mark.usefixtures("strangers")
def test_a_file_that_fails_when_it_is_imported_is_named_in_one_line(checkpoint, out):
    with pytest.raises(UserError, match=r"method 'poison_import': its file cannot be imported"):
        compare(small.experiment(checkpoint, out, methods={"poison_import": {}}))
