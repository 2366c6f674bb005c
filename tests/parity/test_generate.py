"""Generated tokens and their logits against transformers' own `generate`."""

import pytest
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
from tunebench.backbone.generate import generate
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone

from tests.parity.conftest import worst
from tests.parity.test_smollm2 import llama

PROMPTS = [
    "The capital of France is",
    "Once upon a time, there was a little girl who",
    "def add(a, b):\n",
]


def generated_by_transformers(model, prompt, tokens, stop):
    """Their greedy tokens after one prompt, and the logits of each."""
    ending = sorted(stop) or None
    config = GenerationConfig(
        max_new_tokens=tokens, do_sample=False, eos_token_id=ending, pad_token_id=0
    )
    output = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
        generation_config=config,
        output_logits=True,
        return_dict_in_generate=True,
    )
    return output.sequences[0, len(prompt) :].tolist(), torch.cat(output.logits)


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "a head of its own"])
def small(request, tmp_path_factory):
    """A random Llama of peer, and ours with its head from the folder that it was saved in."""
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=61,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=40,
        max_position_embeddings=64,
        initializer_range=0.3,
        tie_word_embeddings=request.param,
        eos_token_id=None,
    )
    model, folder = LlamaForCausalLM(config).eval(), tmp_path_factory.mktemp("llama")
    model.save_pretrained(folder)
    backbone = load_backbone(folder)
    return model, backbone, Checkpoint.open(folder).load_language_head(backbone)


@pytest.mark.parametrize("cached", [True, False], ids=["cache", "no cache"])
def test_a_random_llama_goes_on_as_transformers_does(small, cached):
    model, backbone, head = small
    prompts = [[5, 8, 13, 21, 34], [55], [3, 1, 4, 1, 5, 9, 2, 6]]
    texts = generate(backbone, head, prompts, tokens=24, cached=cached)
    wanted = [generated_by_transformers(model, prompt, 24, set())[0] for prompt in prompts]
    assert texts == wanted
    assert len({token for row in texts for token in row}) > 10
    stop = {wanted[0][5], wanted[2][2]}
    ended = [generated_by_transformers(model, prompt, 24, stop)[0] for prompt in prompts]
    assert generate(backbone, head, prompts, tokens=24, cached=cached, stop=stop) == ended


@pytest.mark.slow
def test_smollm2_generates_the_64_tokens_that_transformers_generates():
    ours = load_backbone("smollm2")
    base = llama(ours.cfg.layers)
    model = LlamaForCausalLM(base.config).eval()
    model.model = base
    model.lm_head.weight = base.embed_tokens.weight
    tokenizer, stop = (
        Checkpoint.open("smollm2").load_tokenizer(),
        Checkpoint.open("smollm2").stop_tokens(),
    )
    prompts = [tokenizer.encode(text).ids for text in PROMPTS]
    rows = []

    def head(states):
        rows.append(states @ ours.embedding.weight.T)
        return rows[-1]

    wanted = [generated_by_transformers(model, prompt, 64, stop) for prompt in prompts]
    assert max(len(tokens) for tokens, _ in wanted) == 64
    for cached in (True, False):
        texts = generate(ours, Head(head), prompts, tokens=64, stop=stop, cached=cached)
        assert texts == [tokens for tokens, _ in wanted]
    (tokens, logits), prompt = wanted[0], prompts[0]
    rows.clear()
    assert generate(ours, Head(head), [prompt], tokens=64, stop=stop) == [tokens]
    assert worst(torch.cat(rows), logits.double()) <= 1e-5 * float(logits.abs().max())


class Head(torch.nn.Module):
    """A head that is a function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, states):
        return self.function(states)
