"""The templates that a task may be asked through, each with its label words on one backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from ..backbone.model import Backbone
from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.language_head import LanguageHead
from ..config import Experiment
from ..data.tasks import Task
from ..data.text.built_in_templates import built_in
from ..data.text.template import Template, parse
from ..data.text.template_encoding import mask_of, word_id
from ..data.text.tokens import check_vocabulary
from ..errors import UserError
from ..objectives import get_objective
from .heads import LabelWords

AUTO = "auto"
"""The built-in templates of a task."""


@dataclass(frozen=True)
class Verbalizer:
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


def verbalizers(
    task: Task,
    experiment: Experiment,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    base_model: Backbone,
) -> tuple[Verbalizer, ...]:
    """The task's templates, checked against task, tokenizer and backbone; empty without any.

    Raises:
        UserError: A template or a label word does not fit, or the backbone has no language head.
    """
    templates, label_words = experiment.data.template, experiment.data.label_words
    if not templates:
        if label_words:
            raise UserError("data.label_words: are for a template, so data.template must be set")
        return ()
    objective = get_objective(task.objective)
    if not objective.takes_label_words:
        wanted = objective.answer
        raise UserError(f"data.template: {task.name} asks for {wanted}, which no label word is")
    language = checkpoint.load_language_head(base_model)
    causal, fitting = base_model.cfg.causal, []
    for written, words in _written(task, templates, label_words, causal):
        template = parse(written, task, causal=causal)
        mask_of(tokenizer, template)
        ids = tuple(word_id(tokenizer, template, word, causal=causal) for word in words)
        check_vocabulary([ids], base_model.cfg.vocabulary)
        _distinct(task, words, ids)
        fitting.append(Verbalizer(template, words, ids, language))
    return tuple(fitting)


def max_soft_tokens(every: Sequence[Sequence[Verbalizer]]) -> int:
    """The most soft tokens that any of these templates has."""
    return max((one.template.soft_tokens for candidates in every for one in candidates), default=0)


def _written(
    task: Task, templates: Sequence[str], label_words: tuple[str, ...], causal: bool
) -> list[tuple[str, tuple[str, ...]]]:
    """Each template with its words: `auto` opened, one's own words before the built-in ones."""
    ours = built_in(task, causal=causal)
    words = label_words or (ours[0][1] if ours else ())
    every: list[tuple[str, tuple[str, ...]]] = []
    for written in templates:
        if written != AUTO:
            every.append((written, words))
        elif ours:
            every += [(text, label_words or usual) for text, usual in ours]
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
