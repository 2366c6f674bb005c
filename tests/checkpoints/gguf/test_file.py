"""What a GGUF file says is understood or refused, and nothing is read beyond its end."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader, GGUFValueType
from gguf.constants import Keys
from transformers import PreTrainedModel
from tunebench.backbone.config import BackboneConfig
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.checkpoints.gguf.architectures import ARCHITECTURES
from tunebench.checkpoints.gguf.reader import Metadata, open_reader
from tunebench.checkpoints.gguf.settings import OUTSIDE, TOKENS, Settings
from tunebench.errors import UserError

from tests.parity.families import BERT, GPT, GROUPED, PLAIN, WORDS, make
from tests.parity.test_gguf import write
from tests.vocabularies import LLAMA3, of_bytes, vocabulary_file

LINEAR = {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}


@pytest.fixture(scope="module")
def scaled() -> PreTrainedModel:
    return make("llama", GROUPED | {"head_dim": 8, "rope_parameters": LINEAR})


@pytest.fixture(scope="module")
def plain() -> PreTrainedModel:
    return make("llama", GROUPED | {"head_dim": 8})


def close(path: Path, model: PreTrainedModel) -> bool:
    """Whether a file gives the logits of this model."""
    checkpoint, ids = Checkpoint.open(path), torch.arange(30).reshape(2, 15)
    with torch.no_grad():
        ours = checkpoint.load_backbone()
        logits = checkpoint.load_language_head(ours)(ours(ids).flatten(0, 1))
        wanted = model(ids, use_cache=False).logits.flatten(0, 1)
    return torch.allclose(logits, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "keys",
    [
        {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0},
        {"llama.rope.scaling.factor": 4.0},
        {"llama.rope.scale_linear": 4.0},
        {"llama.rope.scaling.factor": 4.0, "llama.rope.scale_linear": 8.0},
    ],
    ids=str,
)
def test_linear_scaling_is_read_by_every_key_that_llama_cpp_reads(
    keys: dict[str, Any], scaled: PreTrainedModel, tmp_path: Path
) -> None:
    write(scaled, tmp_path / "model.gguf", keys)
    assert close(tmp_path / "model.gguf", scaled)


@pytest.mark.parametrize(
    "keys",
    [
        {"llama.rope.scaling.type": "none", "llama.rope.scaling.factor": 4.0},
        {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 1.0},
        {"llama.rope.scale_linear": 1.0},
        {"llama.rope.scale_linear": 0.0},
        {"llama.rope.scaling.finetuned": False, "llama.rope.scaling.original_context_length": 32},
        {"llama.vocab_size": WORDS, "llama.attention.value_length": 8},
        {"llama.expert_count": 0, "llama.logit_scale": 1.0, "llama.attention.causal": True},
        {"llama.tensor_data_layout": "Meta AI original pth"},
        {"llama.attention.sliding_window": 0},
        {"general.name": "anything", "other.rope.scaling.factor": 2.0},
    ],
    ids=str,
)
def test_what_changes_nothing_is_passed_over(
    keys: dict[str, Any], plain: PreTrainedModel, tmp_path: Path
) -> None:
    write(plain, tmp_path / "model.gguf", keys)
    assert Checkpoint.open(tmp_path / "model.gguf").config.rope_scaling is None
    assert close(tmp_path / "model.gguf", plain)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"llama.rope.scaling.type": "yarn"}, r"rope.scaling.type='yarn' is not supported"),
        ({"llama.rope.scaling.type": "linear"}, r"'rope.scaling.factor' is missing"),
        ({"llama.rope.scaling.attn_factor": 1.5}, r"llama.rope.scaling.attn_factor=1.5 is not"),
        ({"llama.expert_count": 8}, r"llama.expert_count=8 is not supported"),
        ({"llama.logit_scale": 0.5}, r"llama.logit_scale=0.5 is not supported"),
        ({"llama.attention.scale": 0.5}, r"llama.attention.scale=0.5 is not supported"),
        ({"llama.attention.causal": False}, r"llama.attention.causal=False is not supported"),
        ({"llama.attention.value_length": 4}, r"attention.value_length=4 .*\(only 8 is\)"),
        ({"llama.rope.dimension_count": 4}, r"rotated in part"),
        ({"llama.rope.freq_base_swa": 10.0}, r"llama.rope.freq_base_swa=10.0 is not supported"),
        ({"llama.vocab_size": 7}, r"llama.vocab_size=7, but tokenizer.ggml.tokens has 61"),
        ({"llama.whatever": 1}, r"the setting llama.whatever=1 is not supported"),
        ({"llama.attention.sliding_window": "wide"}, r"`llama.attention.sliding_window` must"),
        ({"split.count": 3, "split.no": 0}, r"is one of 3 parts of a model; join them first"),
        ({"general.type": "adapter"}, r"must be a model, but its general.type is 'adapter'"),
    ],
    ids=str,
)
def test_a_setting_that_may_change_the_network_is_refused_by_its_name(
    keys: dict[str, Any], message: str, plain: PreTrainedModel, tmp_path: Path
) -> None:
    write(plain, tmp_path / "model.gguf", keys)
    with pytest.raises(UserError, match=message):
        load_backbone(tmp_path / "model.gguf")


def every_key(group: type = Keys) -> Iterator[str]:
    """The names of settings that llama.cpp's converter can write, without the architecture's."""
    for value in vars(group).values():
        if isinstance(value, type):
            yield from every_key(value)
        elif isinstance(value, str) and value.startswith("{arch}."):
            yield value.removeprefix("{arch}.")


def configured(kind: str, **more: Any) -> BackboneConfig:
    """The shape that settings describe, of which none was passed over."""
    sizes = {"context_length": 64, "embedding_length": 24, "block_count": 2}
    sizes |= {"feed_forward_length": 40, "attention.head_count": 4}
    epsilon = "layer_norm_epsilon" if kind in {"gpt2", "bert"} else "layer_norm_rms_epsilon"
    keys: dict[str, Any] = sizes | {f"attention.{epsilon}": 1e-5} | more
    metadata = {f"{kind}.{key}": value for key, value in keys.items()}
    settings = Settings(metadata | {TOKENS: [f"t{n}" for n in range(61)]}, kind)
    cfg = ARCHITECTURES[kind].configure(settings)
    settings.refuse_others()
    return cfg


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("key", sorted(every_key()))
def test_every_key_that_llama_cpp_writes_is_read_or_refused_or_outside(kind: str, key: str) -> None:
    refused = False
    try:
        cfg = configured(kind, **{key: 3})
    except (UserError, ValueError):
        refused = True
    assert refused or key in OUTSIDE or cfg != configured(kind)


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_sizes_of_heads_that_newer_converters_write_are_no_contradiction(kind: str) -> None:
    heads = {"attention.head_count_kv": 4, "attention.key_length": 6, "attention.value_length": 6}
    assert configured(kind, **heads) == configured(kind)


def test_a_part_alone_is_never_taken_for_a_model_with_a_tied_head(
    plain: PreTrainedModel, tmp_path: Path
) -> None:
    """Its own head lies in another part."""
    path = tmp_path / "model-00001-of-00002.gguf"
    write(plain, path, {"split.count": 2})
    with pytest.raises(UserError, match="one of 2 parts"):
        assert Checkpoint.open(path).config


@pytest.mark.parametrize(
    "name", ["blk.0.attn_q_norm.weight", "rope_factors_long.weight", "blk.1.ffn_gate_exps.weight"]
)
def test_a_tensor_that_nothing_reads_is_refused(
    name: str, plain: PreTrainedModel, tmp_path: Path
) -> None:
    write(plain, tmp_path / "model.gguf", **{name: np.ones(8, dtype=np.float32)})
    with pytest.raises(UserError, match=f"tensor '{name}' is in the file, but the network"):
        load_backbone(tmp_path / "model.gguf")


def test_layers_beyond_those_that_are_asked_for_are_no_contradiction(
    plain: PreTrainedModel, tmp_path: Path
) -> None:
    write(plain, tmp_path / "model.gguf")
    assert len(load_backbone(tmp_path / "model.gguf", layers=1).blocks) == 1


def test_a_reranker_s_classifier_is_left_where_it_is(tmp_path: Path) -> None:
    keys = {"bert.pooling_type": 4, "bert.classifier.output_labels": ["yes", "no"]}
    classifier = {"cls.output.weight": np.ones((1, 24), dtype=np.float32)}
    write(make("bert", BERT), tmp_path / "model.gguf", keys, **classifier)
    assert load_backbone(tmp_path / "model.gguf").cfg.segments == 2


def test_every_value_is_that_of_the_package_s_own_reader(tmp_path: Path) -> None:
    path = tmp_path / "words.gguf"
    vocabulary_file(path, "gpt2", "llama-bpe", of_bytes(LLAMA3), bos_token_id=3, add_bos_token=True)
    wanted = {key: field.contents() for key, field in GGUFReader(path).fields.items()}
    assert dict(Metadata(path, open_reader(path))) == wanted


@pytest.mark.parametrize("kind", list(GGUFValueType), ids=str)
@pytest.mark.parametrize("count", [2**62, 2**63 + 1, 7, 1])
def test_an_array_longer_than_the_file_is_refused_at_once(
    kind: GGUFValueType, count: int, tmp_path: Path
) -> None:
    path = tmp_path / "array.gguf"
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    path.write_bytes(head + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, kind, count))
    with pytest.raises(UserError, match="is not a readable GGUF file"):
        assert Checkpoint.open(path).config


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<IQQ", 3, 2**62, 0),
        struct.pack("<IQQ", 3, 0, 2**62),
        struct.pack("<IQQ", 3, 2**64 - 1, 2**64 - 1),
        struct.pack("<IQQQ", 3, 0, 1, 2**63),
        struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q1sI", 1, b"t", 2**31),
        struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q1sIQIQ", 1, b"t", 1, 2**60, 0, 0) + bytes(64),
    ],
    ids=["tensors", "pairs", "both", "name", "axes", "numbers"],
)
def test_a_count_that_the_file_cannot_hold_is_refused_at_once(head: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + head)
    with pytest.raises(UserError, match="is not a readable GGUF file"):
        assert Checkpoint.open(tmp_path / "model.gguf").config


@pytest.mark.parametrize("key", ["block_count", "context_length", "attention.head_count"])
def test_a_number_of_something_that_is_none_is_named(key: str, tmp_path: Path) -> None:
    model = make("gpt2", GPT)
    write(model, tmp_path / "model.gguf")
    content = (tmp_path / "model.gguf").read_bytes()
    at = content.index(f"gpt2.{key}".encode()) + len(f"gpt2.{key}") + 4
    (tmp_path / "model.gguf").write_bytes(content[:at] + bytes(4) + content[at + 4 :])
    with pytest.raises(UserError, match=rf"`gpt2.{key}` must be a whole number, 1 or more, but"):
        load_backbone(tmp_path / "model.gguf")


@pytest.mark.parametrize(
    ("layers", "message"),
    [(9_000, r"tensor 'blk.3.attn_q.weight' is missing"), (2**31, "`layers <= 10000` must hold")],
)
def test_layers_that_are_not_there_are_refused_before_memory_is_taken(
    layers: int, message: str, tmp_path: Path
) -> None:
    write(make("llama", PLAIN), tmp_path / "model.gguf")
    content = (tmp_path / "model.gguf").read_bytes()
    at = content.index(b"llama.block_count") + len(b"llama.block_count") + 4
    more = struct.pack("<I", layers)
    (tmp_path / "model.gguf").write_bytes(content[:at] + more + content[at + 4 :])
    with pytest.raises(UserError, match=message):
        load_backbone(tmp_path / "model.gguf")
