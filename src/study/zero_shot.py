"""What a template says without any training, and which of several is taken by it.

Of several templates the one with the best zero-shot score on the validation rows is taken, once for
all methods and seeds: a difference between methods is then never the template's, and the search
spends no slot on it. The test split is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from .. import __version__
from ..backbone.model import Backbone
from ..classifier import Classifier
from ..data.batches import Batches, in_row_order
from ..data.digest import digest
from ..data.tasks import Examples, Task
from ..data.tokens import Encoded
from ..metrics import mean_score, score
from ..results import Reference
from .bench import Bench
from .posing import Posing
from .store import identity

ZERO_SHOT = "zero-shot (template)"
"""The reference row's name."""
BATCH = 64


def choose(
    posings: Sequence[Posing], task: Task, validation: Examples, bench: Bench
) -> tuple[Posing | None, str]:
    """The best on the validation rows without training, the earliest of equals, and why."""
    if len(posings) < 2:
        return (posings[0], _told(posings[0])) if posings else (None, "")
    scores = [zero_shot_row(posing, task, validation, bench).score or 0.0 for posing in posings]
    best = max(range(len(scores)), key=lambda n: (scores[n], -n))
    shown = ", ".join(f"{value:.3f}" for value in scores)
    why = f"best of {len(scores)} on {len(validation)} validation rows, untrained ({shown})"
    return posings[best], f"{_told(posings[best])}, {why}"


def zero_shot_row(posing: Posing, task: Task, rows: Examples, bench: Bench) -> Reference:
    """A template's score on these rows, untrained; read back where the store has it."""

    def make() -> Reference:
        encoded = bench.read(rows.texts, posing.template)
        metrics = score(task, zero_shot(posing, bench.bare, encoded), rows.labels)
        total = mean_score(task, metrics)
        return Reference(task.name, ZERO_SHOT, total, metrics.get("accuracy"), metrics)

    these = digest(task, rows, rows.take([]), {})
    decides = [__version__, bench.backbone_digest, bench.longest, posing.content, these]
    return bench.store.untrained(identity(f"{task.name}-zero-shot", *decides), make)


def zero_shot(posing: Posing, bare: Backbone, encoded: Encoded) -> list[float]:
    """The class whose label word is likeliest, for each row; nothing is trained."""
    found: list[float] = probabilities(posing, bare, encoded).argmax(-1).tolist()
    return found


def probabilities(posing: Posing, bare: Backbone, encoded: Encoded) -> Float[Tensor, "rows c"]:
    """How likely each label word is among them, rows read in order of length."""
    classifier = Classifier(bare, head=posing.reader())
    loader = Batches(encoded, [0.0] * len(encoded), batch_size=BATCH, regression=False)
    groups = loader.alike(BATCH)
    return in_row_order(classifier.predict([loader.batch(group) for group in groups]), groups)


def _told(posing: Posing) -> str:
    """The choice as a note beside the table."""
    return f"posed as {posing.template.written!r}, answered with {', '.join(posing.words)}"
