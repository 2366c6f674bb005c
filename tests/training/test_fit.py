"""At which rates a method and its head train."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study.prepare_run import prepare_run
from tunebench.training.fit import fit

from tests import small


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("checkpoint") / "tiny-bert")


@pytest.mark.parametrize("name", ["head", "lora", "bitfit"])
def test_a_head_by_itself_trains_at_the_method_s_rate_and_any_other_at_its_own(
    checkpoint: Path, tmp_path: Path, name: str
) -> None:
    train = small.TrainSettings(batch_size=16, accelerator="cpu", threads=1, head_lr=0.25)
    experiment = small.experiment(checkpoint, tmp_path, train=train)
    run = prepare_run(experiment, Store(tmp_path), Quiet())
    (prepared,) = run.tasks.values()
    fitted = fit(
        run.context.base_model,
        get_method(name)(lr=0.125),
        prepared,
        experiment,
        epochs=1,
        seed=0,
        progress=Quiet(),
    )
    assert fitted.classifier.lr == 0.125
    assert fitted.classifier.head_lr == (0.125 if name == "head" else 0.25)
