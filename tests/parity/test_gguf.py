"""GGUF files of transformers' own models, their tensors named by the `gguf` package."""

import numpy as np
import pytest
import torch
from gguf import MODEL_ARCH, GGUFValueType, GGUFWriter, get_tensor_name_map
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from tunebench.backbone.rope_scaling import scaled_frequencies
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.errors import UserError

from tests.parity.families import BERT, GPT, GROUPED, PLAIN, WORDS, batch_for, body, inputs, make

STRETCHED = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""Of a head of eight numbers one frequency is kept twice, one blended, one divided whole."""
LLAMA_31 = GROUPED | {"head_dim": 8, "rope_parameters": STRETCHED}
CASES = {
    "llama": ("llama", GROUPED),
    "llama 3.1": ("llama", LLAMA_31),
    "llama, tied": ("llama", PLAIN | {"tie_word_embeddings": True}),
    "llama, biases": ("llama", GROUPED | {"attention_bias": True, "mlp_bias": True}),
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


def divisors(config):
    """What llama.cpp keeps of a Llama 3.1's frequencies, reckoned in float64."""
    rope, size = config.rope_parameters, config.head_dim
    plain = rope["rope_theta"] ** -(np.arange(0, size, 2) / size)
    rotations = rope["original_max_position_embeddings"] * plain / (2 * np.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    share = np.clip((rotations - low) / (high - low), 0, 1)
    return (1 / ((1 - share) / rope["factor"] + share)).astype(np.float32)


def write(model, path, keys=None, **other):
    """The model's weights and settings as a GGUF file.

    Args:
        model: One of transformers.
        path: The file to write.
        keys: More settings, by their whole names.
        **other: Tensors by llama.cpp's names, in the place of the model's.
    """
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
    for key, value in (keys or {}).items():
        writer.add_key_value(key, value, GGUFValueType.get_type(value))
    for name, values in (tensors(model, arch) | other).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(model, arch):
    known = {str(value.name).lower(): value for value in MODEL_ARCH}[arch]
    names = get_tensor_name_map(known, model.config.num_hidden_layers)
    source = body(model) if arch == "bert" else model
    tensors_by_name = {}
    for name, parameter in source.named_parameters():
        values = parameter.detach().numpy()
        if arch == "gpt2" and values.ndim > 1 and ".h." in name:
            values = np.ascontiguousarray(values.T)
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
        attribute = heads.get(name.split(".")[-2])
        if arch == "llama" and attribute:
            values = neighbours(values, getattr(model.config, attribute))
        tensors_by_name[names.get_name(name, try_suffixes=(".weight", ".bias"))] = values
    assert None not in tensors_by_name
    if (getattr(model.config, "rope_parameters", None) or {}).get("rope_type") == "llama3":
        tensors_by_name["rope_freqs.weight"] = divisors(model.config)
    return tensors_by_name


@pytest.fixture(params=CASES)
def pair(request, tmp_path):
    model = make(*CASES[request.param])
    write(model, tmp_path / "model.gguf")
    return model, tmp_path / "model.gguf"


def close(frequencies, wanted, share):
    """Within a share of the largest value."""
    return float((frequencies - wanted).abs().max()) <= share * float(wanted.abs().max())


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
        head = Checkpoint.open(path).load_language_head(ours)
        assert close(head(states), batch.real(logits), 1e-5)
    else:
        with pytest.raises(UserError, match="has no language head"):
            Checkpoint.open(path).load_language_head(ours)


def test_a_file_that_is_cut_short_names_the_tensor(tmp_path):
    path = tmp_path / "model.gguf"
    write(make("gpt2", GPT), path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UserError, match=r"cut short in tensor '.*' of shape \(.*\)"):
        load_backbone(path)


@pytest.mark.parametrize("factor", [8.0, 32.0])
@pytest.mark.parametrize("size", [8, 64, 128])
def test_llama_3s_divisors_give_the_frequencies_of_transformers(tmp_path, size, factor):
    settings = {"head_dim": size, "rope_parameters": STRETCHED | {"factor": factor}}
    model = make("llama", LLAMA_31 | settings | {"num_hidden_layers": 1})
    write(model, tmp_path / "model.gguf")
    cfg = load_backbone(tmp_path / "model.gguf").cfg
    wanted, share = ROPE_INIT_FUNCTIONS["llama3"](model.config, "cpu")
    frequencies = scaled_frequencies(cfg.head_size, cfg.rope_theta, cfg.rope_scaling)
    assert share == 1.0
    assert torch.allclose(frequencies, wanted, rtol=1e-6, atol=0)
    assert not torch.allclose(
        frequencies, scaled_frequencies(size, cfg.rope_theta, None), rtol=0.1, atol=0
    )


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ([1, 1, 1, 8], r"got \(place=2, found=1, factor 8=2.*\); take its safetensors"),
        ([1, 1, np.nan, 8], r"all positive, but got \[1.0, 1.0, nan, 8.0\]"),
        ([0, 0, 0, 0], r"all positive, but got \[0.0, "),
        ([1, 8], r"one number for each frequency, but got \(tensor=\(2,\), frequencies=\(4,\)\)"),
    ],
    ids=["blend", "nan", "nought", "short"],
)
def test_other_divisors_than_llama_3s_are_refused(tmp_path, broken, message):
    path = tmp_path / "model.gguf"
    other = {"rope_freqs.weight": np.array(broken, dtype=np.float32)}
    write(make("llama", LLAMA_31), path, **other)
    with pytest.raises(UserError, match=rf"rope_freqs.weight must be Llama 3's .*{message}"):
        load_backbone(path)


def test_divisors_where_nothing_is_rotated_are_refused(tmp_path):
    path = tmp_path / "model.gguf"
    write(make("gpt2", GPT), path, **{"rope_freqs.weight": np.ones(3, dtype=np.float32)})
    with pytest.raises(UserError, match=r"and the only scaling, but the settings say otherwise"):
        load_backbone(path)
