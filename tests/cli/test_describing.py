"""The card beside an exported adapter: its run's record, other people's files, what is unknown."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from tunebench.__main__ import main
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.cli.describing import evaluation_of
from tunebench.methods import get_method
from tunebench.records import Result
from tunebench.store.store import Store
from tunebench.training.classifier import Classifier

from tests import small

CELL = "sentiment-lora-0-abcdef"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("checkpoint") / "tiny-bert")


def store(checkpoint: Path, out: Path, source: str = "built-in pocket data, not GLUE") -> Path:
    """A results folder of one run with eight right answers of ten; gives its adapter."""
    torch.manual_seed(0)
    classifier = Classifier(load_backbone(checkpoint), outputs=2)
    method = get_method("lora")()
    method.attach(classifier.backbone)
    path = out / "adapters" / f"{CELL}.safetensors"
    path.parent.mkdir(parents=True)
    method.save(path, classifier, {"task": "sentiment", "objective": "classification"})
    labels = [0, 1] * 5
    answers = [*labels[:8], 1, 0]
    (out / "predictions").mkdir()
    table = {"id": list(range(10)), "label": labels, "prediction": answers}
    pq.write_table(pa.table(table), out / "predictions" / f"{CELL}.parquet")
    result = dataclasses.replace(
        Result(CELL, "study", "sentiment", "lora", 0, "complete"),
        metric="accuracy",
        score=0.8,
        metrics={"accuracy": 0.8},
        adapter=f"adapters/{CELL}.safetensors",
        predictions=f"predictions/{CELL}.parquet",
        backbone_digest=Checkpoint.open(checkpoint).digest,
        data_source=source,
        test_examples=10,
    )
    Store(out).put_result(result)
    return path


def export(file: Path, checkpoint: Path, folder: Path, *more: str) -> int:
    on = ["--backbone", str(checkpoint), "--pooling", "first"]
    return main(["export", str(file), "--out-dir", str(folder), *on, *more])


def test_a_run_s_adapter_brings_its_score_with_an_interval(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = store(checkpoint, tmp_path / "runs")
    assert export(file, checkpoint, tmp_path / "peft", "--license=mit") == 0
    assert "model card README.md: with its scores; licence mit" in capsys.readouterr().out
    card = ModelCard.load(tmp_path / "peft" / "README.md")
    (one,) = card.data.eval_results
    assert (one.metric_type, one.metric_value) == ("accuracy", 0.8)
    assert 0.3 < one.metric_args["low"] < 0.8 < one.metric_args["high"] <= 1
    assert (card.data.library_name, card.data.license) == ("peft", "mit")
    # A folder of ours is not the hub's, and where it lies is nobody's business.
    assert card.data.base_model is None
    assert str(tmp_path) not in str(card)
    assert "Training data: apache-2.0" in card.text
    assert 'AutoModelForSequenceClassification.from_pretrained("tiny-bert"' in card.text


# PEFT asks transformers in the old way.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_card_s_own_lines_load_the_folder(checkpoint: Path, tmp_path: Path) -> None:
    file, folder = store(checkpoint, tmp_path / "runs"), tmp_path / "peft"
    assert export(file, checkpoint, folder) == 0
    text = ModelCard.load(folder / "README.md").text
    lines = text.split("```python\n")[1].split("\n```")[0]
    names: dict[str, Any] = {}
    lines = lines.replace("path/to/this/folder", str(folder)).replace("tiny-bert", str(checkpoint))
    exec(lines, names)
    model = names["model"]
    assert type(model).__name__ == "PeftModelForSequenceClassification"
    stored = load_file(folder / "adapter_model.safetensors")
    there = model.state_dict()
    a, b = (f"base_model.model.bert.encoder.layer.0.attention.self.query.lora_{x}" for x in "AB")
    assert torch.equal(there[f"{a}.default.weight"], stored[f"{a}.weight"])
    assert torch.equal(there[f"{b}.default.weight"], stored[f"{b}.weight"])


def test_an_adapter_of_no_run_has_a_card_without_scores(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = store(checkpoint, tmp_path / "runs").rename(tmp_path / "own.safetensors")
    assert export(file, checkpoint, tmp_path / "peft") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert "without scores, own.safetensors is of no run" in last
    assert "licence unknown" in last
    card = ModelCard.load(tmp_path / "peft" / "README.md")
    assert not card.data.eval_results
    assert card.data.license == "unknown"


def test_a_readme_of_somebody_else_stays_and_one_of_ours_is_replaced(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = store(checkpoint, tmp_path / "runs"), tmp_path / "peft"
    folder.mkdir()
    (folder / "README.md").write_text("# Mine\n")
    assert export(file, checkpoint, folder) == 0
    assert (folder / "README.md").read_text() == "# Mine\n"
    assert "it stays, and no model card was written" in capsys.readouterr().out
    (folder / "README.md").unlink()
    assert export(file, checkpoint, folder) == 0
    assert export(file, checkpoint, folder, "--license=mit") == 0
    assert ModelCard.load(folder / "README.md").data.license == "mit"


def test_rows_of_glue_are_the_hub_s_data_set(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    store(checkpoint, out)
    record = Store(out).result(CELL)
    assert record is not None
    adapter = out / "adapters" / "sst2.safetensors"
    adapter.write_bytes(b"")
    glue = dataclasses.replace(
        record,
        cell="sst2",
        task="sst2",
        data_source="GLUE (official split)",
        adapter="adapters/sst2.safetensors",
    )
    Store(out).put_result(glue)
    known = evaluation_of(adapter)
    assert known is not None
    dataset = known.dataset
    assert (dataset.id, dataset.config, dataset.split) == ("nyu-mll/glue", "sst2", "validation")


def test_a_record_that_is_damaged_brings_no_scores(checkpoint: Path, tmp_path: Path) -> None:
    file = store(checkpoint, tmp_path / "runs")
    assert evaluation_of(file) is not None
    file.write_bytes(file.read_bytes() + b" ")
    assert evaluation_of(file) is None
