"""A predictor gives the stored predictions, whatever was trained, wherever it is asked from."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from tunebench import get_method, load_predictor
from tunebench.errors import UserError
from tunebench.methods import names
from tunebench.records import Result
from tunebench.study import serving
from tunebench.study.once import run_once

from tests import small

TEMPLATE = "review: {text} [P] sentiment:"
NO_BIAS = {"bitfit"}
"""What a decoder without a bias cannot have."""


@pytest.fixture(autouse=True)
def no_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LATENCY_BATCHES", (1,))
    monkeypatch.setattr(serving, "latency", _not_timed)


def _not_timed(*arguments: Any, batch: int, tokens: int, **named: Any) -> Any:
    from tunebench.records import Latency

    return Latency(batch, tokens, 1.0, 1.0, 1.0, 1)


def train(folder: Path, out: Path, method: str, template: str = "") -> Result:
    experiment = small.experiment(folder, out)
    if template:
        data = dataclasses.replace(
            experiment.data, template=(template,), label_words=("negative", "positive")
        )
        experiment = dataclasses.replace(experiment, data=data)
    result = run_once(experiment.tasks[0], get_method(method)(), experiment=experiment, out=out)
    assert result.status == "complete", result.reason
    return result


def texts(folder: Path) -> list[str]:
    lines = (folder / "reviews-test.tsv").read_text().splitlines()[1:]
    return [line.split("\t")[0] for line in lines]


CASES = [
    *((small.make_folder, method, "") for method in names()),
    *((small.make_decoder, method, TEMPLATE) for method in names() if method not in NO_BIAS),
]


@pytest.mark.parametrize(("make", "method", "template"), CASES)
def test_the_answers_are_the_stored_ones_from_another_folder_without_the_data(
    make: Callable[[Path], Path],
    method: str,
    template: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make(tmp_path / "backbone")
    monkeypatch.chdir(tmp_path)
    result = train(Path("backbone"), Path("runs"), method, template)
    rows = texts(folder)
    for file in folder.glob("reviews*"):
        file.unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    predictor = load_predictor(Path("..") / "runs" / result.adapter)
    assert predictor.notes == ()
    stored = pq.read_table(tmp_path / "runs" / result.predictions).to_pylist()
    answers = predictor.predict(rows)
    assert len(answers) == len(stored) == 30
    for answer, row in zip(answers, stored, strict=True):
        assert answer.label == row["prediction"]
        assert set(answer.probabilities) == {"negative", "positive"}
        for name, value in answer.probabilities.items():
            assert abs(value - row[f"probability_{name}"]) <= 1e-6


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint's folder and an adapter file that was trained on it."""
    root = tmp_path_factory.mktemp("trained")
    folder = small.make_folder(root / "backbone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "latency", _not_timed)
        result = train(folder, root / "runs", "full")
    return folder, root / "runs" / result.adapter


def test_texts_keep_their_order_whatever_the_batches(trained: tuple[Path, Path]) -> None:
    _, file = trained
    predictor, seen = load_predictor(file), list[tuple[int, int]]()
    rows = ["a fine film", "dull", "a long and very tired story of the sea"]
    together = predictor.predict(rows, batch_size=2, progress=lambda *n: seen.append(n))
    assert seen == [(2, 3), (3, 3)]
    for row, answer in zip(rows, together, strict=True):
        (single,) = predictor.predict([row])
        assert answer.label == single.label
        assert answer.probabilities == pytest.approx(single.probabilities, abs=1e-6)
    assert predictor.predict([]) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [([" "], "row 1: the text is empty"), (["a", ("a", "b")], "row 2: the task takes one text")],
)
def test_a_row_that_is_no_text_is_refused(
    trained: tuple[Path, Path], rows: list[Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load_predictor(trained[1]).predict(rows)


def test_another_backbone_is_refused_by_its_digest(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, file = trained
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    assert load_predictor(file, backbone=other).predict(["fine"])
    with safe_open(other / "model.safetensors", framework="pt") as source:
        weights = {key: source.get_tensor(key) + 1e-3 for key in source.keys()}  # noqa: SIM118
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"is another than .* its digest is not"):
        load_predictor(file, backbone=other)


def test_a_file_of_the_first_format_loads_and_says_what_it_lacks(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, file = trained
    old = tmp_path / "old.safetensors"
    with safe_open(file, framework="pt") as source:
        header = source.metadata()
        weights = {
            key.replace(".norm_embedding.", ".norm_words.").replace(
                ".embedding.", ".words."
            ): source.get_tensor(key)
            for key in source.keys()  # noqa: SIM118
        }
    assert "backbone.words.weight" in weights
    kept = {name: header[name] for name in ("method", "hyperparameters", "template", "pooling")}
    save_file(weights, old, metadata={**kept, "format": "tunebench-adapter-1"})
    today = load_predictor(file).predict(["fine", "a dull film"])
    plain = load_predictor(old, backbone=folder)
    assert "labels=0,1" in plain.notes[0]
    assert {answer.label for answer in plain.predict(["fine"])} <= {"0", "1"}
    named = load_predictor(old, backbone=folder, labels=("negative", "positive"), max_length=32)
    assert named.predict(["fine", "a dull film"]) == today
    with pytest.raises(UserError, match="says its own"):
        load_predictor(file, labels=("a", "b"))
