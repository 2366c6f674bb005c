"""Trainings that a stop, a kill or a lost worker cuts off: the same command goes on with them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study import cell
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.once import run_once

from tests import small
from tests.study.stopping import experiment
from tests.study.test_workers import table


class Heard(Quiet):
    """Keeps all notes, and asks the process to stop in a step of a phase."""

    def __init__(self, phase: str = "", step: int = 0) -> None:
        self.notes: list[str] = []
        self.steps: Counter[str] = Counter()
        self.at, self.now = (phase, step), ""

    def note(self, text: str) -> None:
        self.notes.append(text)

    def phase(self, task: str, method: str, what: str) -> None:
        self.now = f"{method} {what}"

    def step(self, step: int, steps: int, loss: float) -> None:
        self.steps[self.now] += 1
        if (self.now, step) == self.at:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def expected(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    out = tmp_path_factory.mktemp("uninterrupted")
    return table(compare(experiment(str(checkpoint), str(out), workers=1)))


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(("phase", "step"), [("lora trial 1 of 1", 5), ("lora seed 0", 3)])
def test_a_comparison_goes_on_in_the_middle_of_a_training(
    checkpoint: Path, out: Path, expected: list[Any], phase: str, step: int
) -> None:
    settings = experiment(str(checkpoint), str(out), workers=1, save_every=60.0)
    first = Heard(phase, step)
    with pytest.raises(KeyboardInterrupt):
        compare(settings, progress=first)
    assert f"reviews lora: stopped; step {step} of" in first.notes[-1]
    (record,) = Store(out).unfinished()
    assert record.startswith("trials/" if "trial" in phase else "cells/")
    assert examine(out) == []  # a training that goes on is nothing to mend
    second = Heard()
    assert table(compare(settings, progress=second)) == expected
    assert f"reviews lora: goes on after step {step}" in second.notes
    total = {"lora trial 1 of 1": 8, "lora seed 0": 10}[phase]
    assert second.steps[phase] == total - step
    assert not (out / "unfinished").exists()
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(
    ("function", "phase", "steps"),
    [
        ("judge", "head trial 1 of 1", 8),
        ("predict", "head seed 0", 10),
        ("serve", "head seed 0", 10),
    ],
)
def test_stopped_while_it_is_judged_tested_or_timed_nothing_is_trained_again(
    checkpoint: Path,
    out: Path,
    expected: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    phase: str,
    steps: int,
) -> None:
    def stop(*arguments: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    settings = experiment(str(checkpoint), str(out), workers=1)
    first = Heard()
    with monkeypatch.context() as patch:
        patch.setattr(cell, function, stop)
        with pytest.raises(KeyboardInterrupt):
            compare(settings, progress=first)
    assert first.steps[phase] == steps
    assert len(Store(out).unfinished()) == 1
    second = Heard()
    assert table(compare(settings, progress=second)) == expected
    assert f"reviews head: goes on after step {steps}" in second.notes
    assert second.steps[phase] == 0
    assert not (out / "unfinished").exists()


@pytest.mark.usefixtures("records_only")
def test_a_training_of_other_code_begins_anew(
    checkpoint: Path, out: Path, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunebench.study.prepare_run import PreparedRun

    settings = experiment(str(checkpoint), str(out), workers=1)
    with pytest.raises(KeyboardInterrupt):
        compare(settings, progress=Heard("lora trial 1 of 1", 5))
    inner = PreparedRun.origin
    changed = {"code": "another"}
    monkeypatch.setattr(PreparedRun, "origin", lambda *arguments: {**inner(*arguments), **changed})
    second = Heard()
    compare(settings, progress=second)
    assert any("was made with other code or settings: set aside" in note for note in second.notes)
    assert second.steps["lora trial 1 of 1"] == 8
    assert not (out / "unfinished").exists()  # what was set aside is gone with it


@pytest.mark.usefixtures("records_only")
def test_memory_that_was_too_small_before_the_stop_is_too_small_after_it(
    checkpoint: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training goes on with as many examples in a pass as it had."""
    settings = experiment(str(checkpoint), str(out), workers=1, methods={"head": {}})
    fit, tried = cell.fit, []

    def small_memory(*arguments: Any, micro_batch: int | None, **named: Any) -> Any:
        tried.append(micro_batch)
        if micro_batch is None:
            raise torch.OutOfMemoryError("out of memory")
        return fit(*arguments, micro_batch=micro_batch, **named)

    monkeypatch.setattr(cell, "fit", small_memory)
    with pytest.raises(KeyboardInterrupt):
        compare(settings, progress=Heard("head seed 0", 4))
    del tried[:]
    comparison = compare(settings)
    assert tried == [4]
    assert comparison.results[0].micro_batch == 4


