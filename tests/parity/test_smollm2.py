"""SmolLM2's hidden states against a transformers Llama: at most twice its own fp32 error.

The Llama's weights are read from the same file by another path: dequantised by the `gguf` package
and put in order one row at a time.
"""

import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaModel
from tunebench.checkpoints.catalogue import locate
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone

from tests.parity.conftest import Padded, worst
from tests.parity.gradients import gradients_agree

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def by_halves(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Row 2j + i of a head goes to row i · (size / 2) + j."""
    size = len(weight) // heads
    order = [
        head * size + 2 * j + i for head in range(heads) for i in (0, 1) for j in range(size // 2)
    ]
    return weight[order]


def llama(layers: int) -> LlamaModel:
    """A Llama of so many layers, filled from the file."""
    reader = GGUFReader(locate("smollm2"))
    fields = {key: field.contents() for key, field in reader.fields.items()}
    heads, key_heads = fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]
    config = LlamaConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        max_position_embeddings=fields["llama.context_length"],
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": fields["llama.rope.freq_base"]},
    )
    model = LlamaModel(config).eval()
    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def read(name: str) -> torch.Tensor:
        tensor = tensors[f"{name}.weight"]
        return torch.tensor(dequantize(tensor.data, tensor.tensor_type))

    state = {"embed_tokens.weight": read("token_embd"), "norm.weight": read("output_norm")}
    for layer in range(layers):
        for name, short in NAMES.items():
            weight = read(f"blk.{layer}.{short}")
            if short in ("attn_q", "attn_k"):
                weight = by_halves(weight, heads if short == "attn_q" else key_heads)
            state[f"layers.{layer}.{name}.weight"] = weight
    model.load_state_dict(state)
    return model


LENGTHS = ((9, 4, 13), (7, 12, 3), (20, 5, 11), (30, 8, 2))
"""Texts of several batches: the largest error of a few tokens alone is a matter of luck."""


def as_near_as(peer, ours, side) -> None:
    """Both in fp32 against peer in float64; positions by column, as ours are numbered."""
    batches = [Padded(ours.cfg.vocabulary, side, lengths) for lengths in LENGTHS]

    def read() -> torch.Tensor:
        states = []
        for batch in batches:
            positions = torch.arange(batch.ids.shape[1]).expand_as(batch.ids)
            named = {"attention_mask": batch.mask, "position_ids": positions, "use_cache": False}
            states.append(batch.real(peer(batch.ids, **named).last_hidden_state))
        return torch.cat(states)

    head = Checkpoint.open("smollm2").load_language_head(ours)
    with torch.no_grad():
        single = read()
        logits = single @ peer.embed_tokens.weight.T
        peer.double()
        exact = read()
        exact_logits = exact @ peer.embed_tokens.weight.T
        peer.float()
        states = torch.cat([batch.real(ours(batch.ids, batch.mask)) for batch in batches])
        assert 0 < worst(states, exact) <= 2 * worst(single, exact)
        assert 0 < worst(head(states), exact_logits) <= 2 * worst(logits, exact_logits)


@pytest.fixture(scope="module")
def first():
    """Two layers of peer and of ours; opening the file takes seconds."""
    return llama(2), load_backbone("smollm2", layers=2)


def test_the_first_layers_are_as_near_to_float64_as_transformers_own(first, side):
    as_near_as(*first, side)


def test_positions_are_numbered_as_transformers_numbers_them_where_padding_is_right(first):
    peer, ours = first
    batch = Padded(ours.cfg.vocabulary, "right")
    with torch.no_grad():
        wanted = peer(batch.ids, attention_mask=batch.mask, use_cache=False).last_hidden_state
        states = ours(batch.ids, batch.mask)
    assert torch.allclose(batch.real(states), batch.real(wanted), rtol=1e-4, atol=1e-4)


def test_gradients_are_theirs(first):
    peer, ours = first
    batch = Padded(ours.cfg.vocabulary, "right")
    gradients_agree(peer, ours, batch, {"attention_mask": batch.mask}, "llama")


@pytest.mark.slow
@pytest.mark.parametrize("layers", [4, 30])
def test_more_layers_are_as_near_to_float64_as_transformers_own(layers, side):
    ours = load_backbone("smollm2", layers=layers)
    as_near_as(llama(layers), ours, side)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_file_is_read_as_transformers_reads_it():
    path = locate("smollm2")
    whole = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    )
    peer, ours = whole.model, load_backbone("smollm2")
    counted = sum(p.numel() for p in peer.parameters())
    assert ours.cfg.count() == counted
    as_near_as(peer.eval(), ours, "left")
