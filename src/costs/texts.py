"""Batches to time and count with: random tokens of one length, and real texts of their own."""

from __future__ import annotations

import torch

from ..backbone.config import BackboneConfig
from ..data.text.batches import Batch, Batches
from ..data.text.tokens import Encoded


def random_batch(cfg: BackboneConfig, texts: int, tokens: int) -> Batch:
    """Random tokens, the same each time: no figure here depends on what a text says."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(cfg.vocabulary, (texts, tokens), generator=generator).tolist()
    rows = tuple(tuple(row) for row in ids)
    segments = ((0,) * tokens,) * texts
    return Batches(Encoded(rows, segments, 0), batch_size=texts).batch(range(texts))


def served_batch(encoded: Encoded, texts: int) -> Batch:
    """Real texts, packed as they are served: from everywhere in their order by length."""
    by_length = sorted(range(len(encoded)), key=lambda row: len(encoded.ids[row]))
    rows = [by_length[(2 * n + 1) * len(by_length) // (2 * texts)] for n in range(texts)]
    return Batches(encoded, batch_size=texts).batch(rows)


def padding_share(batch: Batch) -> float:
    """The share of padding, were all texts padded to the batch's longest one: packed has none."""
    padded = batch.layout.sequences * batch.layout.max_seqlen
    return 1 - len(batch.ids) / padded
