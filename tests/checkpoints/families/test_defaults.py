"""Settings that a config.json does not have are those that transformers takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.checkpoints.families import FAMILIES
from tunebench.checkpoints.families.defaults import LAYERS
from tunebench.errors import UserError

from tests.checkpoints.test_folder import change
from tests.parity.families import saved

KINDS = sorted(FAMILIES.keys() - {"tunebench"})


def without(folder: Path, *keys: str) -> None:
    path = folder / "config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({key: settings[key] for key in settings.keys() - keys}))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_written_is_read_as_all_defaults_written(kind: str) -> None:
    family = FAMILIES[kind]
    written: dict[str, Any] = AutoConfig.for_model(kind).to_dict()
    assert family.configure(family.defaults) == family.configure(written)


@pytest.mark.parametrize("kind", KINDS)
def test_each_default_is_that_of_transformers(kind: str) -> None:
    written = AutoConfig.for_model(kind, use_sliding_window=True).to_dict()
    for key, value in FAMILIES[kind].defaults.items():
        assert written[key] == value, key


@pytest.mark.parametrize(
    ("kind", "key"),
    [("bert", "layer_norm_eps"), ("llama", "rms_norm_eps"), ("gpt2", "layer_norm_epsilon")],
)
def test_a_folder_without_an_epsilon_gives_the_states_of_transformers(
    kind: str, key: str, tmp_path: Path
) -> None:
    saved(kind, tmp_path)
    without(tmp_path, key)
    ids = torch.randint(0, 60, (2, 9))
    peer = AutoModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        wanted = peer(ids).last_hidden_state
        assert torch.allclose(load_backbone(tmp_path)(ids), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_that_is_not_the_usual_one_is_refused_with_what_was_assumed(
    kind: str, tmp_path: Path
) -> None:
    saved(kind, tmp_path)
    key = "vocab_size"
    without(tmp_path, key)
    with pytest.raises(UserError, match=rf"config.json lacks .*{key}.*defaults were taken"):
        load_backbone(tmp_path)


@pytest.mark.parametrize("layers", [2, 3, 13])
def test_layers_that_nothing_counts_must_be_as_many_as_usual(layers: int, tmp_path: Path) -> None:
    settings = {"vocab_size": 61, "hidden_size": 24, "num_attention_heads": 4}
    settings |= {"intermediate_size": 40, "num_hidden_layers": layers}
    AutoModel.from_config(AutoConfig.for_model("bert", **settings)).save_pretrained(tmp_path)
    without(tmp_path, *LAYERS)
    what = r"'encoder.layer.12\." if layers > 12 else rf"'encoder.layer.{layers}\..*is missing"
    with pytest.raises(UserError, match=what):
        load_backbone(tmp_path)


def test_fewer_layers_than_the_file_has_are_the_first_ones_if_config_json_says_so(
    tmp_path: Path,
) -> None:
    saved("bert", tmp_path)
    change(tmp_path, num_hidden_layers=2)
    assert len(load_backbone(tmp_path).blocks) == 2


def test_a_folder_that_names_no_family_is_told_what_to_write(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    without(tmp_path, "model_type")
    with pytest.raises(UserError, match=r"'model_type' is missing; write .* \"model_type\": \"be"):
        assert Checkpoint.open(tmp_path).config
