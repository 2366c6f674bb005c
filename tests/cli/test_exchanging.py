"""`tunebench export` and `tunebench import` on a BERT of a few words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tunebench.__main__ import main
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.config import BackboneSettings, Experiment
from tunebench.exchange.ours import save_adapter
from tunebench.methods import get_method
from tunebench.methods.base import trained
from tunebench.records import Result, Study
from tunebench.store.store import Plan, PlannedCell, Store
from tunebench.training.classifier import Classifier

from tests import small

CELL = "reviews-lora-0-abcdef"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("checkpoint") / "tiny-bert")


def adapter(checkpoint: Path, path: Path, name: str = "lora", **settings: Any) -> Path:
    """A file of a method that was moved off its start, with its head."""
    torch.manual_seed(0)
    classifier = Classifier(load_backbone(checkpoint), outputs=2)
    method = get_method(name)(**settings)
    method.attach(classifier.backbone)
    with torch.no_grad():
        for parameter in trained(classifier).values():
            parameter.add_(torch.randn_like(parameter))
    path.parent.mkdir(parents=True, exist_ok=True)
    method.save(path, classifier)
    return path


def store(checkpoint: Path, out: Path, pooling: str = "first") -> Path:
    """A results folder of one run."""
    adapter(checkpoint, out / "adapters" / f"{CELL}.safetensors")
    settings = BackboneSettings(name=str(checkpoint), pooling=pooling)  # type: ignore[arg-type]
    experiment = dataclasses.asdict(Experiment(backbone=settings))
    planned = PlannedCell(CELL, "study", "reviews", "lora", 0)
    lost = PlannedCell("reviews-head-0-abcdef", "study", "reviews", "head", 0)
    plan = Plan(
        id="comparison-1",
        experiment=experiment,
        tasks=("reviews",),
        methods=("lora",),
        seeds=(0,),
        trials=1,
        sources={},
        notes={},
        cells=(planned, lost),
        studies=(Study("study", "task", "method"),),
        references=(),
        command="",
        created="",
    )
    result = Result(CELL, "study", "reviews", "lora", 0, "complete")
    result = dataclasses.replace(
        result,
        adapter=f"adapters/{CELL}.safetensors",
        backbone_digest=Checkpoint.open(checkpoint).digest,
    )
    Store(out).put_plan(plan)
    Store(out).put_result(result)
    return out


def test_a_file_goes_out_and_comes_back_the_same(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder, back = (tmp_path / name for name in ("own.safetensors", "peft", "back.st"))
    adapter(checkpoint, file)
    on = ["--backbone", str(checkpoint)]
    assert main(["export", str(file), "--out-dir", str(folder), "--format=peft", *on]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{folder}: 'lora' for PEFT, task type FEATURE_EXTRACTION"
    assert "the head is in a file of its own" in out[1]
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 8
    assert main(["import", str(folder), "--out", str(back), *on]) == 0
    assert capsys.readouterr().out.startswith(f"{back}: 'lora' for {checkpoint}\n")
    before, after = load_file(file), load_file(back)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    fresh = Classifier(load_backbone(checkpoint), outputs=2)
    get_method("lora")().load(back, fresh)


def test_a_bottleneck_goes_to_adapters_and_its_pooling_comes_back(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder, back = (tmp_path / name for name in ("own.safetensors", "hub", "back.st"))
    adapter(checkpoint, file, "adapter", train_norms=False)
    on = ["--backbone", str(checkpoint)]
    out = ["--out-dir", str(folder), "--format=adapters"]
    assert main(["export", str(file), *out, *on, "--pooling=first"]) == 0
    assert f"{folder}: 'adapter' for AdapterHub's adapters" in capsys.readouterr().out
    assert main(["import", str(folder), "--out", str(back), *on]) == 0
    assert "its head reads pooling=first" in capsys.readouterr().out
    before, after = load_file(file), load_file(back)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    # What was imported says which token its head reads: nobody need tell it again.
    assert main(["export", str(back), *out, *on]) == 0
    assert "in a file of its own" not in capsys.readouterr().out
    assert (folder / "model_head.safetensors").is_file()


def test_a_run_is_found_by_its_cell_and_knows_its_backbone_and_pooling(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = store(checkpoint, tmp_path / "runs")
    assert main(["export", CELL, "--out", str(out), "--out-dir", str(tmp_path / "peft")]) == 0
    first, card = capsys.readouterr().out.splitlines()
    assert first.endswith("task type SEQ_CLS")
    assert card.startswith("  model card README.md: ")
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(checkpoint)
    assert config["modules_to_save"] == ["pooler", "classifier"]


def refused(arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("tunebench: ")
    assert hint in err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([CELL[:-1]], f"did you mean '{CELL}'"),
        (["reviews-head-0-abcdef"], "is not there whole"),
        ([CELL, "--license=Apache 2.0"], "--license: must be a licence as the hub spells it"),
        ([CELL, "--layers=1"], "--layers goes with an adapter file"),
        ([CELL, "--task-type=causal_lm"], "CAUSAL_LM needs a causal backbone"),
        ([CELL, "--task-type=seqcls"], "did you mean 'seq_cls'"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_run_is_told(
    arguments: list[str],
    hint: str,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = store(checkpoint, tmp_path / "runs")
    to = ["--out", str(out), "--out-dir", str(tmp_path / "peft")]
    refused(["export", *arguments, *to], hint, capsys)
    assert not (tmp_path / "peft").exists()


def test_a_backbone_that_changed_since_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = store(checkpoint, tmp_path / "runs")
    record = Store(out).result(CELL)
    assert record is not None
    Store(out).put_result(dataclasses.replace(record, backbone_digest="other"))
    to = ["--out", str(out), "--out-dir", str(tmp_path / "peft")]
    refused(["export", CELL, *to], "was trained on: its digest is not other", capsys)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("export", "export takes one run or one adapter file"),
        ("export a b --out-dir x", "export takes one run or one adapter file"),
        ("export a", "--out-dir must say where to write"),
        ("export a --out-dir x --format=peff", "did you mean 'peft'"),
        ("export a --out-dir x --format=adapters --task-type=seq_cls", "--task-type is PEFT's"),
        ("export no/such.safetensors --out-dir x", "no adapter file 'no/such.safetensors'"),
        ("export nothing --out-dir x --out nowhere", "no folder of runs 'nowhere'"),
        ("export a --outdir x", "did you mean '--out-dir'"),
        ("import", "import takes one folder"),
        ("import x", "--out must say where to write"),
        ("import x --out y --backbone minilmm", "did you mean 'minilm'"),
        ("import x --out y --layers two", "--layers: must be a whole number >= 1"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(line.split(), hint, capsys)


def test_where_to_write_is_asked_before_the_work(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = adapter(checkpoint, tmp_path / "own.safetensors")
    on = ["--backbone", str(checkpoint)]
    for place in (file, file / "below"):
        config = f"--out-dir: '{file}' is a file, and a folder is to be written"
        refused(["export", str(file), "--out-dir", str(place), *on], config, capsys)
    refused(["import", "x", "--out", str(tmp_path), *on], "--out: ", capsys)
    refused(["import", "x", "--out", str(file / "y")], f"--out: '{file}' is a file", capsys)


def test_an_adapter_of_the_first_layers_says_so(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone, method = load_backbone(checkpoint, layers=1), get_method("lora")()
    method.attach(backbone)
    save_adapter(tmp_path / "own.safetensors", method, backbone, None)
    words = ["export", str(tmp_path / "own.safetensors"), "--out-dir", str(tmp_path / "peft")]
    on = ["--backbone", str(checkpoint), "--layers"]
    assert main([*words, *on, "1"]) == 0
    assert "trained on the first 1 of 2 layers" in capsys.readouterr().out
    backbone, method = load_backbone(checkpoint), get_method("lora")()
    method.attach(backbone)
    save_adapter(tmp_path / "own.safetensors", method, backbone, None)
    assert main([*words, *on, "2"]) == 0
    assert "layers" not in capsys.readouterr().out


def test_a_file_s_mistakes_name_it(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on = ["--backbone", str(checkpoint), "--out-dir", str(tmp_path / "peft")]
    file = str(adapter(checkpoint, tmp_path / "own.safetensors", "adapter"))
    refused(["export", file, *on], f"{file}: PEFT has no equal of 'adapter'", capsys)
    refused(["export", file, *on, "--pooling=frist"], "did you mean 'first'", capsys)
    refused(["export", file, *on, "--format=adapters"], "train_norms=false to export", capsys)
    other = str(checkpoint / "model.safetensors")
    refused(["export", other, *on], "is not an adapter that was saved here", capsys)
    to = ["--out", str(tmp_path / "back"), "--backbone", str(checkpoint)]
    refused(["import", str(tmp_path), *to], "adapter_config.json is missing", capsys)
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("library", ["peft", "adapters"])
def test_neither_way_writes_over_what_it_reads(
    library: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = {"peft": "lora", "adapters": "adapter"}[library]
    weights = {"peft": "adapter_model.safetensors", "adapters": "adapter.safetensors"}[library]
    settings = {"peft": {}, "adapters": {"train_norms": False, "bottleneck": 4}}[library]
    file = adapter(checkpoint, tmp_path / weights, name, **settings)
    before = file.read_bytes()
    out = [f"--format={library}", f"--backbone={checkpoint}"]
    for folder in (tmp_path, checkpoint):
        refused(["export", str(file), f"--out-dir={folder}", *out], "written over", capsys)
    assert main(["export", str(file), f"--out-dir={tmp_path / 'there'}", *out]) == 0
    capsys.readouterr()
    model = checkpoint / "model.safetensors"
    for target in (tmp_path / "there" / weights, model):
        arguments = [str(tmp_path / "there"), f"--backbone={checkpoint}", f"--out={target}"]
        refused(["import", *arguments], "written over", capsys)
    assert file.read_bytes() == before
