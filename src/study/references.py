"""The rows that need no training of the backbone: they say what a score is worth."""

from __future__ import annotations

from tokenizers import Tokenizer

from ..backbone.model import Backbone
from ..config import Experiment
from ..data.tokens import encode
from ..measure.cosine import cosine
from ..measure.references import bag_of_words, majority
from ..metrics import mean_score, score
from ..results import Reference
from .posing import ZERO_SHOT, Posing, zero_shot
from .prepare import Prepared


def references(
    prepared: Prepared, bare: Backbone, tokenizer: Tokenizer, experiment: Experiment
) -> tuple[Reference, ...]:
    """Majority class, bag of words; a template untrained; the cosine of pairs with a value."""
    data = prepared.capped()
    found = [majority(data), bag_of_words(data)]
    if prepared.posing is not None:
        found.append(_zero_shot(prepared, prepared.posing, bare))
    if prepared.task.regression and len(prepared.task.text) == 2:
        found.append(_cosine(prepared, bare, tokenizer, experiment))
    return tuple(found)


def _zero_shot(prepared: Prepared, posing: Posing, bare: Backbone) -> Reference:
    task = prepared.task
    metrics = score(task, zero_shot(posing, bare, prepared.test.encoded), prepared.test.rows.labels)
    total = mean_score(task, metrics)
    return Reference(task.name, ZERO_SHOT, total, metrics.get("accuracy"), metrics)


def _cosine(
    prepared: Prepared, bare: Backbone, tokenizer: Tokenizer, experiment: Experiment
) -> Reference:
    first, second = (
        encode(
            tokenizer,
            [(row[side],) for row in prepared.test.rows.texts],
            longest=experiment.data.max_length,
            pairs=not bare.cfg.causal,
        ).ids
        for side in (0, 1)
    )
    values = cosine(bare, first, second, experiment.backbone.pooling)
    metrics = score(prepared.task, values, prepared.test.rows.labels)
    name = "cosine of embeddings"
    return Reference(prepared.task.name, name, mean_score(prepared.task, metrics), None, metrics)
