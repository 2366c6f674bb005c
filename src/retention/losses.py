"""A language model's loss on texts: the network's states through its pretrained head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.layout import Layout
from ..backbone.model import Backbone
from .change import Losses
from .readings import Reading

BATCH_TOKENS = 1024
"""Tokens that are read together, by every model alike: equal weights then give equal bits."""
HEAD_ROWS = 256
"""States that the head reads at once: each makes a logit for every word of the vocabulary."""


@torch.inference_mode()
def losses(backbone: Backbone, head: nn.Module, texts: Sequence[Reading]) -> Losses:
    """The loss of each text.

    Args:
        backbone: With any method attached, folded or not, in evaluation mode.
        head: From states (r d) to logits (r v): the language head.
        texts: What is read and what is asked for, in the order of the answer.

    Raises:
        UserError: A text and the tokens that the method inserts are longer than the context.
    """
    sums = [one for batch in _batches(texts) for one in _batch_losses(backbone, head, batch)]
    return Losses(np.array(sums), np.array([len(one.targets) for one in texts]))


def _batches(texts: Sequence[Reading]) -> Iterator[list[Reading]]:
    """Texts in their order, as many together as have not too many tokens."""
    batch: list[Reading] = []
    for one in texts:
        if batch and sum(len(each.ids) for each in (*batch, one)) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _batch_losses(backbone: Backbone, head: nn.Module, batch: Sequence[Reading]) -> list[float]:
    """The summed loss of each text of a batch, in float64."""
    device = backbone.embedding.weight.device
    layout = Layout.from_lengths([len(one.ids) for one in batch], device)
    ids = torch.tensor([token for one in batch for token in one.ids], device=device)
    states = backbone.encode(ids, layout)
    starts = layout.cu_seqlens.tolist()
    places = [start + n for start, one in zip(starts, batch, strict=False) for n in one.places]
    targets = torch.tensor([token for one in batch for token in one.targets], device=device)
    each = _token_losses(head, states[torch.tensor(places, device=device)], targets)
    of_texts = torch.split(each.double().cpu(), [len(one.targets) for one in batch])
    return [float(one.sum()) for one in of_texts]


def _token_losses(head: nn.Module, states: Tensor, targets: Tensor) -> Tensor:
    """The loss of each token (r)."""
    pairs = zip(torch.split(states, HEAD_ROWS), torch.split(targets, HEAD_ROWS), strict=True)
    return torch.cat(
        [F.cross_entropy(head(some), right, reduction="none") for some, right in pairs]
    )
