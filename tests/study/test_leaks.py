"""Planted leaks: test rows that select, train, or are kept by a method or an objective."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tunebench.__main__ import main
from tunebench.baselines import bag_of_words
from tunebench.data.leaks import LeakError
from tunebench.methods import get_method
from tunebench.objectives import get_objective
from tunebench.objectives.classification import Classification
from tunebench.progress import Quiet
from tunebench.records import Result, Trial
from tunebench.store.store import Plan, PlannedCell, Store
from tunebench.study import cell as cells
from tunebench.study import doctor
from tunebench.study.jobs import Job, baseline_job, cell_job, execute
from tunebench.study.prepare_run import PreparedRun, prepare_run
from tunebench.training import prepare as preparing
from tunebench.training.fit import build, judge
from tunebench.training.prepare import Prepared

from tests import small

LayerNorm: Any = get_method("layer_norm")


class LearnsWhileItAnswers(LayerNorm):  # type: ignore[misc]
    """A method that moves a trained weight with every text that it is asked about."""

    name = "learns"

    def attach(self, backbone: Any) -> None:
        """Have a norm changed whenever it is used and nothing trains."""
        super().attach(backbone)

        def learn(norm: torch.nn.Module, inputs: Any) -> None:
            if not norm.training:
                with torch.no_grad():
                    next(norm.parameters()).add_(0.01)

        norm = next(m for m in backbone.modules() if isinstance(m, torch.nn.LayerNorm))
        norm.register_forward_pre_hook(learn)


class KeepsLabels(Classification):
    """An objective that remembers what it scored."""

    def __init__(self) -> None:
        """Nothing was scored yet."""
        self.seen: list[Any] = []

    def score(self, task: Any, answers: Any, labels: Any) -> dict[str, float]:
        """Also keep the labels."""
        self.seen = list(labels)
        return super().score(task, answers, labels)


@pytest.fixture(scope="module")
def run(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedRun:
    """Forty reviews with thirty to test, nothing trained."""
    out = tmp_path_factory.mktemp("runs")
    methods = [get_method("head")(), LearnsWhileItAnswers()]
    return prepare_run(small.experiment(checkpoint, out), Store(out), Quiet(), methods=methods)


@pytest.fixture
def prepared(run: PreparedRun) -> Prepared:
    return run.tasks["reviews"]


def job(kind: str, method: str) -> Job:
    """A trial or a cell with the method's defaults."""
    settings = {"lr": 0.001}
    if kind == "cell":
        planned = PlannedCell(f"reviews-{method}", "study", "reviews", method, 0)
        return dataclasses.replace(cell_job(planned, ()), hyperparameters=settings, number=0)
    return Job("trial", "study/0", "reviews", method, 0, "study", 0, hyperparameters=settings)


def test_a_test_split_cannot_be_handed_in_as_validation(prepared: Prepared) -> None:
    with pytest.raises(LeakError, match="30 test rows stand among the validation rows too"):
        dataclasses.replace(prepared, validation=prepared.test)
    mixed = prepared.validation.joined(prepared.test)
    with pytest.raises(LeakError, match="among the validation rows"):
        dataclasses.replace(prepared, validation=mixed)


def test_test_rows_cannot_be_trained_on(prepared: Prepared) -> None:
    with pytest.raises(LeakError, match="among the training rows"):
        dataclasses.replace(prepared, fit=prepared.fit.joined(prepared.test))


def test_what_searches_and_what_trains_holds_no_test_row(prepared: Prepared) -> None:
    for part in (prepared.for_search(), prepared.whole()):
        assert [len(part.test.rows), len(part.data.test), len(part.test.encoded)] == [0, 0, 0]
        assert (part.extra, part.data.extra_tests) == ({}, {})
    assert prepared.for_search().selecting.rows == prepared.validation.rows
    both = (*prepared.fit.rows.ids, *prepared.validation.rows.ids)
    assert prepared.whole().fit.rows.ids == both


def test_nothing_is_selected_once_the_validation_rows_train(
    run: PreparedRun, prepared: Prepared
) -> None:
    base, experiment = run.context.base_model, run.context.experiment
    classifier = build(base, prepared, experiment, lr=0.1, seed=0, head_only=True)
    assert 0 <= judge(classifier, prepared.for_search()) <= 1
    with pytest.raises(LeakError, match="nothing more can be selected"):
        judge(classifier, prepared.whole())


