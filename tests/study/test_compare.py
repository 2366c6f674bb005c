"""A whole comparison: what is there afterwards, and what a second one adds."""

import csv
import dataclasses
import json

import pyarrow.parquet as pq
import pytest
import torch
from mlflow.tracking import MlflowClient
from safetensors import safe_open
from safetensors.torch import load_file
from tunebench.analysis import analyse
from tunebench.config import DataSettings, SearchSettings
from tunebench.errors import UserError
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study import cell, completed, prepare_run
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.plan import assemble
from tunebench.study.publish import rebuild
from tunebench.training import fit

from tests import small

POCKET = DataSettings(source="pocket", max_length=32)


def snapshot(out):
    """Every record and file of the store, by name."""
    folders = ("trials", "cells", "adapters", "predictions")
    paths = [path for name in folders for path in (out / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def counted(monkeypatch):
    """Counts training runs as (method, epochs, seed)."""
    calls, inner = [], cell.fit

    def spy(base_model, method, prepared, experiment, *, epochs, seed, **named):
        calls.append((method.name, epochs, seed))
        return inner(base_model, method, prepared, experiment, epochs=epochs, seed=seed, **named)

    monkeypatch.setattr(cell, "fit", spy)
    return calls


def refuse(*arguments, **named):
    raise AssertionError("something was trained")


def test_a_comparison_fills_store_mlflow_and_report_and_a_second_one_trains_nothing(
    checkpoint, out, monkeypatch
):
    experiment = small.experiment(checkpoint, out)
    comparison = compare(experiment, command="tunebench compare sentiment")
    assert [(r.method, r.status) for r in comparison.results] == [
        ("head", "complete"),
        ("lora", "complete"),
    ]
    assert Store(out).damaged() == []
    for row in comparison.results:
        assert Store(out).result(row.cell) == row
        table = pq.read_table(out / row.predictions)
        assert table.num_rows == row.test_examples == 30
        right = sum(
            a == b
            for a, b in zip(
                table["label"].to_pylist(), table["prediction"].to_pylist(), strict=True
            )
        )
        assert row.accuracy == row.score == right / 30
        kept = sum(tensor.numel() for tensor in load_file(out / row.adapter).values())
        assert kept == row.trainable_params_with_head
        with safe_open(out / row.adapter, framework="pt") as file:
            assert file.metadata()["pooling"] == "mean"
        assert (row.train_examples, row.validation_examples) == (32, 8)
        assert row.latency_ms > 0
        assert [latency.batch for latency in row.latency] == [1, 4]
    assert {r.name for r in comparison.references} == {"majority", "bag of words"}
    assert (out / "report.html").is_file()
    rows = list(csv.DictReader((out / "results.csv").read_text("utf-8").splitlines()))
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    for row, written in zip(comparison.results, rows, strict=True):
        assert float(written["score"]) == pytest.approx(row.score, abs=1e-4)
        run = client.get_run(written["mlflow_run_id"])
        assert run.data.metrics["accuracy"] == row.accuracy
        assert run.data.metrics["trainable_params"] == row.trainable_params
    assert examine(out) == []
    before = snapshot(out)
    monkeypatch.setattr(cell, "fit", refuse)
    monkeypatch.setattr(fit, "fit", refuse)
    assert compare(experiment, command="tunebench compare sentiment").results == comparison.results
    assert snapshot(out) == before
    assert examine(out) == []
    assert rebuild(out).comparison.results == comparison.results


@pytest.mark.usefixtures("records_only")
def test_a_method_a_seed_or_a_trial_more_runs_only_the_difference(checkpoint, out, monkeypatch):
    def run(**changes):
        calls.clear()
        comparison = compare(small.experiment(checkpoint, out, **changes))
        assert {row.status for row in comparison.results} == {"complete"}
        return sorted(calls)

    calls = counted(monkeypatch)
    search = SearchSettings(trials=1, trial_epochs=1, epochs=2)
    assert run(methods={"head": {}}, search=search) == [("head", 1, 0), ("head", 2, 0)]
    assert run(methods={"head": {}, "lora": {}}, search=search) == [("lora", 1, 0), ("lora", 2, 0)]
    assert run(methods={"head": {}}, search=search, seeds=(0, 3)) == [("head", 2, 3)]
    more = dataclasses.replace(search, trials=2)
    assert run(methods={"head": {}}, search=more) == [("head", 1, 0), ("head", 2, 0)]
    assert run(methods={"head": {}}, search=search, seeds=(0, 3)) == []
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_the_same_seed_gives_the_same_metrics_and_weights_bit_for_bit(checkpoint, make_out):
    seen = {}
    for name in ("one", "two"):
        out = make_out(name)
        comparison = compare(
            small.experiment(
                checkpoint,
                out,
                methods={"lora": {}, "p_tuning": {}},
                search=SearchSettings(trials=2, trial_epochs=1, epochs=1),
            )
        )
        for row in comparison.results:
            measured = (row.cell, row.metrics, row.validation_score, row.curve)
            weights = {k: v.tolist() for k, v in load_file(out / row.adapter).items()}
            answers = pq.read_table(out / row.predictions).to_pydict()
            seen.setdefault(name, []).append((measured, row.hyperparameters, weights, answers))
    assert seen["one"] == seen["two"]


@pytest.mark.usefixtures("records_only")
def test_two_seeds_give_different_runs(checkpoint, out):
    comparison = compare(small.experiment(checkpoint, out, methods={"lora": {}}, seeds=(0, 1)))
    first, second = comparison.results
    assert first.study == second.study
    assert first.cell != second.cell
    assert first.curve != second.curve


@pytest.mark.usefixtures("records_only")
def test_two_methods_of_one_seed_start_with_the_same_head_and_see_the_same_batches(
    checkpoint, out, monkeypatch
):
    seen, step = {}, fit.Classifier.training_step
    heads = {}

    def spy(self, batch, batch_idx=0):
        name = self.backbone.tuned_by
        heads.setdefault(name, self.head.weight.detach().clone())
        seen.setdefault(name, []).append(batch.labels.tolist())
        return step(self, batch, batch_idx)

    monkeypatch.setattr(fit.Classifier, "training_step", spy)
    compare(small.experiment(checkpoint, out, methods={"prefix": {}, "lora": {}}))
    assert torch.equal(heads["prefix"], heads["lora"])
    assert seen["prefix"] == seen["lora"]


@pytest.mark.usefixtures("records_only")
def test_the_test_split_is_read_once_a_cell_and_never_by_a_trial(checkpoint, out, monkeypatch):
    read, inner = [], fit.predict

    def spy(classifier, prepared, split):
        which = [n for n in ("fit", "validation", "test") if getattr(prepared, n) is split]
        read.append((classifier.backbone.tuned_by, *which))
        return inner(classifier, prepared, split)

    monkeypatch.setattr(fit, "predict", spy)
    monkeypatch.setattr(cell, "predict", spy)
    search = SearchSettings(trials=2, trial_epochs=1, epochs=1)
    compare(small.experiment(checkpoint, out, search=search, seeds=(0, 1)))
    for method in ("head", "lora"):
        wanted = [(method, "validation")] * 2 + [(method, "test")] * 2
        assert [entry for entry in read if entry[0] == method] == wanted


@pytest.mark.usefixtures("records_only")
def test_validation_is_carved_from_train_and_shares_no_row_with_what_trains(
    checkpoint, out, monkeypatch
):
    kept, inner = [], cell.fit

    def spy(base_model, method, prepared, *rest, **named):
        kept.append(prepared)
        return inner(base_model, method, prepared, *rest, **named)

    monkeypatch.setattr(cell, "fit", spy)
    compare(small.experiment(checkpoint, out))
    fits, held = kept[0].fit.rows.ids, kept[0].validation.rows.ids
    assert not set(fits) & set(held)
    assert set(fits) | set(held) <= set(kept[0].data.train.ids)
    # Two trainings of each method: a trial on what trains, the winner on all but test.
    assert [p.fit.rows.ids for p in kept] == [fits, fits + held] * (len(kept) // 2)
    assert not set(fits + held) & set(kept[0].test.rows.ids)


class Recorder(Quiet):
    """Keeps what the runner says."""

    def __init__(self):
        self.lines = []

    def plan(self, cells, done):
        self.lines.append(("plan", tuple(cells), len(done)))

    def note(self, text):
        self.lines.append(("note", text))

    def phase(self, task, method, what):
        self.lines.append((method, what))

    def finished(self, result):
        self.lines.append((result.method, result.status))


@pytest.mark.usefixtures("records_only")
def test_whoever_watches_is_told_the_plan_and_each_phase(checkpoint, out):
    watcher = Recorder()
    pocket = small.experiment(
        checkpoint,
        out,
        tasks=("sentiment",),
        data=POCKET,
        search=SearchSettings(trials=1, trial_epochs=1, epochs=1, pocket_examples=40),
        methods={"head": {}},
        seeds=(0, 5),
    )
    compare(pocket, progress=watcher)
    plan = ("plan", (("sentiment", "head", 0), ("sentiment", "head", 5)), 0)
    assert watcher.lines[watcher.lines.index(plan) :] == [
        plan,
        ("head", "trial 1 of 1"),
        ("head", "seed 0"),
        ("head", "complete"),
        ("head", "seed 5"),
        ("head", "complete"),
    ]
    assert any("built-in pocket data, not GLUE" in lines[1] for lines in watcher.lines)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"methods": {"prompt": {"length": 50}}}, r"length \+ data.max_length <= context"),
        ({"methods": {"lora": {"rank": 33}}}, "methods.lora.rank: must be at most 32"),
        (
            {"methods": {"lora": {"rank": [4, 33]}}, "search": SearchSettings(trials=2)},
            "methods.lora.rank: must be at most 32",
        ),
        ({"methods": {"lora": {"rnk": 4}}}, "did you mean 'rank'"),
        ({"methods": {"lroa": {}}}, "did you mean 'lora'"),
        ({"tasks": ("sentimnt",), "data": POCKET}, "did you mean 'sentiment'"),
    ],
)
@pytest.mark.usefixtures("records_only")
def test_a_mistake_is_told_before_anything_trains(checkpoint, out, monkeypatch, changes, text):
    monkeypatch.setattr(cell, "fit", refuse)
    with pytest.raises(UserError, match=text):
        compare(small.experiment(checkpoint, out, **changes))
    assert not (out / "cells").exists()


