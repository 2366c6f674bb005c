"""`tunebench generate` on a decoder of a few words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from tunebench.__main__ import main
from tunebench.backbone.generate import generate
from tunebench.backbone.sampling import Sampling
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.checkpoints.families import LLAMA_NAMES, source_name
from tunebench.methods import get_method
from tunebench.methods._saved import attach_saved
from tunebench.methods.base import trained
from tunebench.training.classifier import Classifier

from tests import tiny

WORDS = [f"w{n}" for n in range(tiny.DECODER.vocabulary)]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A random Llama whose texts end with token 7."""
    cfg = tiny.DECODER
    settings = {
        "model_type": "llama",
        "vocab_size": cfg.vocabulary,
        "hidden_size": cfg.width,
        "num_hidden_layers": cfg.layers,
        "num_attention_heads": cfg.heads,
        "num_key_value_heads": cfg.key_heads,
        "intermediate_size": cfg.hidden,
        "max_position_embeddings": cfg.context,
        "rms_norm_eps": cfg.epsilon,
        "tie_word_embeddings": True,
        "eos_token_id": 7,
    }
    parameters = tiny.backbone(cfg).named_parameters()
    weights = {source_name(name, LLAMA_NAMES): p.detach() for name, p in parameters}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(settings))
    words = models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="w0")
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return str(tmp_path)


def expected(folder: str, prompts: list[list[int]], **options: object) -> str:
    backbone = load_backbone(folder)
    return shown(generated(backbone, folder, prompts, **options), prompts)


def generated(
    backbone: nn.Module, folder: str, prompts: list[list[int]], **options: object
) -> list[list[int]]:
    head = Checkpoint.open(folder).load_language_head(backbone)
    return generate(backbone, head, prompts, **{"tokens": 9, "stop": {7}, **options})


def shown(tokens: list[list[int]], prompts: list[list[int]]) -> str:
    texts = [" ".join(WORDS[n] for n in (*p, *f)) for p, f in zip(prompts, tokens, strict=True)]
    return "\n\n".join(texts) + "\n"


@pytest.mark.parametrize("more", [[], ["--no-cache"]], ids=str)
def test_every_prompt_is_printed_with_its_continuation(
    folder: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "w3 w9", "w4", "--backbone", folder, "--tokens=9", *more]) == 0
    assert capsys.readouterr().out == expected(folder, [[3, 9], [4]])


def test_flags_reach_the_sampler(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["generate", "w3", "--backbone", folder, "--tokens", "9", "--seed", "3"]
    for more, sampling in (
        ([], Sampling(1.0, seed=3)),
        (["--temperature", "2.5"], Sampling(2.5, seed=3)),
        (["--top-k=4", "--top_p=0.9"], Sampling(1.0, 4, 0.9, 3)),
    ):
        assert main([*line, *more]) == 0
        assert capsys.readouterr().out == expected(folder, [[3]], sampling=sampling)


def test_a_context_that_is_too_short_is_told_in_one_line(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "w3 w9", "--backbone", folder, "--tokens=63"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "(inserted=0, prompt=2, tokens=63, context=64)" in err


@pytest.mark.parametrize("prompt", ["", "  "])
def test_a_prompt_without_a_token_is_refused(
    prompt: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "w3", prompt, "--backbone", folder]) == 2
    assert "prompt 2" in capsys.readouterr().err


def saved(folder: str, name: str, file: Path, template: str = "") -> nn.Module:
    """A trained adapter's file, and the backbone that it was saved from."""
    module = Classifier(load_backbone(folder), outputs=2)
    method = get_method(name)()
    method.attach(module.backbone)
    with torch.no_grad():
        for parameter in trained(module).values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    method.save(file, module, {"template": template})
    return module.backbone


@pytest.mark.parametrize("name", ["lora", "prefix", "p_tuning", "full"])
def test_a_saved_adapter_is_attached(
    name: str, folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "adapter"
    backbone = saved(folder, name, file)
    fresh = load_backbone(folder)
    attach_saved(file, fresh)
    weights = trained(backbone)
    assert weights.keys() == trained(fresh).keys()
    assert all(torch.equal(p, weights[key]) for key, p in trained(fresh).items())
    line = ["generate", "w3 w9", "--backbone", folder, "--tokens=9", "--adapter", str(file)]
    assert main(line) == 0
    output = capsys.readouterr().out
    assert output == shown(generated(backbone, folder, [[3, 9]]), [[3, 9]])


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("prompt", "Review: {sentence}\nSo:"),
        ("p_tuning", "[P] [P]Review: {sentence}\nSo:"),
        ("lora", "Review:[P] {sentence}[P]\nSo:"),
    ],
)
def test_virtual_tokens_before_a_template_stand_before_the_prompt(
    name: str, template: str, folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "adapter"
    backbone = saved(folder, name, file, template)
    line = ["generate", "w3 w9", "--backbone", folder, "--tokens=9", "--adapter", str(file)]
    assert main(line) == 0
    assert capsys.readouterr().out == shown(generated(backbone, folder, [[3, 9]]), [[3, 9]])


@pytest.mark.parametrize("template", ["Review: {sentence}[P]\nSo:", "[P]Review:[P] {sentence}"])
@pytest.mark.parametrize("name", ["prompt", "p_tuning"])
def test_virtual_tokens_in_a_template_s_slots_are_refused_without_it(
    name: str,
    template: str,
    folder: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "adapter"
    saved(folder, name, file, template)
    assert main(["generate", "w3", "--backbone", folder, "--adapter", str(file)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"its virtual tokens belong in the places of data.template {template!r}" in err


def spoil(file: Path, meta: dict[str, str], drop: bool = False) -> None:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as there:
        kept = dict(there.metadata()) | meta
        tensors = {key: there.get_tensor(key) for key in sorted(there.keys())[int(drop) :]}
    save_file(tensors, file, metadata=kept)


@pytest.mark.parametrize(
    ("meta", "drop", "message"),
    [
        ({"format": "other"}, False, "not an adapter that was saved here (its format is 'other'"),
        ({"method": "lroa"}, False, "did you mean 'lora'?"),
        ({"hyperparameters": "{"}, False, "hyperparameters are not read"),
        ({"hyperparameters": '{"rnk": 3}'}, False, "hyperparameters are not read"),
        ({"hyperparameters": '{"rank": 3}'}, False, "does not fit 'lora'"),
        ({}, True, "does not fit 'lora'"),
    ],
)
def test_an_adapter_that_does_not_fit_is_told_in_one_line(
    meta: dict[str, str],
    drop: bool,
    message: str,
    folder: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "adapter"
    saved(folder, "lora", file)
    spoil(file, meta, drop)
    assert main(["generate", "w3", "--backbone", folder, "--adapter", str(file)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


def test_a_file_of_another_kind_is_no_adapter(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "adapter"
    file.write_bytes(b"not safetensors")
    assert main(["generate", "w3", "--backbone", folder, "--adapter", str(file)]) == 2
    assert "not a readable safetensors file" in capsys.readouterr().err
