"""A checkpoint is located once, and everything about it is read from there."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tunebench.checkpoints import checkpoint as module
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.errors import UserError

from tests import small

ASK_SETTINGS = """
import sys
from tunebench.checkpoints.checkpoint import Checkpoint
checkpoint = Checkpoint.open(sys.argv[1], 1)
print(checkpoint.config.layers, checkpoint.model_type, checkpoint.digest[:4])
assert not {"torch", "lightning", "gguf"} & sys.modules.keys()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_decoder(tmp_path_factory.mktemp("decoder") / "llama")


def test_it_is_located_once_and_its_files_are_opened_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    inner = module.locate
    monkeypatch.setattr(module, "locate", lambda name: asked.append(name) or inner(name))
    checkpoint = Checkpoint.open(folder)
    backbone = checkpoint.load_backbone()
    checkpoint.load_language_head(backbone)
    checkpoint.load_tokenizer()
    checkpoint.stop_tokens()
    assert checkpoint.model_type == "llama"
    assert checkpoint.config == backbone.cfg
    assert checkpoint.files is checkpoint.files
    assert asked == [str(folder)]


def test_every_backbone_is_a_copy_of_its_own(folder: Path) -> None:
    checkpoint = Checkpoint.open(folder)
    first, second = checkpoint.load_backbone(), checkpoint.load_backbone()
    with torch.no_grad():
        first.embedding.weight.add_(1.0)
    third = load_backbone(folder)
    assert torch.equal(second.embedding.weight, third.embedding.weight)
    assert not torch.equal(first.embedding.weight, third.embedding.weight)


def test_the_digest_is_that_of_the_weight_files_and_the_layers(folder: Path) -> None:
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).digest()
    for layers in (None, 1):
        wanted = hashlib.sha256(f"layers={layers}".encode() + weights).hexdigest()
        assert Checkpoint.open(folder, layers).digest == wanted


def test_the_digest_of_a_gguf_file_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    wanted = hashlib.sha256(b"layers=None" + hashlib.sha256(b"GGUF").digest()).hexdigest()
    assert Checkpoint.open(path).digest == wanted


def test_fewer_layers_are_in_the_settings_as_in_the_network(folder: Path) -> None:
    checkpoint = Checkpoint.open(folder, 1)
    assert checkpoint.config.layers == len(checkpoint.load_backbone().blocks) == 1
    assert checkpoint.files.config.layers == 2


def test_settings_and_digest_are_read_without_torch(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK_SETTINGS, str(folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 llama ")


def test_a_head_tied_to_the_embedding_shares_its_table(folder: Path) -> None:
    checkpoint = Checkpoint.open(folder)
    backbone = checkpoint.load_backbone()
    head = checkpoint.load_language_head(backbone)
    assert head.weight.data_ptr() == backbone.embedding.weight.data_ptr()


def test_a_tokenizer_is_given_without_padding_and_truncation(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    tokenizer = Checkpoint.open(copy).load_tokenizer()
    tokenizer.enable_padding(length=9)
    tokenizer.enable_truncation(2)
    tokenizer.save(str(copy / "tokenizer.json"))
    text = "the film is good"
    assert len(Checkpoint.open(copy).load_tokenizer().encode(text).ids) == 4
    (copy / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json is missing"):
        Checkpoint.open(copy).load_tokenizer()


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"config": {"eos_token_id": 7}}, {7}),
        ({"config": {"eos_token_id": [7, 9]}}, {7, 9}),
        ({"config": {"eos_token_id": 7}, "generation_config": {"eos_token_id": [3, 4]}}, {3, 4}),
        ({"config": {"eos_token_id": 7}, "generation_config": {}}, {7}),
        ({"config": {"eos_token_id": None}}, set()),
        ({"config": {}}, set()),
        ({"config": {"eos_token_id": 0}}, {0}),
    ],
)
def test_a_folder_says_which_tokens_end_a_text(
    files: dict[str, dict[str, object]], wanted: set[int], tmp_path: Path
) -> None:
    for name, settings in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(settings))
    assert Checkpoint.open(tmp_path).stop_tokens() == wanted


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(UserError, match=r"generation_config\.json is not readable JSON"):
        Checkpoint.open(tmp_path).stop_tokens()


def test_smollm2_ends_a_text_with_a_token_of_its_own() -> None:
    (stop,) = Checkpoint.open("smollm2").stop_tokens()
    assert Checkpoint.open("smollm2").load_tokenizer().id_to_token(stop) == "<|im_end|>"
