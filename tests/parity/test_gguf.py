"""GGUF files of transformers' own models, their tensors named by the `gguf` package."""

import numpy as np
import pytest
import torch
from gguf import MODEL_ARCH, GGUFWriter, get_tensor_name_map
from tunebench.backbone.language import load_language_head
from tunebench.backbone.load import load_backbone
from tunebench.errors import UserError

from tests.parity.families import BERT, GPT, GROUPED, PLAIN, WORDS, batch_for, body, inputs, make

CASES = {
    "llama": ("llama", GROUPED),
    "llama, tied": ("llama", PLAIN | {"tie_word_embeddings": True}),
    "mistral": ("mistral", GROUPED | {"sliding_window": 5}),
    "qwen2": ("qwen2", GROUPED),
    "qwen3": ("qwen3", GROUPED | {"head_dim": 10}),
    "gpt2": ("gpt2", GPT),
    "bert": ("bert", BERT),
}


def neighbours(weight, heads):
    """Rows as llama.cpp keeps a Llama's: rotated pairs beside each other."""
    rows = weight.reshape(heads, 2, len(weight) // heads // 2, *weight.shape[1:])
    return np.ascontiguousarray(rows.swapaxes(1, 2).reshape(weight.shape))


def write(model, path):
    """The model's weights and settings as a GGUF file."""
    config, kind = model.config, model.config.model_type
    arch = "llama" if kind == "mistral" else kind
    writer = GGUFWriter(path, arch)
    writer.add_token_list([f"w{number}" for number in range(WORDS)])
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    writer.add_feed_forward_length(inner)
    writer.add_head_count(config.num_attention_heads)
    if arch in ("gpt2", "bert"):
        writer.add_layer_norm_eps(
            config.layer_norm_epsilon if arch == "gpt2" else config.layer_norm_eps
        )
    else:
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        writer.add_key_length(size)
    if kind == "mistral":
        writer.add_sliding_window(config.sliding_window)
    for name, values in tensors(model, arch).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(model, arch):
    known = {str(value.name).lower(): value for value in MODEL_ARCH}[arch]
    names = get_tensor_name_map(known, model.config.num_hidden_layers)
    source = body(model) if arch == "bert" else model
    found = {}
    for name, parameter in source.named_parameters():
        values = parameter.detach().numpy()
        if arch == "gpt2" and values.ndim > 1 and ".h." in name:
            values = np.ascontiguousarray(values.T)
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
        attribute = heads.get(name.split(".")[-2])
        if arch == "llama" and attribute:
            values = neighbours(values, getattr(model.config, attribute))
        found[names.get_name(name, try_suffixes=(".weight", ".bias"))] = values
    assert None not in found
    return found


@pytest.fixture(params=CASES)
def pair(request, tmp_path):
    model = make(*CASES[request.param])
    write(model, tmp_path / "model.gguf")
    return model, tmp_path / "model.gguf"


def close(found, wanted, share):
    """Within a share of the largest value."""
    return float((found - wanted).abs().max()) <= share * float(wanted.abs().max())


def test_a_file_gives_the_states_and_logits_of_the_model_it_was_made_of(pair):
    model, path = pair
    ours, batch = load_backbone(path), batch_for(model, "right")
    segments = batch.segments if ours.cfg.segments > 1 else None
    with torch.no_grad():
        states = batch.real(ours(batch.ids, batch.mask, segments))
        wanted = body(model)(batch.ids, **inputs(model, batch)).last_hidden_state
        logits = model(batch.ids, **inputs(model, batch)).logits
    assert close(states, batch.real(wanted), 1e-5)
    assert ours.cfg.count() == sum(p.numel() for p in body(model).parameters())
    if ours.cfg.causal:
        head = load_language_head(path, ours)
        assert close(head(states), batch.real(logits), 1e-5)
    else:
        with pytest.raises(UserError, match="has no language head"):
            load_language_head(path, ours)


def test_a_file_that_is_cut_short_names_the_tensor(tmp_path):
    path = tmp_path / "model.gguf"
    write(make("gpt2", GPT), path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UserError, match=r"cut short in tensor '.*' of shape \(.*\)"):
        load_backbone(path)
