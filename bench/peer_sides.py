"""The two sides of the comparison with transformers and PEFT: all equal but network and method.

Both are our `Classifier`: the same head on the mean of the text's own token states, the same loss,
optimizer, rates and predictions. The peer's stands on transformers' BERT, padded, wrapped by PEFT.
One plain loop trains both, a step at a time. It is Lightning's loop for what is used here (a test
holds them to the same losses), and unlike Lightning's it can be stopped after each step, so that
what is timed in turn is what is scored.

What is made equal beyond the data: no dropout but the head's (transformers' own 0.1 is set to 0, as
our backbone has none), no pooler (it would train under full fine-tuning, unread), segments reach
both (PEFT drops them under its feature extraction, so its task type is SEQ_CLS), prompts start at
words of the vocabulary (the only start that both have). Each library draws its own start of a
method.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import peft
import torch
from peer_ways import Way
from torch import Tensor, nn
from transformers import AutoModel
from transformers.utils import logging
from tunebench import Classifier, load_backbone
from tunebench.backbone.model import Backbone
from tunebench.checkpoints.catalogue import locate
from tunebench.data.text.batches import Batch


class Peer(Classifier):
    """Our head, loss and optimizer on transformers' BERT."""

    def __init__(self, base_model: Backbone, peer: nn.Module, **settings: Any) -> None:
        """Draw the head as on our own backbone, then put transformers' model in its place."""
        super().__init__(base_model, **settings)
        self.backbone = peer  # type: ignore[assignment]

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Logits from the mean over text positions; PEFT puts virtual ones before them."""
        assert attention_mask is not None
        states = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state[:, -input_ids.shape[1] :]
        weights = attention_mask[..., None].to(states.dtype)
        return self.read((states * weights).sum(1) / weights.sum(1))

    def logits(self, batch: Any) -> Tensor:
        """Of a packed batch, padded first."""
        return self(**padded(batch))


def padded(batch: Batch) -> dict[str, Tensor]:
    """A packed batch as transformers takes it: ids, mask and segments (b t), padded right."""
    layout, tokens = batch.layout, len(batch.ids)
    places = layout.sequence_ids(tokens), layout.positions(tokens)

    def spread(values: Tensor) -> Tensor:
        return values.new_zeros(layout.sequences, layout.max_seqlen).index_put(places, values)

    tensors = (batch.ids, torch.ones_like(batch.ids), batch.segments)
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: spread(values) for name, values in zip(names, tensors, strict=True)}


class Sides:
    """The same checkpoint read by us and by transformers; both stay as they are."""

    def __init__(self, name: str) -> None:
        """Read a known name's or a folder's BERT twice."""
        self.base_model = load_backbone(name)
        with quiet():
            self.peer = AutoModel.from_pretrained(
                locate(name),
                add_pooling_layer=False,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
            )

    def build(self, side: str, way: Way, seed: int, **settings: Any) -> Classifier:
        """A side's copy with its method on it; the seed fixes head and method, as in `study.fit`.

        Args:
            side: "ours" or "peft".
            way: The method.
            seed: The same head on both sides.
            **settings: The classifier's, such as `outputs`.
        """
        settings["lr"] = way.lr
        torch.manual_seed(3 * seed)
        if side == "ours":
            classifier = Classifier(copy.deepcopy(self.base_model), **settings)
        else:
            classifier = Peer(self.base_model, copy.deepcopy(self.peer), **settings)
        torch.manual_seed(3 * seed + 1)
        if side == "ours":
            way.method().attach(classifier.backbone)
        else:
            classifier.backbone = wrap(classifier.backbone, way)
        counted = sum(p.numel() for p in classifier.backbone.parameters() if p.requires_grad)
        wanted = way.method().trainable(self.base_model.cfg)
        if counted != wanted:
            raise SystemExit(f"{way.ours}: {side} trains {counted} weights, not {wanted}")
        torch.manual_seed(3 * seed + 2)
        return classifier


def wrap(model: nn.Module, way: Way) -> Any:
    """Transformers' model with PEFT's method on it, or frozen or training whole."""
    if way.peer is None:
        return model.requires_grad_(way.ours == "full")
    with quiet():
        return peft.get_peft_model(model, way.peer(task_type="SEQ_CLS", **way.config))


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' bars and reports, and a warning that PEFT 0.21 sets off in it."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