@pytest.mark.usefixtures("records_only")
def test_what_a_kill_left_after_the_record_was_written_is_removed(
    checkpoint: Path, out: Path
) -> None:
    settings = experiment(str(checkpoint), str(out), workers=1, methods={"head": {}})
    compare(settings)
    store = Store(out)
    (plan,) = store.plans()
    kept = store.unfinished_path(f"cells/{plan.cells[0].cell}")
    foreign = store.unfinished_path("cells/another")
    for path in (kept, foreign, kept.with_name(f".{kept.name}.0123")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert examine(out) == [
        "store: unfinished/cells/another.ckpt belongs to no comparison here: it may be deleted",
        f"store: unfinished/cells/{plan.cells[0].cell}.ckpt has a record already: "
        "the next run removes it",
    ]
    (out / "completed.json").unlink(missing_ok=True)
    compare(settings)
    assert [path.name for path in kept.parent.iterdir()] == [foreign.name]


def test_one_run_by_itself_goes_on_too(checkpoint: Path, tmp_path: Path) -> None:
    settings = small.experiment(checkpoint, tmp_path / "unused")
    task, method = settings.tasks[0], get_method("lora")
    expected = run_once(task, method(rank=2), experiment=settings)
    with pytest.raises(KeyboardInterrupt):
        run_once(
            task,
            method(rank=2),
            experiment=settings,
            out=tmp_path,
            progress=Heard("lora seed 0", 2),
        )
    second = Heard()
    row = run_once(task, method(rank=2), experiment=settings, out=tmp_path, progress=second)
    assert second.steps["lora seed 0"] == 1
    assert (row.metrics, row.curve) == (expected.metrics, expected.curve)
    assert {path.name for path in tmp_path.iterdir()} == {"adapters", "predictions"}


def stop(checkpoint: Path, out: Path, number: int) -> subprocess.CompletedProcess[str]:
    line = {"checkpoint": str(checkpoint), "out": str(out), "signal": int(number)}
    return subprocess.run(
        [sys.executable, "-m", "tests.study.stopping", json.dumps(line)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_workers_finish_their_steps_and_the_same_command_goes_on(
    checkpoint: Path, make_out: Any, expected: list[Any], number: int, code: int
) -> None:
    out = make_out()
    process = stop(checkpoint, out, number)
    assert process.returncode == code, process.stderr
    assert "stopped; the same command goes on from here" in process.stderr
    output = process.stdout + process.stderr
    assert output.count("stopped; step 3 of 8 is kept") == 2, output
    assert len(Store(out).unfinished()) == 2
    assert examine(out) == []
    second = Heard()
    comparison = compare(experiment(str(checkpoint), str(out), workers=1), progress=second)
    assert table(comparison) == expected
    assert sum("goes on after step 3" in note for note in second.notes) == 2
    assert Store(out).unfinished() == ()


@pytest.mark.slow
def test_a_worker_that_takes_over_goes_on_where_the_lost_one_was(
    checkpoint: Path, make_out: Any, expected: list[Any]
) -> None:
    out = make_out()
    process = stop(checkpoint, out, signal.SIGKILL)
    assert process.returncode == 0, process.stderr
    output = process.stdout + process.stderr
    assert "another process takes it over" in output
    assert "goes on after step 2" in output
    steps = (out / "steps.txt").read_text().splitlines()
    assert len(steps) == 2 * (8 + 10) + 1  # the third step of one of them is done again
    assert table(compare(experiment(str(checkpoint), str(out), workers=1))) == expected
