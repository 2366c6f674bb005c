"""`tunebench costs` on a checkpoint of a few thousand weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tunebench.__main__ import main
from tunebench.analysis.lab import read_lab

from tests import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("backbone"))


def test_the_table_and_the_file_have_every_method(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["costs", f"--backbone={folder}", f"--out={tmp_path}", "--methods=head,lora"]
    assert main([*line, "--batch=4", "--length=16", "--tasks-served=10"]) == 0
    out = capsys.readouterr().out
    assert "4 texts, 64 tokens, no padding saved; energy: not measured" in out
    content = json.loads((tmp_path / "costs.json").read_text("utf-8"))
    head, lora = content["costs"]
    assert (head["method"], lora["method"]) == ("head", "lora")
    for one in (head, lora):
        assert one["training"]["closed_form"] == one["training"]["by_torch"]
        assert one["serving"]["closed_form"] == one["serving"]["by_torch"]
        # Weights of four bytes: the method's and the head's, and what the file says of itself.
        assert 4 * one["trained"] < one["file"] < 4 * one["trained"] + 8192
        assert one["stored"] == content["backbone_bytes"] + 10 * one["file"]
    assert lora["serving"] == head["serving"]
    assert lora["memory"]["activations"] > head["memory"]["activations"]
    shown = read_lab(tmp_path, {content["backbone_digest"]})
    assert shown.problems == ()
    assert shown.costs is not None
    assert [one.memory.counted for one in shown.costs.costs] == [
        one["memory"]["counted"] for one in (head, lora)
    ]


def test_a_length_beyond_the_context_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["costs", f"--backbone={folder}", f"--out={tmp_path}", "--methods=prompt"]
    assert main([*line, "--length=60"]) == 2
    assert "--length: must be at most 54, which these methods leave" in capsys.readouterr().err
