"""A tiny run whose trainings can be interrupted, and what they give uninterrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from tunebench.config import TrainSettings
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study.prepare_run import PreparedRun, prepare_run

from tests import small
from tests.training.interrupting import METHODS, everything, train


@pytest.fixture(scope="module")
def interrupted_run(tmp_path_factory: pytest.TempPathFactory) -> PreparedRun:
    checkpoint = small.make_folder(tmp_path_factory.mktemp("checkpoint") / "tiny-bert")
    settings = TrainSettings(batch_size=8, accelerator="cpu", threads=1, head_dropout=0.3)
    experiment = small.experiment(checkpoint, checkpoint.parent, train=settings)
    return prepare_run(experiment, Store(checkpoint.parent), Quiet())


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def uninterrupted(interrupted_run: PreparedRun) -> Callable[[str], list[Any]]:
    known: dict[str, list[Any]] = {}

    def of(name: str) -> list[Any]:
        if name not in known:
            known[name] = everything(
                interrupted_run, train(interrupted_run, get_method(name)(**METHODS[name]))
            )
        return known[name]

    return of
