"""What everything in a comparison stands on: the frozen base model, the settings, the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..checkpoints.checkpoint import Checkpoint
from ..config import Experiment
from ..data.text.template import Template
from ..data.text.template_encoding import encode_template
from ..data.text.tokens import Encoded, check_vocabulary, encode
from ..progress import Progress
from ..store.store import Store


@dataclass(frozen=True)
class RunContext:
    """What all cells of a comparison share."""

    experiment: Experiment
    checkpoint: Checkpoint
    """Where the backbone came from: its digest, its language head."""
    base_model: Backbone
    """The pretrained backbone; every run trains a copy."""
    tokenizer: Tokenizer
    store: Store
    progress: Progress
    measures_latency: bool = True
    """Whether nothing else trains on this machine meanwhile, so that latency may be timed, and
    energy counted."""

    @property
    def max_length(self) -> int:
        """Tokens that a text may have."""
        return min(self.experiment.data.max_length, self.base_model.cfg.context)

    def read(self, texts: Sequence[tuple[str, ...]], template: Template | None = None) -> Encoded:
        """Texts as tokens that the backbone knows, filled into a template where there is one.

        Raises:
            UserError: The template alone is too long, or tokenizer and weights do not fit.
        """
        return read_texts(
            texts,
            self.tokenizer,
            self.base_model.cfg,
            max_length=self.max_length,
            template=template,
        )


def read_texts(
    texts: Sequence[tuple[str, ...]],
    tokenizer: Tokenizer,
    cfg: BackboneConfig,
    *,
    max_length: int,
    template: Template | None,
) -> Encoded:
    """Texts as tokens that a backbone knows, filled into a template where there is one.

    Raises:
        UserError: The template alone is too long, or tokenizer and weights do not fit.
    """
    if template is not None:
        encoded = encode_template(tokenizer, template, texts, max_length=max_length)
    else:
        encoded = encode(tokenizer, texts, max_length=max_length, pairs=not cfg.causal)
    check_vocabulary(encoded.ids, cfg.vocabulary)
    return encoded