def test_trials_and_winners_are_trained_without_the_test_rows_in_reach(
    run: PreparedRun, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[Prepared] = []
    inner = cells.fit

    def fit(base: Any, method: Any, handed_in: Prepared, *rest: Any, **named: Any) -> Any:
        handed.append(handed_in)
        return inner(base, method, handed_in, *rest, **named)

    monkeypatch.setattr(cells, "fit", fit)
    trial, result = execute(job("trial", "head"), run), execute(job("cell", "head"), run)
    assert isinstance(trial, Trial)
    assert isinstance(result, Result)
    assert [len(one.test.rows) for one in handed] == [0, 0]
    assert (trial.status, result.status) == ("complete", "complete")
    # What was used stands in the records, as digests that only equal rows have.
    assert trial.splits["validation"] == result.splits["validation"] == prepared.validation.digest
    assert "test" not in trial.splits
    assert result.splits["test"] == prepared.test.digest
    assert len({*trial.splits.values(), *result.splits.values()}) == 4


def test_a_method_that_learns_from_the_test_rows_ends_without_a_score(run: PreparedRun) -> None:
    record = execute(job("cell", "learns"), run)
    assert isinstance(record, Result)
    assert (record.status, record.score) == ("error", None)
    assert "changed while the test rows were answered" in record.reason


def test_an_objective_that_keeps_test_labels_ends_without_a_score(
    run: PreparedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = KeepsLabels()
    for module in (preparing, bag_of_words):
        monkeypatch.setattr(module, "get_objective", lambda name: objective)
    with pytest.raises(LeakError, match="changed its 'seen' while the test rows were scored"):
        execute(baseline_job("reviews"), run)
    objective.seen = []
    record = execute(job("cell", "head"), run)
    assert isinstance(record, Result)
    assert (record.status, record.score) == ("error", None)
    assert "an objective keeps nothing" in record.reason


def test_the_objectives_that_are_here_keep_nothing(run: PreparedRun) -> None:
    assert execute(baseline_job("reviews"), run)
    assert vars(get_objective("classification")) == {}


def test_a_test_file_that_is_the_training_file_is_one_sentence(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(checkpoint / "reviews.tsv")
    arguments = [
        "compare",
        file,
        "--test",
        file,
        "--backbone",
        str(checkpoint),
        "--methods",
        "head",
    ]
    for dry in ([], ["--dry-run"]):
        assert main([*arguments, *dry, "--out", str(tmp_path / "runs")]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert line.startswith("tunebench: task 'reviews': every test row (of 40) also stands in")


def altered(out: Path, cell: str, **changes: Any) -> None:
    """A cell's record with other splits, whole and with its digest."""
    store = Store(out)
    result = store.result(cell)
    assert result is not None
    store.put_result(dataclasses.replace(result, splits={**result.splits, **changes}))


def test_the_doctor_names_records_of_other_rows(run: PreparedRun, tmp_path: Path) -> None:
    store = run.context.store
    trial, result = execute(job("trial", "head"), run), execute(job("cell", "head"), run)
    assert isinstance(trial, Trial)
    assert isinstance(result, Result)
    store.put_trial(trial)
    store.put_result(result)
    planned = PlannedCell(result.cell, "study", "reviews", "head", 0)
    plan = Plan(
        "made", {}, ("reviews",), ("head",), (0,), 1, {}, {}, (planned,), (), (), "", "2026"
    )
    assert list(doctor._splits(store, (plan,))) == []
    name = f"store: {result.cell}"
    tests, selected = result.splits["test"], result.splits["validation"]
    altered(store.out, result.cell, test="0" * 16)
    (line,) = doctor._splits(store, (plan,))
    assert line == f"{name} was tested on other rows than its record names"
    altered(store.out, result.cell, test=selected)
    assert f"{name} was selected on the rows that it was tested on" in [
        *doctor._splits(store, (plan,))
    ]
    altered(store.out, result.cell, test=tests, validation="1" * 16)
    (line,) = doctor._splits(store, (plan,))
    assert line == f"{name}: trials [0] were judged on other rows than its record names"
    assert json.loads((store.out / "cells" / f"{result.cell}.json").read_text())["record"]["splits"]
