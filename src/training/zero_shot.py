"""What a template says without any training, and which of several is taken by it.

Of several templates the one with the best zero-shot score on the validation rows is taken, once for
all methods and seeds: a difference between methods is then never the template's, and the search
spends no trial on it. The test split is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from .. import __version__
from ..backbone.model import Backbone
from ..data.digest import digest
from ..data.tasks import Examples, Task
from ..data.text.tokens import Encoded
from ..objectives import get_objective
from ..records import Reference
from ..store.store import identity
from .classifier import Classifier
from .context import RunContext
from .origin import shared_origin
from .predictor import predict_rows
from .verbalizer import Verbalizer

ZERO_SHOT = "zero-shot (template)"
"""The reference row's name."""


def choose(
    verbalizers: Sequence[Verbalizer], task: Task, validation: Examples, context: RunContext
) -> tuple[Verbalizer | None, str]:
    """The best on the validation rows without training, the earliest of equals, and why."""
    if len(verbalizers) < 2:
        return (verbalizers[0], _note(verbalizers[0])) if verbalizers else (None, "")
    scores = [
        zero_shot_row(verbalizer, task, validation, context).score or 0.0
        for verbalizer in verbalizers
    ]
    best = max(range(len(scores)), key=lambda n: (scores[n], -n))
    shown = ", ".join(f"{value:.3f}" for value in scores)
    why = f"best of {len(scores)} on {len(validation)} validation rows, untrained ({shown})"
    return verbalizers[best], f"{_note(verbalizers[best])}, {why}"


def zero_shot_row(
    verbalizer: Verbalizer, task: Task, rows: Examples, context: RunContext
) -> Reference:
    """A template's score on these rows, untrained; read back where the store has it."""

    def make() -> Reference:
        encoded = context.read(rows.texts, verbalizer.template)
        objective = get_objective(task.objective)
        answers = objective.answers(probabilities(verbalizer, context.base_model, encoded))
        metrics = objective.score(task, answers, rows.labels)
        total = objective.mean_score(task, metrics)
        return Reference(task.name, ZERO_SHOT, total, metrics.get("accuracy"), metrics)

    these = digest(task, rows, rows.take([]), {})
    decides = [
        __version__,
        context.checkpoint.digest,
        context.max_length,
        verbalizer.content,
        these,
        shared_origin(get_objective(task.objective), context.base_model.embedding.weight.device),
    ]
    return context.store.untrained(identity(f"{task.name}-zero-shot", *decides), make)


def probabilities(
    verbalizer: Verbalizer, base_model: Backbone, encoded: Encoded
) -> Float[Tensor, "rows c"]:
    """How likely each label word is among them, rows read in order of length."""
    classifier = Classifier(base_model, head=verbalizer.reader())
    return predict_rows(classifier, encoded)


def _note(verbalizer: Verbalizer) -> str:
    """The choice as a note beside the table."""
    return f"asked as {verbalizer.template.written!r}, answered with {', '.join(verbalizer.words)}"
