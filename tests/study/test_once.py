"""One cell by itself: no search, no database."""

import pytest
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.study.once import run_once

from tests import small


def test_one_cell_runs_without_optuna_and_without_mlflow(checkpoint, tmp_path):
    experiment = small.experiment(checkpoint, tmp_path / "unused")
    (task,) = experiment.tasks
    row = run_once(task, get_method("lora")(rank=2), experiment=experiment, out=tmp_path)
    assert (row.status, row.method, row.hyperparameters["rank"]) == ("complete", "lora", 2)
    assert (row.best_trial, row.validation_score) == (None, None)
    assert {path.name for path in tmp_path.iterdir()} == {"adapters", "predictions"}
    assert (tmp_path / row.adapter).is_file()
    again = run_once(task, get_method("lora")(rank=2), experiment=experiment)
    assert (again.metrics, again.curve) == (row.metrics, row.curve)


def test_a_setting_that_the_backbone_cannot_have_is_told_before_training(checkpoint, tmp_path):
    experiment = small.experiment(checkpoint, tmp_path)
    with pytest.raises(UserError, match="1 <= rank <= min"):
        run_once(experiment.tasks[0], get_method("lora")(rank=64), experiment=experiment)
