"""A number that is none is refused in one sentence, under the name that its file has it by."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tunebench.__main__ import main
from tunebench.backbone.config import RopeScaling
from tunebench.backbone.counts import check_positive
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.errors import UserError

from tests import small, tiny
from tests.checkpoints.test_folder import POINTER, change


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return small.make_decoder(tmp_path_factory.mktemp("whole") / "llama")


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    for file in whole.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "requirement"),
    [
        ({"num_hidden_layers": -1}, "`num_hidden_layers` must be a whole number"),
        ({"num_hidden_layers": "two"}, "but got 'two'"),
        ({"hidden_size": None}, "`hidden_size` must be a whole number, 1 or more, but got None"),
        ({"hidden_size": "32", "head_dim": 8}, "`hidden_size` must be a whole number"),
        ({"vocab_size": True}, "`vocab_size` must be a whole number"),
        ({"num_key_value_heads": 0}, "`num_key_value_heads` must be a whole number"),
        ({"rms_norm_eps": -1.0}, "`epsilon` must be a number above 0, but got -1.0"),
        ({"rope_theta": -1}, "`rope_theta` must be a number above 0"),
        ({"rope_scaling": "linear"}, "rope_scaling must be an object of settings"),
        ({"rope_scaling": {"type": "linear", "factor": "x"}}, "could not convert"),
        ({"rope_scaling": {"type": "linear", "factor": 0}}, "`factor` must be a number above 0"),
        ({"rope_scaling": {"type": "dynamic"}}, "the setting 'factor' is missing"),
    ],
    ids=str,
)
def test_a_number_that_is_none_is_named(folder, settings, requirement):
    change(folder, **settings)
    with pytest.raises(UserError, match=f"config.json: .*{requirement}"):
        load_backbone(folder)


def test_null_where_another_setting_decides_is_no_mistake(folder):
    change(folder, head_dim=None, num_key_value_heads=tiny.DECODER.key_heads)
    assert load_backbone(folder).cfg.head_size == tiny.DECODER.head_size


@pytest.mark.parametrize(
    "settings", [{"layers": 0}, {"context": -4}, {"width": True}, {"heads": 0}]
)
def test_no_backbone_has_less_than_one_of_anything(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}` must be a whole number"):
        dataclasses.replace(tiny.DECODER, **settings)


@pytest.mark.parametrize("value", ["x", None, 0, -1.0, math.inf, math.nan, True])
def test_what_is_no_number_above_zero_is_told(value):
    with pytest.raises(ValueError, match=f"`it` must be a number above 0, but got {value!r}"):
        check_positive({"it": value})


def test_a_blend_of_frequencies_needs_two_borders():
    with pytest.raises(ValueError, match="`low < high` must hold"):
        RopeScaling("llama3", 8.0, 16, low=4.0, high=4.0)


@pytest.mark.parametrize("where", [[], {"weight": 3}, None])
def test_an_index_that_names_no_files_is_refused(folder, where):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    with pytest.raises(UserError, match=r"index.json: weight_map must name a file for each tensor"):
        load_backbone(folder)


def test_a_folder_in_the_weights_place_is_no_file(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    with pytest.raises(UserError, match=r"a .safetensors file is missing"):
        load_backbone(folder)


def test_whole_numbers_are_no_weights(folder):
    stored = load_file(folder / "model.safetensors")
    stored["norm.weight"] = stored["norm.weight"].to(torch.int8)
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"tensor 'norm.weight' has whole numbers"):
        load_backbone(folder)


@pytest.mark.parametrize("content", [POINTER, "{", "", "{}"], ids=["pointer", "cut", "empty", "{}"])
def test_a_tokenizer_that_is_none_is_named(folder, content):
    (folder / "tokenizer.json").write_text(content)
    requirement = "pointer of Git LFS" if content == POINTER else "not a readable tokenizer.json"
    with pytest.raises(UserError, match=rf"tokenizer.json is .*{requirement}"):
        Checkpoint.open(folder).load_tokenizer()


@pytest.fixture
def mismatched(folder) -> Path:
    """A tokenizer with one token that the table of words lacks."""
    tokenizer = Checkpoint.open(folder).load_tokenizer()
    tokenizer.add_tokens(["unheard"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


LAW = "the tokenizer and the backbone's weights do not belong together"


def test_a_prompt_with_a_token_beyond_the_table_is_refused(mismatched, capsys):
    assert main(["generate", "--backbone", str(mismatched), "an unheard word"]) == 2
    assert LAW in capsys.readouterr().err


def test_a_test_row_with_a_token_beyond_the_table_is_refused_before_training(
    mismatched, tmp_path, capsys
):
    rows = mismatched / "reviews-test.tsv"
    rows.write_text(rows.read_text() + "unheard\tpositive\n")
    argv = ["compare", str(mismatched / "reviews.tsv"), "--backbone", str(mismatched)]
    argv += ["--test", str(rows), "--methods", "head", "--out", str(tmp_path / "runs")]
    assert main(argv) == 2
    message = capsys.readouterr().err
    assert LAW in message
    assert "Traceback" not in message
