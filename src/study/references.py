"""The rows that need no training of the backbone: they say what a score is worth.

They are kept in the store, for what decides them: a second run of a command reads them back.
"""

from __future__ import annotations

from .. import __version__
from ..data.digest import digest
from ..measure.cosine import cosine
from ..measure.references import bag_of_words, majority
from ..metrics import mean_score, score
from ..results import Reference
from .bench import Bench
from .prepare import Prepared
from .store import identity
from .zero_shot import zero_shot_row


def references(prepared: Prepared, bench: Bench) -> tuple[Reference, ...]:
    """Majority class, bag of words; a template untrained; the cosine of pairs with a value."""
    task, test = prepared.task, prepared.test.rows
    found = [majority(prepared.capped()), _bag_of_words(prepared, bench)]
    if prepared.posing is not None:
        found.append(zero_shot_row(prepared.posing, task, test, bench))
    if task.regression and len(task.text) == 2:
        found.append(_cosine(prepared, bench))
    return tuple(found)


def _bag_of_words(prepared: Prepared, bench: Bench) -> Reference:
    data = prepared.capped()
    seen = digest(data.task, data.train, data.test, {})
    row = identity(f"{data.task.name}-bag-of-words", __version__, seen)
    return bench.store.untrained(row, lambda: bag_of_words(data))


def _cosine(prepared: Prepared, bench: Bench) -> Reference:
    task, pooling = prepared.task, bench.experiment.backbone.pooling
    decides = [bench.backbone_digest, pooling, bench.experiment.data.max_length]
    row = identity(f"{task.name}-cosine", __version__, prepared.data.digest, decides)
    return bench.store.untrained(row, lambda: _measured(prepared, bench))


def _measured(prepared: Prepared, bench: Bench) -> Reference:
    """The cosine of the two texts' pooled states, nothing trained."""
    first, second = (
        bench.read([(row[side],) for row in prepared.test.rows.texts]).ids for side in (0, 1)
    )
    values = cosine(bench.bare, first, second, bench.experiment.backbone.pooling)
    metrics = score(prepared.task, values, prepared.test.rows.labels)
    name = "cosine of embeddings"
    return Reference(prepared.task.name, name, mean_score(prepared.task, metrics), None, metrics)
