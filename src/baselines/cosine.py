"""The untrained reference of a similarity task: the cosine of the two texts' embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ..backbone.layout import Layout
from ..backbone.model import Backbone
from ..training.heads import Pooling, pool

BATCH = 64


@torch.inference_mode()
def embed(backbone: Backbone, texts: Sequence[Sequence[int]], pooling: Pooling) -> Tensor:
    """Pooled final states of each text's ids, (texts d), in the given order."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    out = torch.empty(len(texts), backbone.cfg.width)
    device = backbone.embedding.weight.device
    for begin in range(0, len(order), BATCH):
        rows = order[begin : begin + BATCH]
        ids = torch.tensor([number for row in rows for number in texts[row]])
        layout = Layout.from_lengths([len(texts[row]) for row in rows], device)
        out[rows] = pool(backbone.encode(ids.to(device), layout), layout, pooling).cpu()
    return out


def cosine(
    backbone: Backbone,
    first: Sequence[Sequence[int]],
    second: Sequence[Sequence[int]],
    pooling: Pooling = "mean",
) -> list[float]:
    """The cosine of each pair's embeddings, -1 to 1."""
    one, two = embed(backbone, first, pooling), embed(backbone, second, pooling)
    values: list[float] = cosine_similarity(one, two).tolist()
    return values
