"""One study by itself, and what its numbers are worth."""

import dataclasses
import shlex

import optuna
import pytest
from mlflow.tracking import MlflowClient
from tunebench.__main__ import main
from tunebench.analysis.studies import best_trial
from tunebench.cli import comparing
from tunebench.cli.commands import COMMANDS
from tunebench.cli.flags import parse
from tunebench.cli.settings import resolve
from tunebench.errors import UserError
from tunebench.store.store import Store
from tunebench.study import cell
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.optuna_storage import storage
from tunebench.study.plan import assemble
from tunebench.study.publish import rebuild
from tunebench.study.tune import tune

from tests import small


@pytest.mark.usefixtures("records_only")
def test_tuning_gives_the_best_trial_and_a_comparison_goes_on_from_it(checkpoint, out, monkeypatch):
    experiment = small.experiment(checkpoint, out, methods={"head": {}})
    tuning = tune(experiment, trials=3)
    best, importances, trials = tuning.best, tuning.importances, tuning.trials
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert best in trials
    assert best.score == max(trial.score for trial in trials)
    assert set(importances) <= {"lr"}
    assert (Store(out).plan().cells, Store(out).plan().trials) == ((), 3)
    assert examine(out) == []
    began = "2026-01-02T03:04:05+00:00"
    Store(out).put_plan(dataclasses.replace(Store(out).plan(), created=began))
    again = tune(experiment, trials=3)
    assert Store(out).plan().created == began
    assert (again.best, again.importances, again.trials) == (best, importances, trials)
    monkeypatch.setattr(cell, "run_trial", None)
    search = dataclasses.replace(experiment.search, trials=3)
    (row,) = compare(dataclasses.replace(experiment, search=search)).results
    assert (row.best_trial, row.validation_score) == (best.number, best.score)
    assert dict(row.hyperparameters) == dict(best.params)
    assert examine(out) == []


def runs_of(out):
    """Every run in a folder's own MLflow database, by id."""
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    ids = [one.experiment_id for one in client.search_experiments()]
    return {run.info.run_id: run for run in client.search_runs(ids, max_results=1000)}


def of_kind(runs, kind):
    return [run for run in runs.values() if run.data.tags.get("kind") == kind]


def test_a_study_is_shown_and_goes_on_in_the_same_place(checkpoint, out):
    experiment = small.experiment(checkpoint, out, methods={"head": {}})
    first = tune(experiment, trials=2, command="tunebench tune sentiment")
    before = runs_of(out)
    assert examine(out) == []
    second = tune(experiment, trials=4, command="tunebench tune sentiment")
    after = runs_of(out)
    assert examine(out) == []
    assert first.comparison.id == second.comparison.id
    assert second.trials[:2] == first.trials
    assert before.keys() < after.keys(), "nothing was written again elsewhere"
    (top,), (study,), trials = (of_kind(after, kind) for kind in ("comparison", "study", "trial"))
    assert {run.info.status for run in after.values()} == {"FINISHED"}
    assert study.data.tags["mlflow.parentRunId"] == top.info.run_id
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {study.info.run_id}
    scores = {run.data.tags["trial"]: run.data.metrics["validation_score"] for run in trials}
    assert scores == {str(trial.number): trial.score for trial in second.trials}
    assert study.data.tags["best_trial"] == str(second.best.number)
    assert study.data.metrics["validation_score"] == second.best.score
    assert top.data.tags["trials_complete"] == study.data.tags["trials_complete"] == "4 of 4"
    page, markdown = ((out / name).read_text("utf-8") for name in ("report.html", "report.md"))
    for text in (page, markdown):
        assert "0 of 0" not in text
        assert f"{second.best.score:.3f}" in text
        assert "validation" in text
    assert page.count("<svg") == 2
    assert all(f"\n| {trial.number} " in markdown.replace("**", "") for trial in second.trials)
    # Fewer than there are: all that is there stays in sight.
    assert len(tune(experiment, trials=1).trials) == 4
    assert runs_of(out).keys() == after.keys()
    assert examine(out) == []
    rebuild(out)
    assert runs_of(out).keys() == after.keys()


@pytest.mark.usefixtures("records_only")
def test_other_ranges_make_another_study_and_optuna_s_tools_tell_both_apart(checkpoint, out):
    for ranks in ([4, 8], [2, 4]):
        tune(small.experiment(checkpoint, out, methods={"lora": {"rank": ranks}}), trials=1)
    database = storage(out)
    studies = optuna.get_all_study_summaries(storage=database)
    database.engine.dispose()
    assert {one.user_attrs["search rank"] for one in studies} == {"4, 8", "2, 4"}
    for one in studies:
        known = {key: one.user_attrs[key] for key in ("task", "method", "backbone")}
        assert known == {"task": "reviews", "method": "lora", "backbone": str(checkpoint)}
        assert one.n_trials == 1


def test_the_terminal_shows_every_trial_while_it_runs_and_the_command_to_go_on_with(
    checkpoint, out, monkeypatch, capsys
):
    experiment = small.experiment(checkpoint, out, methods={"lora": {}})
    monkeypatch.setattr(comparing, "_experiment", lambda line: experiment)
    arguments = ["sentiment", "--methods=lora", "--methods.lora.rank=4,8", "--seeds=0,1"]
    assert main(["tune", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "reviews lora trial 0: validation score" in printed
    assert "best so far" in printed
    assert "0 cells" not in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("Next"))
    following = shlex.split(line)[1:]
    assert following[:3] == ["tunebench", "compare", "sentiment"]
    best = best_trial(assemble(Store(out).plan(), Store(out)).trials)
    pinned = resolve(parse(following[2:], COMMANDS["compare"].flags(), ()))
    assert dict(pinned.methods["lora"]) == dict(best.params)
    assert pinned.seeds == (0, 1)
    assert pinned.search.trials == 2, "not the study's"


@pytest.mark.usefixtures("records_only")
def test_a_mistake_is_told_before_any_trial(checkpoint, out):
    with pytest.raises(UserError, match="did you mean 'lora'"):
        tune(small.experiment(checkpoint, out, methods={"lroa": {}}), trials=1)
