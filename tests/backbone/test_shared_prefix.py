"""What stands before every text, read once, gives what it gives when it is read each time."""

import pytest
import torch
from tunebench.backbone.layout import Layout
from tunebench.backbone.ports import Memory, NoPrompt
from tunebench.backbone.shared_prefix import PrefilledMemory, plug_prefix, prefill
from tunebench.errors import UserError
from tunebench.methods._virtual import MemoryTable, PromptTable

from tests import tiny

LAYOUT = Layout.from_lengths((4, 1, 3))
IDS = torch.arange(8) + 20


def close(values, wanted):
    return float((values - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())


@pytest.mark.parametrize("length", [1, 2, 9])
@torch.no_grad()
def test_a_prompt_in_front_becomes_a_memory(length):
    backbone = tiny.backbone(tiny.DECODER)
    prompt = torch.randn(length, backbone.cfg.width)
    backbone.set_submodule("prompt", PromptTable(prompt))
    wanted = backbone.encode(IDS, LAYOUT)
    plug_prefix(backbone, prompt)
    assert isinstance(backbone.prompt, NoPrompt)
    assert isinstance(backbone.memory, PrefilledMemory)
    assert backbone.memory().start == length
    assert close(backbone.encode(IDS, LAYOUT), wanted)


@torch.no_grad()
def test_words_in_front_are_read_like_any_text():
    backbone = tiny.backbone(tiny.DECODER)
    words = torch.tensor([5, 6, 7])
    rows = [torch.cat([words, part]) for part in IDS.split(LAYOUT.lengths.tolist())]
    whole = backbone.encode(torch.cat(rows), LAYOUT.extended(3))
    wanted = torch.cat([row[3:] for row in whole.split([len(row) for row in rows])])
    plug_prefix(backbone, backbone.embedding(words))
    assert close(backbone.encode(IDS, LAYOUT), wanted)


@torch.no_grad()
def test_a_memory_that_is_there_stays_in_front():
    backbone = tiny.backbone(tiny.DECODER)
    cfg = backbone.cfg
    values = torch.randn(2, cfg.layers, 3, cfg.key_heads, cfg.head_size)
    backbone.set_submodule("memory", MemoryTable(values, start=3))
    prompt = torch.randn(2, cfg.width)
    backbone.set_submodule("prompt", PromptTable(prompt))
    wanted = backbone.encode(IDS, LAYOUT)
    memory = prefill(backbone, prompt)
    assert isinstance(memory, Memory)
    assert (memory.keys.shape[1], memory.start) == (5, 5)
    plug_prefix(backbone, prompt)
    assert close(backbone.encode(IDS, LAYOUT), wanted)


def test_an_encoder_is_refused_and_left_as_it_was():
    backbone = tiny.backbone(tiny.ENCODER)
    port = backbone.prompt
    with pytest.raises(UserError, match="on a causal backbone only"):
        plug_prefix(backbone, torch.randn(2, 32))
    assert backbone.prompt is port


def test_the_port_comes_back_where_reading_fails():
    backbone = tiny.backbone(tiny.DECODER)
    port = backbone.prompt
    with pytest.raises(ValueError, match="context"):
        prefill(backbone, torch.randn(65, 32))
    assert backbone.prompt is port