@pytest.mark.usefixtures("records_only")
def test_a_plan_is_written_with_the_resolved_experiment(checkpoint, out):
    experiment = small.experiment(checkpoint, out, methods={"head": {"lr": 0.01}})
    comparison = compare(experiment, command="tunebench compare …")
    plan = Store(out).plan()
    assert plan.id == comparison.id == (out / "latest").read_text("utf-8")
    as_written = json.loads(json.dumps(dataclasses.asdict(experiment)))
    assert json.loads(json.dumps(plan.experiment)) == as_written
    assert plan.command == comparison.command == "tunebench compare …"


@pytest.mark.usefixtures("records_only")
def test_records_of_other_code_or_another_device_run_again_and_draw_the_same(
    checkpoint, out, monkeypatch
):
    experiment = small.experiment(
        checkpoint,
        out,
        methods={"head": {}, "lora": {}},
        search=SearchSettings(trials=2, trial_epochs=1, epochs=1),
    )
    first = compare(experiment)
    origins = {row.method: dict(row.origin) for row in first.results}
    assert origins["lora"]["device"] == "cpu"
    assert {trial.origin["torch"] for trial in first.trials} == {torch.__version__}
    inner = prepare_run.origin

    def edited(method, objective, device):
        made = dict(inner(method, objective, device))
        return {**made, "method code": "edited"} if made == origins["lora"] else made

    monkeypatch.setattr(prepare_run, "origin", edited)
    monkeypatch.setattr(completed, "code_digest", lambda: "edited")
    recorder = Recorder()
    second = compare(experiment, progress=recorder)
    notes = [line[1] for line in recorder.lines if line[0] == "note"]
    assert "2 records made with another state of the method code: run again" in notes
    phases = [line for line in recorder.lines if line[0] in ("head", "lora")]
    assert {method for method, _ in phases} == {"lora"}
    assert second.id == first.id
    for before, after in zip(first.trials, second.trials, strict=True):
        assert (after.study, after.params, after.score) == (
            before.study,
            before.params,
            before.score,
        )
    for row, again in zip(first.results, second.results, strict=True):
        assert (row.cell, row.score, row.curve) == (again.cell, again.score, again.curve)
    assert examine(out) == []
    monkeypatch.setattr(
        prepare_run, "origin", lambda *where: {**edited(*where), "device": "NVIDIA H100"}
    )
    monkeypatch.setattr(completed, "code_digest", lambda: "moved")
    with pytest.raises(KeyboardInterrupt):
        compare(experiment, progress=StopsAfterOne())
    mixed = analyse(assemble(Store(out).plan(), Store(out)))
    remarks = {row.name: row.remarks for row in mixed.tasks[0].rows if row.trained}
    assert remarks["head"] == ("made with device NVIDIA H100, others not",)
    assert remarks["lora"] == ("made with device cpu, others not",)


class StopsAfterOne(Quiet):
    """Stops the run as soon as a cell is finished."""

    def finished(self, result):
        raise KeyboardInterrupt
