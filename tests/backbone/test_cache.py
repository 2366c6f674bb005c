"""The KV-cache: reading in pieces equals reading at once."""

import itertools

import pytest
import torch
from torch import nn
from tunebench.backbone.cache import KVCache
from tunebench.backbone.layout import Layout
from tunebench.backbone.ports import Memory, plug
from tunebench.errors import UserError
from tunebench.methods import get_method

from tests import tiny

LENGTHS = (6, 3, 9)


def pieces(states, lengths, cuts):
    """For each piece, the states of its tokens; `cuts[i]` says how many each sequence reads."""
    starts = [0, *itertools.accumulate(lengths)][:-1]
    begun = [0] * len(lengths)
    for cut in cuts:
        rows = [
            start + at + k
            for start, at, n in zip(starts, begun, cut, strict=True)
            for k in range(n)
        ]
        yield states[rows]
        begun = [at + n for at, n in zip(begun, cut, strict=True)]


@pytest.mark.parametrize(
    "cuts",
    [
        [(6, 3, 9)],
        [(5, 2, 8), (1, 1, 1)],
        [(1, 1, 1), (2, 1, 5), (3, 1, 3)],
        [(4, 1, 2), (0, 2, 3), (2, 0, 4)],
    ],
    ids=["at once", "one more", "several at a time", "some read nothing"],
)
def test_reading_in_pieces_equals_reading_at_once(cuts):
    backbone = tiny.backbone(tiny.DECODER)
    ids = torch.randint(0, 50, (sum(LENGTHS),))
    full = backbone.encode(ids, Layout.from_lengths(LENGTHS))
    cache = KVCache(len(LENGTHS))
    assert cache.empty
    parts = zip(cuts, pieces(ids, LENGTHS, cuts), pieces(full, LENGTHS, cuts), strict=True)
    for cut, some, wanted in parts:
        states = backbone.encode(some, Layout.from_lengths(cut), cache=cache)
        assert torch.allclose(states, wanted, rtol=1e-5, atol=1e-5)
    assert cache.lengths.tolist() == list(LENGTHS)
    assert not cache.empty


def test_a_sequence_never_sees_the_cache_of_another():
    backbone = tiny.backbone(tiny.DECODER)
    ids = torch.randint(0, 50, (8,))
    other = ids.clone()
    other[:4] = (other[:4] + 1) % 50
    last = []
    for text in (ids, other):
        cache = KVCache(2)
        backbone.encode(text[[0, 1, 2, 4, 5, 6]], Layout.from_lengths((3, 3)), cache=cache)
        last.append(backbone.encode(text[[3, 7]], Layout.from_lengths((1, 1)), cache=cache))
    assert torch.equal(last[0][1], last[1][1])
    assert not torch.allclose(last[0][0], last[1][0], atol=1e-3)


def test_a_full_context_takes_no_further_token():
    backbone = tiny.backbone(tiny.DECODER)
    cache = KVCache(1)
    backbone.encode(torch.zeros(64, dtype=torch.int64), Layout.from_lengths([64]), cache=cache)
    with pytest.raises(UserError, match="got 65 positions in a context of 64"):
        backbone.encode(torch.zeros(1, dtype=torch.int64), Layout.from_lengths([1]), cache=cache)
    assert cache.lengths.tolist() == [64]


def test_the_context_is_each_sequence_s_own():
    backbone = tiny.backbone(tiny.DECODER)
    cache = KVCache(2)
    backbone.encode(torch.zeros(64, dtype=torch.int64), Layout.from_lengths([60, 4]), cache=cache)
    backbone.encode(torch.zeros(61, dtype=torch.int64), Layout.from_lengths([1, 60]), cache=cache)
    assert cache.lengths.tolist() == [61, 64]


