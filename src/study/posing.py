"""Which template a task is posed through, and what it says without any training.

Of several templates the one with the best zero-shot score on the validation rows is taken, once for
all methods and seeds: a difference between methods is then never the template's, and the search
spends no slot on it. The test split is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor

from ..backbone.language import LanguageHead, load_language_head
from ..backbone.layout import Front
from ..backbone.model import Backbone
from ..classifier import Classifier
from ..config import Experiment
from ..data.batches import Batches, in_row_order
from ..data.posing import mask_of, pose, word_id
from ..data.tasks import Examples, Task
from ..data.template import Template, parse
from ..data.templates import built_in
from ..data.tokens import Encoded
from ..errors import UserError
from ..metrics import mean_score, score
from ..readers import LabelWords

AUTO = "auto"
"""The built-in templates of a task."""
ZERO_SHOT = "zero-shot (template)"
"""The reference row's name."""
BATCH = 64


@dataclass(frozen=True)
class Posing:
    """A template with its label words on one backbone."""

    template: Template
    words: tuple[str, ...]
    ids: tuple[int, ...]
    """The words' tokens, one a class."""
    language: LanguageHead

    def reader(self, *, trains: bool = False) -> LabelWords:
        """Label words as a classifier's head."""
        return LabelWords(self.language, self.ids, trains=trains)

    @property
    def content(self) -> list[object]:
        """What decides the numbers, as plain data."""
        return [self.template.written, list(self.ids)]


def posings(
    task: Task, experiment: Experiment, tokenizer: Tokenizer, bare: Backbone
) -> tuple[Posing, ...]:
    """The task's templates, checked against task, tokenizer and backbone; empty without any.

    Raises:
        UserError: A template or a label word does not fit, or the backbone has no language head.
    """
    given, own = experiment.data.template, experiment.data.label_words
    if not given:
        if own:
            raise UserError("data.label_words: are for a template, so data.template must be set")
        return ()
    if task.regression:
        raise UserError(f"data.template: {task.name} asks for a number, which no label word is")
    language = load_language_head(experiment.backbone.name, bare)
    causal, found = bare.cfg.causal, []
    for written, words in _written(task, given, own, causal):
        template = parse(written, task, causal=causal)
        mask_of(tokenizer, template)
        ids = tuple(word_id(tokenizer, template, word, causal=causal) for word in words)
        _distinct(task, words, ids)
        found.append(Posing(template, words, ids, language))
    return tuple(found)


def most_slots(posed: Sequence[Sequence[Posing]]) -> int:
    """The most slots that any of these templates has."""
    return max((one.template.slots for found in posed for one in found), default=0)


def choose(
    posings: Sequence[Posing],
    task: Task,
    validation: Examples,
    bare: Backbone,
    tokenizer: Tokenizer,
    longest: int,
) -> tuple[Posing | None, str]:
    """The best on the validation rows without training, the earliest of equals, and why."""
    if len(posings) < 2:
        return (posings[0], _told(posings[0])) if posings else (None, "")
    scores = []
    for posing in posings:
        encoded = pose(tokenizer, posing.template, validation.texts, longest=longest)
        found = zero_shot(posing, bare, encoded)
        scores.append(mean_score(task, score(task, found, validation.labels)))
    best = max(range(len(scores)), key=lambda n: (scores[n], -n))
    shown = ", ".join(f"{value:.3f}" for value in scores)
    why = f"best of {len(scores)} on {len(validation)} validation rows, untrained ({shown})"
    return posings[best], f"{_told(posings[best])}, {why}"


def standing(front: Front) -> list[str]:
    """What of a template is served without being computed, and what is not, as notes."""
    found = []
    if front.ids:
        found.append(f"served with the template's first {len(front.ids)} tokens read once")
    if front.behind:
        slots = len(front.slots) + front.behind
        found.append(
            f"{front.behind} of {slots} slots do not stand before every text: "
            "virtual tokens there stay tokens"
        )
    return found


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


def _written(
    task: Task, given: Sequence[str], own: tuple[str, ...], causal: bool
) -> list[tuple[str, tuple[str, ...]]]:
    """Each template with its words: `auto` opened, one's own words before the built-in ones."""
    ours = built_in(task, causal=causal)
    words = own or (ours[0][1] if ours else ())
    every: list[tuple[str, tuple[str, ...]]] = []
    for written in given:
        if written != AUTO:
            every.append((written, words))
        elif ours:
            every += [(text, own or usual) for text, usual in ours]
        else:
            raise UserError(f"data.template: {task.name} has no built-in one, so write your own")
    if not words:
        classes = ", ".join(task.labels)
        raise UserError(
            f"data.label_words: {task.name} has no built-in ones, so give a word for each of "
            f"its classes ({classes})"
        )
    return list(dict.fromkeys(every))


def _distinct(task: Task, words: tuple[str, ...], ids: tuple[int, ...]) -> None:
    if len(ids) != len(task.labels) or len(set(ids)) != len(ids):
        raise UserError(
            f"data.label_words: {task.name} needs {len(task.labels)} different words, one for each "
            f"of {', '.join(task.labels)}, but got {', '.join(words)}"
        )


def _told(posing: Posing) -> str:
    """The choice as a note beside the table."""
    return f"posed as {posing.template.written!r}, answered with {', '.join(posing.words)}"
