"""Stored adapters: what was not trained changes nothing, and a planted change is PEFT's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.errors import UserError
from tunebench.exchange.names import peft_names
from tunebench.exchange.ours import save_adapter
from tunebench.exchange.peft import export_peft
from tunebench.methods import get_method
from tunebench.methods.base import trained
from tunebench.retention.measure import Untuned


def adapter(folder: Path, path: Path, name: str, moved: float = 0.0) -> Path:
    """A stored adapter, its weights moved by this much off their start; also as PEFT's folder."""
    checkpoint = Checkpoint.open(folder)
    backbone, method = checkpoint.load_backbone(), get_method(name)()
    torch.manual_seed(1)
    method.attach(backbone)
    with torch.no_grad():
        for parameter in trained(backbone).values():
            parameter.add_(moved * torch.randn_like(parameter))
    save_adapter(path, method, backbone, None)
    if name == "lora":
        names = peft_names(checkpoint)
        export_peft(path.with_suffix(""), method, backbone, names, task="CAUSAL_LM")
    return path


@pytest.mark.parametrize("name", ["lora", "ia3", "adapter", "layer_norm", "full"])
def test_a_method_at_its_start_changes_exactly_nothing(
    name: str, causal: Path, texts: list[str], tmp_path: Path
) -> None:
    untuned = Untuned(Checkpoint.open(causal), texts, 40)
    known = untuned.retention(adapter(causal, tmp_path / "a.safetensors", name))
    assert (known.as_trained.change, known.as_trained.low, known.as_trained.high) == (0, 0, 0)
    assert known.folded.change == pytest.approx(0, abs=1e-6)
    assert (known.texts, known.untuned) == (len(texts), untuned.losses.mean)


# PEFT asks transformers in the old way.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_a_planted_change_is_that_of_peft_on_transformers(
    causal: Path, texts: list[str], tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import LlamaForCausalLM

    path = adapter(causal, tmp_path / "a.safetensors", "lora", moved=0.05)
    known = Untuned(Checkpoint.open(causal), texts, 40).retention(path)
    tokenizer = Checkpoint.open(causal).load_tokenizer()
    plain = LlamaForCausalLM.from_pretrained(causal).eval()
    tuned = PeftModel.from_pretrained(
        LlamaForCausalLM.from_pretrained(causal), str(path.with_suffix(""))
    ).eval()
    sums = dict.fromkeys(("plain", "tuned"), 0.0)
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        for which, model in (("plain", plain), ("tuned", tuned)):
            with torch.no_grad():
                mean = float(model(input_ids=ids, labels=ids).loss)
            sums[which] += mean * (ids.numel() - 1)
    change = (sums["tuned"] - sums["plain"]) / known.tokens
    assert abs(change) > 0.01
    assert known.as_trained.change == pytest.approx(change, abs=1e-5)
    assert known.folded.change == pytest.approx(change, abs=1e-4)
    assert known.as_trained.low < change < known.as_trained.high


@pytest.mark.parametrize("name", ["prompt", "prefix", "p_tuning_v2"])
def test_virtual_tokens_change_what_follows_them_folded_or_not(
    name: str, causal: Path, texts: list[str], tmp_path: Path
) -> None:
    path = adapter(causal, tmp_path / "a.safetensors", name, moved=0.5)
    known = Untuned(Checkpoint.open(causal), texts, 40).retention(path)
    assert abs(known.as_trained.change) > 1e-3
    assert known.folded.change == pytest.approx(known.as_trained.change, abs=1e-4)


def test_a_masked_model_forgets_by_what_is_planted(
    masked: Path, texts: list[str], tmp_path: Path
) -> None:
    untuned = Untuned(Checkpoint.open(masked), texts, 40)
    start = untuned.retention(adapter(masked, tmp_path / "a.safetensors", "bitfit"))
    moved = untuned.retention(adapter(masked, tmp_path / "b.safetensors", "bitfit", moved=0.3))
    assert start.as_trained.change == 0
    assert moved.as_trained.change != 0
    assert start.tokens == moved.tokens == sum(len(one.targets) for one in untuned.readings)


def test_what_has_no_language_model_is_refused(
    causal: Path, texts: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"on 1 of 2 layers of .*: its language head"):
        Untuned(Checkpoint.open(causal, 1), texts, 40)
    with pytest.raises(UserError, match="'minilm' has no language head"):
        Untuned(Checkpoint.open("minilm"), texts, 40)
