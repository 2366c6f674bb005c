"""A task made ready to train on: carved, tokenised once, with all that its cells share."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.layout import SharedPrefix
from ..backbone.model import Backbone
from ..config import Experiment
from ..data.split import train_validation_split
from ..data.tasks import SUITES, Examples, Task, TaskData
from ..data.text.batches import Batches
from ..data.text.shared_prefix import find_shared_prefix
from ..data.text.tokens import Encoded, unseen
from ..errors import UserError
from ..methods.base import NO_SHARED_PREFIX, Method
from ..objectives import IDENTITY, Objective, Scale, get_objective
from .context import RunContext
from .heads import Pooling, pool
from .verbalizer import Verbalizer
from .zero_shot import choose

SPLIT_SEED = 20_190_220
"""Validation is carved the same way for all seeds and methods: trials can be paired."""

ORIGIN_ROWS = 128
"""The deviation of their mean is a tenth of a row's own."""

UNREAD = (
    "what stands before every text is not read once (the backbone has windows or dynamic angles): "
    "virtual tokens stay tokens when served"
)


@dataclass(frozen=True)
class Split:
    """The rows of a split and their tokens."""

    rows: Examples
    encoded: Encoded

    def joined(self, other: Split) -> Split:
        """The rows of both, these first."""
        return Split(self.rows.joined(other.rows), self.encoded.joined(other.encoded))

    def batches(
        self,
        task: Task,
        size: int,
        shuffle_seed: int | None = None,
        scale: Scale = IDENTITY,
        micro_batch: int | None = None,
    ) -> Batches:
        """A loader; without a seed in file order, and labels standardised by the scale.

        With `micro_batch` a batch comes in parts of so many rows.
        """
        objective, labels = get_objective(task.objective), self.rows.labels
        return Batches(
            self.encoded,
            lambda rows: objective.targets([labels[row] for row in rows], scale),
            batch_size=size,
            shuffle_seed=shuffle_seed,
            micro_batch=micro_batch,
        )