class Taught(nn.Module):
    """A memory of five tokens, the text beginning at `start`."""

    def __init__(self, start: int) -> None:
        super().__init__()
        cfg = tiny.DECODER
        self.shape, self.start = (cfg.layers, 5, cfg.key_heads, cfg.head_size), start

    def forward(self) -> Memory:
        keys, values = torch.randn(2, *self.shape, generator=torch.Generator().manual_seed(3))
        return Memory(keys, values, self.start)


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize(
    "implementation", ["auto", "reference", pytest.param("triton", marks=pytest.mark.slow)]
)
def test_a_memory_seeds_the_cache_whichever_position_the_text_begins_at(start, implementation):
    if implementation == "triton":
        pytest.importorskip("triton", reason="triton is installed on Linux only")
    backbone = tiny.backbone(tiny.DECODER)
    backbone.implementation = implementation
    ids = torch.randint(0, 50, (sum(LENGTHS),))
    untuned = backbone.encode(ids, Layout.from_lengths(LENGTHS))
    plug(backbone, "memory", lambda _: Taught(start))
    full = backbone.encode(ids, Layout.from_lengths(LENGTHS))
    assert not torch.allclose(full, untuned, atol=1e-2)
    cuts = [(3, 1, 2), (1, 1, 1), (0, 1, 3), (1, 0, 1), (1, 0, 2)]
    cache = KVCache(len(LENGTHS))
    parts = zip(cuts, pieces(ids, LENGTHS, cuts), pieces(full, LENGTHS, cuts), strict=True)
    for cut, some, wanted in parts:
        states = backbone.encode(some, Layout.from_lengths(cut), cache=cache)
        assert torch.allclose(states, wanted, rtol=1e-5, atol=1e-5)
    assert cache.before == 5
    # Under rotation a memory that moves the text is another memory.
    plug(backbone, "memory", lambda _: Taught(5 - start))
    assert not torch.allclose(backbone.encode(ids, Layout.from_lengths(LENGTHS)), full, atol=1e-3)


def test_a_row_is_written_in_place_while_it_has_room():
    backbone = tiny.backbone(tiny.DECODER)
    cache = KVCache(2, room=8)
    backbone.encode(torch.zeros(4, dtype=torch.int64), Layout.from_lengths([3, 1]), cache=cache)
    held = [x.data_ptr() for pair in cache._rows.values() for x in pair]
    for _ in range(5):
        backbone.encode(torch.zeros(2, dtype=torch.int64), Layout.from_lengths([1, 1]), cache=cache)
    assert [x.data_ptr() for pair in cache._rows.values() for x in pair] == held
    backbone.encode(torch.zeros(2, dtype=torch.int64), Layout.from_lengths([1, 1]), cache=cache)
    assert [x.shape[1] for pair in cache._rows.values() for x in pair] == [16] * len(held)


def test_sequences_that_are_kept_go_on_as_if_alone():
    backbone = tiny.backbone(tiny.DECODER)
    ids = torch.randint(0, 50, (sum(LENGTHS),))
    full = backbone.encode(ids, Layout.from_lengths(LENGTHS))
    cache = KVCache(3)
    cuts = [(5, 2, 8), (1, 1, 1)]
    (first, last), (_, wanted) = (list(pieces(x, LENGTHS, cuts)) for x in (ids, full))
    backbone.encode(first, Layout.from_lengths(cuts[0]), cache=cache)
    cache.keep([2, 0])
    assert cache.lengths.tolist() == [8, 5]
    states = backbone.encode(last[[2, 0]], Layout.from_lengths([1, 1]), cache=cache)
    assert torch.allclose(states, wanted[[2, 0]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [(3, 2), (1, 1)], ids=["several tokens", "one token"])
def test_a_cache_keeps_no_graph_of_what_was_read_before(sizes):
    backbone = tiny.backbone(tiny.DECODER)
    get_method("prefix")(length=3, hidden=4).attach(backbone)
    backbone.requires_grad_(True)
    ids, cache = torch.arange(10, 19), KVCache(2)
    backbone.encode(ids[:4], Layout.from_lengths((3, 1)), cache=cache).sum().backward()
    backbone.zero_grad()
    new = ids[4 : 4 + sum(sizes)]
    backbone.encode(new, Layout.from_lengths(sizes), cache=cache).pow(2).sum().backward()
    moved = backbone.embedding.weight.grad.abs().sum(1).nonzero().flatten()
    assert moved.tolist() == new.tolist(), "the tokens read before learn nothing any more"
    assert all(weight.grad is None for weight in backbone.memory.parameters())
