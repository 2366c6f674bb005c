"""The rows that need no training of the backbone: they say what a score is worth.

They are kept in the store, for what decides them: a second run of a command reads them back.
"""

from __future__ import annotations

from .. import __version__
from ..data.digest import digest
from ..records import Reference
from ..store.store import identity
from ..training.context import RunContext
from ..training.origin import shared_origin
from ..training.prepare import Prepared
from ..training.zero_shot import zero_shot_row
from .bag_of_words import bag_of_words, majority
from .cosine import cosine


def references(prepared: Prepared, context: RunContext) -> tuple[Reference, ...]:
    """Majority, bag of words, a template untrained, cosine of pairs: those that make sense."""
    task, test = prepared.task, prepared.test.rows
    rows = [majority(prepared.capped())]
    if prepared.objective.counts_words:
        rows.append(_bag_of_words(prepared, context))
    if prepared.verbalizer is not None:
        rows.append(zero_shot_row(prepared.verbalizer, task, test, context))
    if prepared.objective.compares_pairs(task):
        rows.append(_cosine(prepared, context))
    return tuple(rows)


def _bag_of_words(prepared: Prepared, context: RunContext) -> Reference:
    data = prepared.capped()
    seen = digest(data.task, data.train, data.test, {})
    row = identity(f"{data.task.name}-bag-of-words", __version__, seen)
    return context.store.untrained(row, lambda: bag_of_words(data))


def _cosine(prepared: Prepared, context: RunContext) -> Reference:
    task, pooling = prepared.task, context.experiment.backbone.pooling
    device = context.base_model.embedding.weight.device
    decides = [
        context.checkpoint.digest,
        pooling,
        context.experiment.data.max_length,
        shared_origin(prepared.objective, device),
    ]
    row = identity(f"{task.name}-cosine", __version__, prepared.data.digest, decides)
    return context.store.untrained(row, lambda: _measured(prepared, context))


def _measured(prepared: Prepared, context: RunContext) -> Reference:
    """The cosine of the two texts' pooled states, nothing trained."""
    first, second = (
        context.read([(row[side],) for row in prepared.test.rows.texts]).ids for side in (0, 1)
    )
    values = cosine(context.base_model, first, second, context.experiment.backbone.pooling)
    task, objective = prepared.task, prepared.objective
    metrics = objective.score(task, values, prepared.test.rows.labels)
    total = objective.mean_score(task, metrics)
    return Reference(task.name, "cosine of embeddings", total, None, metrics)
