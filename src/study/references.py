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
from .prepare import Prepared


def references(
    prepared: Prepared, bare: Backbone, tokenizer: Tokenizer, experiment: Experiment
) -> tuple[Reference, ...]:
    """Majority class, bag of words, and for pairs with a value the cosine of their embeddings."""
    data = prepared.capped()
    found = [majority(data), bag_of_words(data)]
    if prepared.task.regression and len(prepared.task.text) == 2:
        found.append(_cosine(prepared, bare, tokenizer, experiment))
    return tuple(found)


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
