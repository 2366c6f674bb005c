"""A winner as it would be served: folded, its texts without what was read once, and timed."""

from __future__ import annotations

import torch

from ..backbone.model import Backbone, shared_copy
from ..backbone.shared_prefix import plug_prefix
from ..data.text.batches import Batch, Batches
from ..data.text.tokens import Encoded
from ..measure.latency import latency
from ..methods.base import Method
from ..records import Latency
from ..training.classifier import Classifier
from ..training.prepare import Prepared

LATENCY_BATCHES = (1, 32)


def serve(
    prepared: Prepared, method: Method, classifier: Classifier, base_model: Backbone
) -> tuple[Latency, ...]:
    """Fold a trained classifier, and time it in turn with the untrained backbone.

    The texts have the task's median length. Both models skip the tokens that stand before every
    text, where these can be read once for all texts.

    Returns:
        A measurement for each of `LATENCY_BATCHES`.
    """
    prefilled = method.fold(classifier.backbone, prepared.shared_prefix)
    device, rows = classifier.device, served(prepared, prefilled=prefilled)
    untuned = Classifier(
        with_prefix_read(base_model, prepared) if prefilled else base_model,
        head=classifier.head,
        lr=0.0,
    )
    classifier.eval()
    untuned.to(device).eval()
    latencies = []
    for size in LATENCY_BATCHES:
        batch = _typical(prepared, rows, size).to(device)
        latencies.append(
            latency(
                lambda batch=batch: classifier.logits(batch),  # type: ignore[misc]
                lambda batch=batch: untuned.logits(batch),  # type: ignore[misc]
                batch=size,
                tokens=prepared.tokens,
                device=device,
            )
        )
    return tuple(latencies)


def served(prepared: Prepared, *, prefilled: bool) -> Encoded:
    """The test rows, without what stands before every text where that was read before."""
    prefix, rows = prepared.shared_prefix, prepared.test.encoded
    return (
        rows.without_prefix(len(prefix.ids), len(prefix.soft_token_positions))
        if prefilled
        else rows
    )


def with_prefix_read(base_model: Backbone, prepared: Prepared) -> Backbone:
    """A backbone that shares the base model's weights and has read the template's first tokens."""
    twin = shared_copy(base_model)
    ids = torch.tensor(
        prepared.shared_prefix.ids, dtype=torch.int64, device=base_model.embedding.weight.device
    )
    plug_prefix(twin, base_model.embedding(ids))
    return twin


def _typical(prepared: Prepared, rows: Encoded, size: int) -> Batch:
    """Test rows nearest to the median length, cut or repeated to exactly it."""
    whole = prepared.test.encoded.ids
    nearest = min(range(len(whole)), key=lambda row: abs(len(whole[row]) - prepared.tokens))
    return Batches(rows.repeated(nearest, size), batch_size=size).batch(range(size))
