"""`tunebench retention` on stored adapters: table, JSON, and what cannot be measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tunebench.__main__ import main
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.exchange.ours import Adapted, save_adapter
from tunebench.methods import get_method
from tunebench.methods._metadata import AdapterMetadata
from tunebench.methods.base import trained

from tests import small


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_decoder(tmp_path_factory.mktemp("checkpoint") / "tiny-llama")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Four texts, one of them twice, and an empty line."""
    path = tmp_path / "plain.txt"
    lines = ["a fine film", "the plot is dull", "", "a fine film", "the cast is fine", "it is long"]
    path.write_text("\n".join(lines) + "\n")
    return path


def adapter(folder: Path, path: Path, moved: float, task: str = "entailment") -> str:
    """A LoRA that says what it was trained on."""
    checkpoint = Checkpoint.open(folder)
    backbone, method = checkpoint.load_backbone(), get_method("lora")()
    method.attach(backbone)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in trained(backbone).values():
            parameter.add_(moved * torch.randn_like(parameter))
    known = AdapterMetadata(str(folder), None, checkpoint.digest, task)
    header = known.to_header("backbone", "layers", "backbone_digest", "task")
    method.save(path, Adapted(backbone, None), header)
    return str(path)


def test_every_run_is_a_line_with_its_change(
    decoder: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = adapter(decoder, tmp_path / "start.safetensors", 0.0)
    moved = adapter(decoder, tmp_path / "moved.safetensors", 0.1)
    assert main(["retention", start, moved, "--text", str(texts)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[:3] == [start, "lora", "10"]
    assert out.splitlines()[1].count("+0.000") == 6
    assert err == f"tunebench: {start}\ntunebench: {moved}\n"
    assert main(["retention", start, moved, "--text", str(texts), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["retention"]["as_trained"] == {"change": 0.0, "low": 0.0, "high": 0.0}
    assert rows[1]["retention"]["as_trained"]["change"] != 0
    assert rows[0]["retention"]["untuned"] == rows[1]["retention"]["untuned"]
    assert [row["method"] for row in rows] == ["lora", "lora"]


def test_texts_of_its_own_task_do_not_show_what_a_run_forgot(
    decoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = adapter(decoder, tmp_path / "own.safetensors", 0.1, task="sentiment")
    other = adapter(decoder, tmp_path / "other.safetensors", 0.1)
    task = ["--task", "sentiment", "--data=pocket", "--texts=9"]
    assert main(["retention", same, other, *task]) == 0
    out = capsys.readouterr().out
    assert f"{same}: not measured: trained on sentiment" in out
    assert out.splitlines()[1].startswith(f"  {other}")


def test_a_backbone_without_a_language_head_is_one_line(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = Checkpoint.open("minilm").load_backbone()
    method = get_method("lora")()
    method.attach(backbone)
    path = tmp_path / "own.safetensors"
    save_adapter(path, method, backbone, None, AdapterMetadata("minilm"))
    assert main(["retention", str(path), "--text", str(texts)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{path}: not measured: backbone 'minilm' has no language head")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("retention a", "--text FILE (a text a line) or --task NAME"),
        ("retention a --text x --task sst2", "--text FILE (a text a line) or --task NAME"),
        ("retention a --text x --data pocket", "--data goes with --task"),
        ("retention a --text no/such.txt", "no/such.txt: no such file"),
        ("retention a --task sentimen", "did you mean 'sentiment'"),
        ("retention a --texts none --task sentiment", "--texts: must be a whole number >= 1"),
        ("retention a --task sentiment --data pocket --out nowhere", "no folder of runs 'nowhere'"),
        ("retention --task sentiment --data pocket --out nowhere", "no folder 'nowhere'"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert hint in err
