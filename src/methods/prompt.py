"""Prompt tuning: trained vectors before the text's own embeddings, or in its template.

    [P; E(x)]        P: p×d

Plugs      prompt
Trains     p · d
Folds      before a text on a causal backbone, to keys and values that are computed once; on an
           encoder nothing, its tokens are computed with the text's
Source     Lester et al. 2021, arXiv:2104.08691, §2; its starts as in §3.2; `init_from` as in
           Vu et al. 2022 (SPoT), arXiv:2110.07904, §2.1
Prefer     for the fewest weights a task, on large backbones
Drawback   on an encoder its tokens cost latency; and on a small backbone it learns little
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from lightning.pytorch import LightningModule, Trainer

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Below, Choice, Range
from ..errors import UserError
from ._trained_prompt import TrainedPrompt, trained_prompt
from ._virtual import PromptTable
from .base import Method


@dataclass(eq=False)
class Prompt(Method):
    """Soft prompts."""

    lr: Annotated[float, Gt(0), Range(1e-3, 1e-1, log=True)] = 1e-2
    """Peak learning rate of AdamW, head included."""
    length: Annotated[int, Ge(1), Below("context"), Choice(5, 10, 20)] = 10
    """Virtual tokens p."""
    start: Literal["vocabulary", "random", "text", "labels"] = "vocabulary"
    """Where the vectors begin: at words of the vocabulary, at random, as widely spread, at the
    words of `text`, again and again, or at the classes' names, the rest at the vocabulary's."""
    text: str = ""
    """The words to begin at, where `start` is text."""
    init_from: str = ""
    """The trained soft prompt to begin at, in place of `start`: an adapter file, a folder with one,
    PEFT's folder, or a run of the comparison's folder, such as mnli-prompt-seed0."""
    _begin: list[list[int]] | None = field(default=None, init=False, repr=False)

    def prepare(self, encode: Callable[[str], Sequence[int]], labels: Sequence[str]) -> None:
        """Take the token ids of the words to begin at: of each vector, those it is the mean of."""
        if self.start == "text":
            self._begin = [[token] for token in encode(self.text)]
            self.require(bool(self._begin), "start=text needs a text", text=repr(self.text))
        elif self.start == "labels":
            self._begin = [list(encode(label)) for label in labels]
            self.require(
                bool(labels), "start=labels needs a task with classes", classes=len(labels)
            )
            self.require(all(self._begin), "every class's name has a token", classes=tuple(labels))

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """As every method, but do not train from words that are not known."""
        known = self._begin is not None or self.start not in ("text", "labels")
        condition = "`prepare(encode, labels)` comes before training"
        self.require(known or stage != "fit", condition, start=self.start)
        super().setup(trainer, pl_module, stage)

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """The table, before the text."""
        words = backbone.embedding.weight.detach()
        if self.init_from and not self._restored:
            vectors = self._source().read().to(words)
            return {"prompt": lambda occupant: PromptTable(vectors)}
        drawn = words[torch.randint(len(words), (self.length,), device=words.device)]
        if self.start == "random":
            drawn = torch.randn_like(drawn) * words.std()
        elif self._begin:
            highest = max(map(max, self._begin))
            condition = "token < vocabulary"
            self.require(highest < len(words), condition, token=highest, vocabulary=len(words))
            vectors = torch.stack([words[ids].mean(0) for ids in self._begin])
            again = -(-self.length // len(vectors)) if self.start == "text" else 1
            vectors = vectors.repeat(again, 1)[: self.length]
            drawn = torch.cat([vectors, drawn[len(vectors) :]])
        return {"prompt": lambda occupant: PromptTable(drawn)}

    def trainable(self, cfg: BackboneConfig) -> int:
        """Vectors by width: p · d."""
        return self.length * cfg.width

    def inserted(self, cfg: BackboneConfig) -> int:
        """P positions of the context."""
        return self.length

    def check(self, cfg: BackboneConfig) -> None:
        """The prompt leaves room for a text."""
        self.require(
            1 <= self.length < cfg.context,
            "1 <= length < context",
            length=self.length,
            context=cfg.context,
        )
        starts_at_text = bool(self.text) or self.start != "text"
        self.require(starts_at_text, "start=text needs a text", text=repr(self.text))
        # What is restored from a file of its own needs the file that it once began at no more.
        if self.init_from and not self._restored:
            self.require(
                self.start == "vocabulary" and not self.text,
                "init_from stands alone, since it takes the place of start and text",
                start=self.start,
                text=repr(self.text),
            )
            try:
                self._source().check(self.length, cfg)
            except UserError as error:
                raise UserError(f"methods.{self.name}.init_from: {error}") from None

    def _source(self) -> TrainedPrompt:
        """The prompt that this one begins at.

        Raises:
            UserError: There is none.
        """
        return trained_prompt(self.init_from)


METHOD = Prompt
