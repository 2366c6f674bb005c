"""A prompt that starts from another task's: the very vectors, from files and runs, by content."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tunebench.config import Experiment
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.store.store import Store
from tunebench.study.compare import compare
from tunebench.study.init_from import with_sources
from tunebench.study.once import run_once
from tunebench.study.plan import study_of
from tunebench.training.adapter_file import open_adapter
from tunebench.training.classifier import Classifier
from tunebench.training.predictor import build_predictor

from tests import small

pytestmark = pytest.mark.usefixtures("records_only")
TABLE = "backbone.prompt.table"
PREPARED: Any = SimpleNamespace(
    task=SimpleNamespace(name="reviews"), data=SimpleNamespace(digest="d" * 8), verbalizer=None
)


@pytest.fixture(scope="module")
def trained(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a prompt was trained from a fresh start."""
    folder: Path = tmp_path_factory.mktemp("trained") / "runs"
    compare(small.experiment(checkpoint, folder, methods={"prompt": {"length": 5}}))
    return folder


@pytest.fixture
def source(checkpoint: Path, trained: Path, tmp_path: Path) -> Experiment:
    """That prompt's experiment, on a copy of its folder."""
    shutil.copytree(trained, tmp_path / "runs")
    return small.experiment(checkpoint, tmp_path / "runs", methods={"prompt": {"length": 5}})


def adapters(experiment: Experiment) -> set[Path]:
    return set((Path(experiment.out) / "adapters").iterdir())


def from_source(experiment: Experiment, value: str = "reviews-prompt-seed0") -> Experiment:
    methods = {"head": {}, "prompt": {"length": 5, "init_from": value}}
    return replace(experiment, methods=methods)


def test_the_first_step_starts_from_exactly_those_vectors(source, monkeypatch):
    (file,) = adapters(source)
    vectors, starts, step = load_file(file)[TABLE], [], Classifier.training_step

    def recorded(self, *arguments):
        if not starts or self is not starts[-1][0]:
            starts.append((self, getattr(self.backbone.prompt, "table", None)))
            starts[-1] = (self, None if starts[-1][1] is None else starts[-1][1].detach().clone())
        return step(self, *arguments)

    monkeypatch.setattr(Classifier, "training_step", recorded)
    comparison = compare(from_source(source))
    begun = [table for _, table in starts if table is not None]
    assert len(begun) == 2  # a trial and a cell; head-only has no prompt
    assert all(torch.equal(table, vectors) for table in begun)
    (cell,) = [row for row in comparison.results if row.method == "prompt"]
    assert cell.status == "complete"
    trained = load_file(Path(source.out) / cell.adapter)[TABLE]
    assert not torch.equal(trained, vectors)
    assert cell.hyperparameters["init_from"] == str(file)


def test_what_was_trained_loads_without_the_file_it_began_at(source, tmp_path):
    (file,) = adapters(source)
    shutil.copy(file, tmp_path / "first.safetensors")
    method = get_method("prompt")(length=5, init_from=str(tmp_path / "first.safetensors"))
    row = run_once(source.tasks[0], method, experiment=source, out=tmp_path)
    (tmp_path / "first.safetensors").unlink()
    predictor = build_predictor(open_adapter(tmp_path / row.adapter, tmp_path, None, {}), "cpu")
    assert torch.equal(
        predictor.classifier.backbone.prompt.table, load_file(tmp_path / row.adapter)[TABLE]
    )


def study(file: Path) -> str:
    settings = {"length": 5, "init_from": str(file)}
    return study_of(Experiment(methods={"prompt": settings}), PREPARED, "prompt", "b" * 8)


def test_a_study_is_named_by_the_content_of_the_file_and_not_by_its_place(source, tmp_path):
    (file,) = adapters(source)
    moved = tmp_path / "moved.safetensors"
    shutil.copy(file, moved)
    assert study(file) == study(moved)
    with safe_open(file, framework="pt") as opened:
        header = opened.metadata()
    weights = load_file(file)
    weights[TABLE] = weights[TABLE] + 1
    save_file(weights, moved, metadata=header)
    assert study(file) != study(moved)


def test_another_content_in_the_same_place_is_trained_again(source, tmp_path):
    (file,) = adapters(source)
    place = tmp_path / "prompt.safetensors"
    shutil.copy(file, place)
    first = compare(from_source(source, str(place)))
    assert compare(from_source(source, str(place))).id == first.id
    seeds = replace(source, seeds=(1,))
    compare(seeds)
    (other,) = (path for path in adapters(seeds) if "prompt-seed1" in path.name)
    shutil.copy(other, place)
    second = compare(from_source(source, str(place)))
    assert second.id != first.id


def test_a_short_name_means_the_newest_fresh_prompt(source):
    (file,) = adapters(source)
    compare(from_source(source))
    assert len(adapters(source)) == 3
    located = with_sources(from_source(source))
    assert located.methods["prompt"]["init_from"] == str(file)  # not the one that began at it
    store = Store(Path(source.out))
    (plan,) = [one for one in store.plans() if one.methods == ("prompt",)]
    exact = with_sources(from_source(source, plan.cells[0].cell))
    assert exact.methods["prompt"]["init_from"] == str(file)


def test_experiments_without_a_source_stay_as_they_are(source):
    assert with_sources(source) is source
    other = replace(source, methods={"made_up": {"init_from": "means something else"}})
    assert with_sources(other) is other


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"init_from": "nowhere"},
            r"no adapter file, no folder, and no trained run of .*'nowhere'",
        ),
        ({"init_from": "HERE", "length": 10}, "holds 5 vectors, but the length is 10: set"),
        ({"init_from": "HERE", "length": 5, "start": "random"}, "init_from stands alone"),
        ({"init_from": "HERE", "length": [5, 10]}, "holds 5 vectors, but the length is 10"),
    ],
)
def test_mistakes_are_answered_before_any_training(settings, message, source, monkeypatch):
    monkeypatch.setattr(Classifier, "training_step", None)
    (file,) = adapters(source)
    wanted = {key: str(file) if value == "HERE" else value for key, value in settings.items()}
    several = replace(source.search, trials=2) if isinstance(wanted.get("length"), list) else None
    experiment = replace(source, methods={"prompt": wanted}, search=several or source.search)
    with pytest.raises(UserError, match=rf"methods\.prompt.*{message}") as caught:
        compare(experiment)
    assert "\n" not in str(caught.value)


def test_a_prompt_of_another_backbone_is_refused(source, tmp_path):
    (file,) = adapters(source)
    folder = small.make_folder(tmp_path / "other")
    weights = load_file(folder / "model.safetensors")
    first = next(iter(weights))
    save_file({**weights, first: weights[first] + 1}, folder / "model.safetensors")
    other = replace(source, backbone=replace(source.backbone, name=str(folder)))
    message = r"methods\.prompt\.init_from: .* was trained on another backbone"
    with pytest.raises(UserError, match=message):
        compare(from_source(other, str(file)))
    method = get_method("prompt")(length=5, init_from=str(file))
    with pytest.raises(UserError, match=message):
        run_once(source.tasks[0], method, experiment=other)
