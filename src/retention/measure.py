"""What stored adapters change of their backbone's own loss on plain text, folded and not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ..checkpoints.checkpoint import Checkpoint
from ..errors import UserError
from ..methods._saved import attach_saved
from .change import Losses, Retention, retention
from .losses import losses
from .readings import Reading, readings


class Untuned:
    """A backbone's language model before any tuning, and its loss, for all its adapters."""

    def __init__(self, checkpoint: Checkpoint, texts: Sequence[str], max_length: int) -> None:
        """Read the texts by the untuned model.

        Args:
            checkpoint: All of its layers: its language head was trained on the last.
            texts: Plain texts.
            max_length: Longer texts are cut to so many tokens.

        Raises:
            UserError: There is no language head, only some layers are asked for, or the texts are
                too few.
        """
        whole = checkpoint.files.config.layers
        if checkpoint.config.layers != whole:
            raise UserError(
                f"retention cannot be measured on {checkpoint.config.layers} of {whole} layers of "
                f"'{checkpoint.name}': its language head reads the last"
            )
        self.checkpoint = checkpoint
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.readings: list[Reading] = readings(
            texts, checkpoint.load_tokenizer(), checkpoint.config, max_length=max_length
        )
        (self.losses,) = self._losses(None)

    def retention(self, adapter: Path) -> Retention:
        """What an adapter file changes; errors as of `tuned`."""
        return retention(self.losses, *self.tuned(adapter))

    def tuned(self, adapter: Path) -> tuple[Losses, Losses]:
        """The losses with an adapter file, as it was trained and folded.

        Raises:
            UserError: The file is damaged, does not fit the backbone, or inserts tokens within a
                template or beyond the context.
        """
        as_trained, folded = self._losses(adapter)
        return as_trained, folded

    def _losses(self, adapter: Path | None) -> list[Losses]:
        """The losses of a fresh copy; with an adapter as it was trained, and folded.

        A head that is the embedding's own table is that of the copy, tuned where the method tunes
        it, as in a checkpoint that was saved with it.
        """
        backbone = self.checkpoint.load_backbone()
        method = None if adapter is None else attach_saved(adapter, backbone)
        head = self.checkpoint.load_language_head(backbone).to(self.device).eval()
        backbone.to(self.device).eval()
        each = [losses(backbone, head, self.readings)]
        if method is not None:
            method.fold(backbone)
            each.append(losses(backbone.eval(), head, self.readings))
        return each
