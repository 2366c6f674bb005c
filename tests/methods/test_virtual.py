"""Virtual tokens in a template's places: embedding surgery by hand is the oracle."""

import pytest
import torch
from tunebench.backbone.layout import Layout
from tunebench.methods import get_method
from tunebench.methods._virtual import insert, put_before, shares

from tests import tiny

LENGTHS = (3, 1, 5)


def by_hand(prompt, x, soft_token_positions, sizes):
    """The same sequences, made one token at a time."""
    rows, places, first = [], [], 0
    for length, wanted in zip(LENGTHS, soft_token_positions.tolist(), strict=True):
        taken = 0
        for token in range(first, first + length + 1):
            for position, size in zip(wanted, sizes, strict=True):
                if position == token and (token < first + length or position == first + length):
                    rows += list(prompt[taken : taken + size])
                    taken += size
            if token < first + length:
                places.append(len(rows))
                rows.append(x[token])
        first += length
    return torch.stack(rows), places


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("length", [3, 4, 7])
def test_slots_are_filled_as_by_hand(count, length):
    x, prompt = torch.randn(sum(LENGTHS), 4), torch.randn(length, 4)
    layout = Layout.from_lengths(LENGTHS)
    inside = torch.tensor([[0, 2, 3], [0, 0, 1], [1, 1, 4]])[:, :count]
    soft_token_positions = inside + layout.cu_seqlens[:-1, None]
    joined, wider, places = insert(prompt, x, layout, soft_token_positions)
    sizes = shares(length, count)
    assert sum(sizes) == length
    assert max(sizes) - min(sizes) <= 1
    rows, wanted = by_hand(prompt, x, soft_token_positions, sizes)
    assert torch.equal(joined, rows)
    assert places.tolist() == wanted
    assert wider.lengths.tolist() == [tokens + length for tokens in LENGTHS]
    assert wider.max_seqlen == max(LENGTHS) + length


def test_a_slot_in_front_is_the_prompt_before_the_text_bit_for_bit():
    x, prompt, layout = (
        torch.randn(sum(LENGTHS), 4),
        torch.randn(3, 4),
        Layout.from_lengths(LENGTHS),
    )
    joined = insert(prompt, x, layout, layout.cu_seqlens[:-1, None].long())
    before = put_before(prompt, x, layout)
    assert torch.equal(joined[0], before[0])
    assert torch.equal(joined[2], before[2])
    assert torch.equal(joined[1].cu_seqlens, before[1].cu_seqlens)


@pytest.mark.parametrize("name", ["prompt", "p_tuning"])
def test_the_backbone_reads_slots_as_words_that_stood_there(name, cfg):
    backbone = tiny.backbone(cfg)
    words = torch.randint(0, cfg.vocabulary, (3,))
    ids, layout = torch.randint(0, cfg.vocabulary, (9,)), Layout.from_lengths((4, 5))
    with torch.no_grad():
        whole = backbone.encode(
            torch.cat([ids[:1], words, ids[1:6], words, ids[6:]]), Layout.from_lengths((7, 8))
        )
    get_method(name)(length=3).attach(backbone)
    if name == "p_tuning":
        backbone.prompt = backbone.prompt.drop_encoder()
    with torch.no_grad():
        backbone.prompt.table.copy_(backbone.embedding.weight[words])
        joined = backbone.encode(ids, layout, soft_token_positions=torch.tensor([[1], [6]]))
    text = [0, 4, 5, 6, 7, 8, 12, 13, 14]
    assert torch.allclose(joined, whole[text], rtol=1e-5, atol=1e-5)


def filling_slots_is_one_graph() -> None:
    """For `test_one_graph.py`, whose process is without the shape checks."""
    x, prompt, layout = (
        torch.randn(sum(LENGTHS), 4),
        torch.randn(3, 4),
        Layout.from_lengths(LENGTHS),
    )
    soft_token_positions = torch.tensor([[1, 2], [3, 4], [5, 9]])
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda prompt, x, soft_token_positions: insert(prompt, x, layout, soft_token_positions)[0],
        fullgraph=True,
        backend="aot_eager",
    )
    assert torch.equal(
        compiled(prompt, x, soft_token_positions),
        insert(prompt, x, layout, soft_token_positions)[0],
    )


def test_a_method_without_virtual_tokens_leaves_slots_empty(cfg):
    text, soft_token_positions = tiny.batch(), torch.tensor([[1], [3], [5], [11]])
    backbone = tiny.backbone(cfg)
    plain = backbone.encode(text.ids, text.layout)
    assert torch.equal(
        backbone.encode(text.ids, text.layout, soft_token_positions=soft_token_positions), plain
    )


@pytest.mark.parametrize("places", [None, 2])
def test_the_gradient_of_a_prompt_is_the_same_every_time(
    places: int | None, two_threads: None
) -> None:
    """Every text reads the same vectors: summed as threads come, the last bits would change."""
    lengths = torch.randint(20, 80, (16,), generator=torch.Generator().manual_seed(0)).tolist()
    layout = Layout.from_lengths(lengths)
    x, towards = torch.randn(sum(lengths), 384), torch.randn(sum(lengths) + 16 * 10, 384)
    positions = None if places is None else layout.cu_seqlens[:-1, None] + torch.tensor([[0, 5]])
    gradients = []
    for _ in range(20):
        prompt = torch.zeros(10, 384, requires_grad=True)
        joined, _, _ = insert(prompt, x, layout, positions)
        (joined * towards).sum().backward()
        gradients.append(prompt.grad)
    assert all(torch.equal(gradients[0], each) for each in gradients)
