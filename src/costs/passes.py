"""What is timed: a pass over a batch, the reading of prompts, and a new token after each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from ..backbone.cache import KVCache
from ..backbone.layout import Layout
from ..backbone.model import Backbone
from ..data.text.batches import Batch
from ..errors import UserError
from ..training.classifier import Classifier

Kind = Literal["classify", "prefill", "new token"]
Run = Callable[[], Tensor]


def run_of(
    kind: Kind, classifier: Classifier, batch: Batch, language_head: nn.Module | None
) -> Run:
    """A function that runs one pass.

    Args:
        kind: `classify` gives each text's logits; `prefill` reads prompts into an empty cache;
            `new token` reads one token of each text after a prompt that is in the cache.
        classifier: Backbone and head.
        batch: The texts, or the prompts.
        language_head: From states to the vocabulary; needed for a decoder's two kinds.
    """
    if kind == "classify":
        return lambda: classifier.logits(batch)
    assert language_head is not None
    if kind == "prefill":
        return lambda: _read(classifier.backbone, language_head, batch, _cache(batch))
    return _NewToken(classifier.backbone, language_head, batch)


def compiled(batch: Batch, *classifiers: Classifier) -> list[Run]:
    """`classify` of each classifier in one graph that torch.compile made for this shape.

    Raises:
        UserError: torch.compile does not work here, as where there is no C++ compiler.
    """
    from torch._dynamo.exc import TorchDynamoException

    torch.compiler.reset()
    runs = [_compiled(classifier, batch) for classifier in classifiers]
    try:
        with torch.inference_mode():
            for run in runs:
                run()
    except TorchDynamoException as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"torch.compile does not work here: {first}") from error
    return runs


def _compiled(classifier: Classifier, batch: Batch) -> Run:
    def logits(ids: Tensor, cu_seqlens: Tensor, segments: Tensor) -> Tensor:
        layout = Layout(cu_seqlens, batch.layout.max_seqlen)
        return classifier.logits(Batch(ids, layout, segments, batch.labels))

    run = torch.compile(logits, fullgraph=True, dynamic=False)
    return lambda: run(batch.ids, batch.layout.cu_seqlens, batch.segments)


class _NewToken:
    """One more token of each text, always after the same prompts: it is forgotten again."""

    @torch.inference_mode()
    def __init__(self, backbone: Backbone, head: nn.Module, batch: Batch) -> None:
        """Read the prompts."""
        self.backbone, self.head, self.cache = backbone, head, _cache(batch)
        _read(backbone, head, batch, self.cache)
        self.ids = batch.ids[batch.layout.cu_seqlens[1:].long() - 1]
        self.layout = Layout.from_lengths([1] * len(self.ids), self.ids.device)

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        """Logits of what follows."""
        states = self.backbone.encode(self.ids, self.layout, cache=self.cache)
        self.cache.forget(1)
        logits: Tensor = self.head(states)
        return logits


def _cache(batch: Batch) -> KVCache:
    """Empty, with room for the prompts and a token more."""
    layout = batch.layout
    return KVCache(layout.sequences, batch.ids.device, room=layout.max_seqlen + 1)


def _read(backbone: Backbone, head: nn.Module, batch: Batch, cache: KVCache) -> Tensor:
    """Read prompts into the cache; logits of what follows each."""
    states = backbone.encode(batch.ids, batch.layout, segments=batch.segments, cache=cache)
    logits: Tensor = head(states[batch.layout.cu_seqlens[1:].long() - 1])
    return logits