@dataclass(frozen=True)
class Prepared:
    """A task with its splits as token ids."""

    data: TaskData
    fit: Split
    """What a trial trains on."""
    validation: Split
    """What trials are judged on, carved from train."""
    test: Split
    """Touched once by each winner."""
    extra: Mapping[str, Split]
    tokens: int
    """Median text tokens of a test row."""
    tokenizer: Tokenizer
    origin: Tensor | None = None
    """The mean pooled state of training rows on the base model (d); none with a template."""
    verbalizer: Verbalizer | None = None
    """How the task is asked as text; none where a linear head reads it."""
    shared_prefix: SharedPrefix = NO_SHARED_PREFIX
    """What stands before every text."""

    @property
    def task(self) -> Task:
        """The question."""
        return self.data.task

    def ids(self, text: str) -> list[int]:
        """A text's token ids by themselves, without the marks that open and close a row."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    @property
    def verbalizers(self) -> tuple[Verbalizer, ...]:
        """The template, where there is one."""
        return () if self.verbalizer is None else (self.verbalizer,)

    @property
    def truncated(self) -> int:
        """Rows that were cut, in all splits."""
        splits = (self.fit, self.validation, self.test, *self.extra.values())
        return sum(split.encoded.truncated for split in splits)

    @property
    def objective(self) -> Objective:
        """What kind of answer the task wants."""
        return get_objective(self.task.objective)

    @property
    def scale(self) -> Scale:
        """How training labels are standardised."""
        return self.objective.scale(self.fit.rows.labels)

    def whole(self) -> Prepared:
        """The same task with validation among what trains: what a winner gets, once selected."""
        return replace(self, fit=self.fit.joined(self.validation))

    def capped(self) -> TaskData:
        """The data with only what a winner trains on as train: what the references may see."""
        return replace(self.data, train=self.whole().fit.rows)


def prepare(
    data: TaskData, context: RunContext, verbalizers: Sequence[Verbalizer] = ()
) -> Prepared:
    """Carve validation from train, choose among the templates there, tokenise every split."""
    cfg, tokenizer = context.base_model.cfg, context.tokenizer
    search, built_in = context.experiment.search, data.task.name in SUITES["pocket"]
    cap = search.pocket_examples if built_in else search.train_examples
    fit, validation = train_validation_split(
        data.train,
        data.task,
        share=search.validation,
        most=search.validation_examples,
        cap=cap,
        seed=SPLIT_SEED,
    )

    verbalizer, note = choose(verbalizers, data.task, validation, context)

    def split(rows: Examples) -> Split:
        return Split(rows, context.read(rows.texts, verbalizer.template if verbalizer else None))

    fit_split, validation_split, test = split(fit), split(validation), split(data.test)
    extra = {name: split(rows) for name, rows in data.extra_tests.items()}
    shared_prefix, more = NO_SHARED_PREFIX, [note] if note else []
    if verbalizer is not None:
        every = (fit_split, validation_split, test, *extra.values())
        rows = [one.encoded for one in every]
        shared_prefix = find_shared_prefix(tokenizer, verbalizer.template, rows)
        more += _prefix_notes(shared_prefix) if cfg.can_prefill else []
    if cfg.causal and not cfg.can_prefill:
        more.append(UNREAD)
    if verbalizer is None:
        warnings = _unseen(tokenizer, (fit_split, validation_split, test, *extra.values()), context)
        for warning in warnings:
            context.progress.note(f"{data.task.name}: {warning}")
        more += warnings
    tokens = round(statistics.median(map(len, test.encoded.ids)))
    data = replace(data, notes=(*data.notes, *more))
    origin = None
    if verbalizer is None:
        pooling = context.experiment.backbone.pooling
        origin = mean_state(context.base_model, fit_split.encoded, pooling)
    return Prepared(
        data,
        fit_split,
        validation_split,
        test,
        extra,
        tokens,
        tokenizer,
        origin,
        verbalizer,
        shared_prefix,
    )


def _unseen(tokenizer: Tokenizer, splits: Sequence[Split], context: RunContext) -> list[str]:
    """A note on texts of which the backbone sees nothing."""
    count = sum(unseen(tokenizer, split.encoded) for split in splits)
    rows = sum(len(split.rows) for split in splits)
    if not count:
        return []
    name = context.experiment.backbone.name
    return [f"{count} of {rows} texts hold only unknown tokens on {name}: all look the same to it"]


def _prefix_notes(prefix: SharedPrefix) -> list[str]:
    """What of a template is served without being computed, and what is not, as notes."""
    notes = []
    if prefix.ids:
        notes.append(f"served with the template's first {len(prefix.ids)} tokens read once")
    if prefix.later_soft_tokens:
        soft_tokens = len(prefix.soft_token_positions) + prefix.later_soft_tokens
        notes.append(
            f"{prefix.later_soft_tokens} of {soft_tokens} soft tokens do not stand before every "
            "text: virtual tokens there stay tokens"
        )
    return notes


@torch.no_grad()
def mean_state(base_model: Backbone, encoded: Encoded, pooling: Pooling) -> Float[Tensor, " d"]:
    """The mean of the pooled final states of the first rows."""
    rows = range(min(ORIGIN_ROWS, len(encoded)))
    loader = Batches(encoded, batch_size=1)
    batch = loader.batch(rows).to(next(base_model.parameters()).device)
    states = base_model.encode(batch.ids, batch.layout, segments=batch.segments)
    return pool(states, batch.layout, pooling).float().mean(0).cpu()


def check_room(
    method: Method, cfg: BackboneConfig, experiment: Experiment, soft_tokens: int = 0
) -> None:
    """Refuse a prompt that leaves no room for the longest text, or soft tokens empty."""
    method.check(cfg)
    inserted, max_length = method.inserted(cfg), min(experiment.data.max_length, cfg.context)
    if inserted + max_length > cfg.context:
        raise UserError(
            f"methods.{method.name}: `length + data.max_length <= context` must hold, but got "
            f"({inserted} + {max_length} > {cfg.context}): lower --data.max_length or the length"
        )
    if 0 < inserted < soft_tokens:
        raise UserError(
            f"methods.{method.name}: `soft tokens of data.template <= length` must hold, but got "
            f"({soft_tokens} > {inserted})"
        )
