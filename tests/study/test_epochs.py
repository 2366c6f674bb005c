"""Validation scores by epoch are kept of trials, and whoever looks changes no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tunebench.config import SearchSettings
from tunebench.methods import get_method, names
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study.compare import compare
from tunebench.study.prepare_run import PreparedRun, prepare_run
from tunebench.training.fit import Fitted, fit, judge

from tests import small


@pytest.fixture(scope="module")
def run(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedRun:
    out = tmp_path_factory.mktemp("runs")
    methods: Any = [get_method(name)() for name in names()]
    experiment = small.experiment(checkpoint, out, methods={key: {} for key in names()})
    return prepare_run(experiment, Store(out), Quiet(), methods=methods)


@pytest.mark.parametrize("name", names())
def test_a_training_that_is_judged_by_epoch_is_the_same_to_the_last_bit(
    run: PreparedRun, name: str
) -> None:
    (prepared,) = run.tasks.values()

    def fitted(epochs: int, by_epoch: bool) -> Fitted:
        return fit(
            run.context.base_model,
            get_method(name)(),
            prepared,
            run.context.experiment,
            epochs=epochs,
            seed=3,
            progress=Quiet(),
            by_epoch=by_epoch,
        )

    plain, judged = fitted(3, False), fitted(3, True)
    assert judged.curve.loss == plain.curve.loss
    assert plain.curve.validation == ()
    weights = judged.classifier.state_dict()
    for key, weight in plain.classifier.state_dict().items():
        assert torch.equal(weight, weights[key]), key
    steps = judged.curve.steps[-1]
    assert judged.curve.epochs == (steps // 3, 2 * steps // 3)
    assert len(judged.curve.validation) == 2
    assert judge(judged.classifier, prepared) == judge(plain.classifier, prepared)


@pytest.mark.usefixtures("records_only")
def test_a_trial_keeps_its_scores_by_epoch_and_the_last_is_its_own(
    checkpoint: Path, out: Path
) -> None:
    search = SearchSettings(trials=1, trial_epochs=2, epochs=2)
    made = small.experiment(checkpoint, out, methods={"head": {}}, search=search)
    comparison = compare(made)
    (trial,), (row,) = comparison.trials, comparison.results
    assert len(trial.curve.validation) == len(trial.curve.epochs) == 2
    assert trial.curve.validation[-1] == trial.score
    assert trial.curve.epochs[-1] == trial.curve.steps[-1] == 2 * trial.curve.epochs[0]
    # The winner trains on the validation rows: a score on them would mean nothing.
    assert row.curve.validation == ()
