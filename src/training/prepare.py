"""A task made ready to train on: carved, tokenised once, with all that its cells share."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.layout import SharedPrefix
from ..backbone.model import Backbone
from ..config import Experiment
from ..data.digest import ids_digest
from ..data.leaks import LeakError, check_parts
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
from .ranks import ALONE, Rank
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

    def take(self, rows: Sequence[int]) -> Split:
        """These rows, in this order."""
        return Split(self.rows.take(list(rows)), self.encoded.take(rows))

    @property
    def emptied(self) -> Split:
        """A split of no rows, where these are not to be seen."""
        return Split(self.rows.take([]), Encoded((), (), 0))

    @cached_property
    def digest(self) -> str:
        """Of the rows' ids in their order, as a file of predictions has them."""
        return ids_digest(self.rows.own_ids or self.rows.ids)

    def batches(
        self,
        task: Task,
        size: int,
        shuffle_seed: int | None = None,
        scale: Scale = IDENTITY,
        micro_batch: int | None = None,
        rank: Rank = ALONE,
    ) -> Batches:
        """A loader; without a seed in file order, and labels standardised by the scale.

        With `micro_batch` a batch comes in parts of so many rows; a rank gets its share of each.
        """
        objective, labels = get_objective(task.objective), self.rows.labels
        return Batches(
            self.encoded,
            lambda rows: objective.targets([labels[row] for row in rows], scale),
            batch_size=size,
            shuffle_seed=shuffle_seed,
            micro_batch=micro_batch,
            rank=rank.number,
            world_size=rank.world_size,
        )


@dataclass(frozen=True)
class Prepared:
    """A task with its splits as token ids.

    No row is in two of them: whoever makes one whose parts share a row is refused. What searches
    and what trains is given `for_search()` or `whole()`, which hold no test row.
    """

    data: TaskData
    fit: Split
    """What a trial trains on."""
    validation: Split
    """What trials are judged on, carved from train; empty once nothing is left to select."""
    test: Split
    """Touched once by each winner; empty while anything is selected or trained."""
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

    def __post_init__(self) -> None:
        """Refuse rows that are in two parts.

        Raises:
            LeakError: Some are.
        """
        tests = {"test": self.test.rows, **{name: one.rows for name, one in self.extra.items()}}
        check_parts(self.task.name, self.fit.rows, self.validation.rows, tests)

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

    def for_search(self) -> Prepared:
        """The same task without its test rows: all that a trial may see."""
        none = self.test.emptied
        data = replace(self.data, test=none.rows, extra_tests={})
        return replace(self, data=data, test=none, extra={})

    def whole(self) -> Prepared:
        """The same task with validation among what trains: what a winner gets, once selected.

        Nothing is left to select on, and the test rows are not there yet.
        """
        search = self.for_search()
        joined = self.fit.joined(self.validation)
        return replace(search, fit=joined, validation=self.validation.emptied)

    @property
    def selecting(self) -> Split:
        """The only rows that a choice may be made by.

        Raises:
            LeakError: Nothing is left to select on, since the validation rows train.
        """
        if not len(self.validation.rows):
            raise LeakError(
                f"task '{self.task.name}': the choice is made and its validation rows train, so "
                "that nothing more can be selected"
            )
        return self.validation

    @property
    def splits(self) -> dict[str, str]:
        """Which rows did what, as digests of their ids: for a record."""
        splits = {"train": self.fit, "validation": self.validation, "test": self.test}
        splits |= {f"test/{name}": split for name, split in self.extra.items()}
        return {name: split.digest for name, split in splits.items() if len(split.rows)}

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

    check_parts(data.task.name, fit, validation, {"test": data.test, **data.extra_tests})
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
