"""Soft prompts found in files of ours and of PEFT's: their shape, their backbone, their numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tunebench.errors import UserError
from tunebench.exchange.names import PeftNames
from tunebench.exchange.peft import export_peft
from tunebench.methods import get_method
from tunebench.methods._metadata import AdapterMetadata
from tunebench.methods._trained_prompt import trained_prompt
from tunebench.training.classifier import Classifier

from tests import tiny

CFG = tiny.ENCODER


def saved(path: Path, method: str = "prompt", **settings: object) -> torch.Tensor:
    """An adapter file of a method with trained weights, and the vectors before its text."""
    classifier = Classifier(tiny.backbone(CFG), outputs=2, lr=1e-2)
    made = get_method(method)(**settings)
    made.attach(classifier.backbone)
    made.drop_encoder(classifier.backbone)
    header = AdapterMetadata(backbone="tiny", backbone_digest="a" * 64, layers=None).to_header()
    made.save(path, classifier, header)
    table = getattr(classifier.backbone.prompt, "table", torch.zeros(0))
    return table.detach().clone()


@pytest.mark.parametrize("method", ["prompt", "p_tuning"])
def test_the_vectors_of_an_adapter_file_and_of_a_folder_with_one(method, tmp_path):
    table = saved(tmp_path / "one.safetensors", method, length=7)
    for place in (tmp_path / "one.safetensors", tmp_path):
        source = trained_prompt(place)
        assert source.shape == (7, CFG.width)
        assert torch.equal(source.read(), table)
        source.check(7, CFG)


def test_the_vectors_of_a_folder_that_peft_reads(tmp_path):
    backbone = tiny.backbone(CFG)
    method = get_method("prompt")(length=4)
    method.attach(backbone)
    export_peft(tmp_path, method, backbone, PeftNames("bert", CFG.layers, CFG.sites))
    source = trained_prompt(tmp_path)
    assert torch.equal(source.read(), backbone.prompt.table)
    source.check(4, CFG)
    with pytest.raises(UserError, match="another backbone, of width 32 and 2 layers"):
        source.check(4, replace(CFG, layers=1))


def test_another_number_or_width_of_vectors_is_refused(tmp_path):
    saved(tmp_path / "one.safetensors", length=7)
    source = trained_prompt(tmp_path / "one.safetensors")
    with pytest.raises(UserError, match=r"holds 7 vectors, but the length is 10: set .* to 7"):
        source.check(10, CFG)
    with pytest.raises(UserError, match="another backbone, of width 32"):
        source.check(7, replace(CFG, width=64))


def test_another_backbone_s_digest_is_refused_and_a_file_that_names_none_is_trusted(tmp_path):
    saved(tmp_path / "one.safetensors")
    source = trained_prompt(tmp_path / "one.safetensors")
    source.check_digest("a" * 64)
    with pytest.raises(UserError, match=r"another backbone \('tiny'\).* aaaaaaaaaaaa…, and not bb"):
        source.check_digest("b" * 64)
    replace(source, digest="").check_digest("b" * 64)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    saved(tmp_path / "one.safetensors")
    source = trained_prompt(tmp_path / "one.safetensors")
    save_file({source.tensor: torch.full(source.shape, torch.nan)}, source.file)
    with pytest.raises(UserError, match="not real and finite"):
        source.read()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda at: None, "no adapter file"),
        (lambda at: at.mkdir(), "must hold one adapter file, but holds none"),
        (lambda at: at.write_text("no weights"), "is not a readable safetensors file"),
        (lambda at: saved(at, "lora"), "holds no soft prompt, but what 'lora' trained"),
        (lambda at: peft(at, {"peft_type": "LORA"}), "holds no soft prompt, but PEFT's LORA"),
        (lambda at: peft(at, {"peft_type": "PROMPT_TUNING"}), "adapter_model.safetensors is miss"),
        (lambda at: peft(at, []), "holds no settings"),
    ],
)
def test_what_holds_no_prompt_is_refused_in_one_line(make, message, tmp_path):
    make(tmp_path / "here")
    with pytest.raises(UserError, match=message) as caught:
        trained_prompt(tmp_path / "here")
    assert "\n" not in str(caught.value)


def peft(folder: Path, settings: object) -> None:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(settings))
