"""One study by itself, and what its numbers are worth."""

import dataclasses

import pytest
from tunebench.errors import UserError
from tunebench.store.store import Store
from tunebench.study import cell
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.tune import tune

from tests import small


@pytest.mark.usefixtures("records_only")
def test_tuning_gives_the_best_trial_and_a_comparison_goes_on_from_it(checkpoint, out, monkeypatch):
    experiment = small.experiment(checkpoint, out, methods={"head": {}})
    best, importances, trials = tune(experiment, trials=3)
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert best in trials
    assert best.score == max(trial.score for trial in trials)
    assert set(importances) <= {"lr"}
    assert Store(out).plan().cells == ()
    assert examine(out) == []
    again = tune(experiment, trials=3)
    assert again == (best, importances, trials)
    monkeypatch.setattr(cell, "run_trial", None)
    search = dataclasses.replace(experiment.search, trials=3)
    (row,) = compare(dataclasses.replace(experiment, search=search)).results
    assert (row.best_trial, row.validation_score) == (best.number, best.score)
    assert dict(row.hyperparameters) == dict(best.params)
    assert examine(out) == []


def test_mlflow_agrees_with_a_study_by_itself(checkpoint, out):
    tune(small.experiment(checkpoint, out, methods={"head": {}}), trials=1)
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_a_mistake_is_told_before_any_trial(checkpoint, out):
    with pytest.raises(UserError, match="did you mean 'lora'"):
        tune(small.experiment(checkpoint, out, methods={"lroa": {}}), trials=1)
