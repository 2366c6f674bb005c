"""What everything in a comparison stands on: the bare backbone, the settings, the store."""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import Tokenizer

from ..backbone.model import Backbone
from ..config import Experiment
from ..progress import Progress
from .store import Store


@dataclass(frozen=True)
class Bench:
    """What all cells of a comparison share."""

    experiment: Experiment
    bare: Backbone
    """The pretrained backbone; every run trains a copy."""
    backbone_digest: str
    tokenizer: Tokenizer
    store: Store
    progress: Progress

    @property
    def longest(self) -> int:
        """Tokens that a text may have."""
        return min(self.experiment.data.max_length, self.bare.cfg.context)
