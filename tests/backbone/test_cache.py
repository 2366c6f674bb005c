"""The KV-cache: reading in pieces equals reading at once."""

import itertools

import pytest
import torch
from tunebench.backbone.cache import KVCache
from tunebench.backbone.layout import Layout

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
    full = backbone.encode(ids, Layout.of(LENGTHS))
    cache = KVCache(len(LENGTHS))
    assert cache.empty
    parts = zip(cuts, pieces(ids, LENGTHS, cuts), pieces(full, LENGTHS, cuts), strict=True)
    for cut, some, wanted in parts:
        found = backbone.encode(some, Layout.of(cut), cache=cache)
        assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert cache.lengths.tolist() == list(LENGTHS)
    assert not cache.empty


def test_a_sequence_never_sees_the_cache_of_another():
    backbone = tiny.backbone(tiny.DECODER)
    ids = torch.randint(0, 50, (8,))
    other = ids.clone()
    other[:4] = (other[:4] + 1) % 50
    last = []
    for given in (ids, other):
        cache = KVCache(2)
        backbone.encode(given[[0, 1, 2, 4, 5, 6]], Layout.of((3, 3)), cache=cache)
        last.append(backbone.encode(given[[3, 7]], Layout.of((1, 1)), cache=cache))
    assert torch.equal(last[0][1], last[1][1])
    assert not torch.allclose(last[0][0], last[1][0], atol=1e-3)


def test_a_full_context_takes_no_further_token():
    backbone = tiny.backbone(tiny.DECODER)
    cache = KVCache(1)
    backbone.encode(torch.zeros(64, dtype=torch.int64), Layout.of([64]), cache=cache)
    with pytest.raises(ValueError, match="got 65 positions in a context of 64"):
        backbone.encode(torch.zeros(1, dtype=torch.int64), Layout.of([1]), cache=cache)
