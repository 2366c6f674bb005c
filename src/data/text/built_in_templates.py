"""Built-in templates and label words of GLUE's and the pocket pack's classifications.

A table without torch; `auto` means these. Label words stand in the order of the task's classes, and
each is one token of GPT-2's, SmolLM's and BERT's vocabularies. Decoders read the word at the end;
an encoder's template is the same question with its answer masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..tasks import Task


@dataclass(frozen=True)
class BuiltIn:
    """One template and its label words."""

    decoder: str
    encoder: str
    words: tuple[str, ...]


def _end(text: str, words: str) -> BuiltIn:
    """A template whose word comes last on either kind of backbone."""
    return BuiltIn(text, f"{text} [MASK].", tuple(words.split()))


_REVIEW = (
    _end("Review: {sentence1}\nSentiment:", "negative positive"),
    BuiltIn("{sentence1} It was", "{sentence1} It was [MASK].", ("terrible", "great")),
    _end("Review: {sentence1}\nIs the review positive or negative? It is", "negative positive"),
)
_GRAMMAR = (
    _end("Sentence: {sentence1}\nIs the sentence correct English? Answer:", "no yes"),
    _end("{sentence1}\nThe grammar of this sentence is", "wrong correct"),
)
_SAME = (
    _end("First: {sentence1}\nSecond: {sentence2}\nDo they mean the same? Answer:", "no yes"),
    _end("{sentence1}\n{sentence2}\nThe two sentences are", "different similar"),
)
_FOLLOWS = _end("{sentence1}\nQuestion: {sentence2} True or false? Answer:", "true false")
_NOT_FOLLOWS = _end("{sentence1}\nQuestion: {sentence2} True or false? Answer:", "false true")
_THREE = _end(
    "{sentence1}\nQuestion: {sentence2} True, false or unknown? Answer:", "true unknown false"
)
_HOLDS = _end(
    "Question: {sentence1}\nText: {sentence2}\nDoes the text answer the question? Answer:", "yes no"
)

BUILT_IN: Mapping[str, tuple[BuiltIn, ...]] = {
    "cola": _GRAMMAR,
    "sst2": _REVIEW,
    "mrpc": _SAME,
    "qqp": _SAME,
    "mnli": (_THREE,),
    "qnli": (_HOLDS,),
    "rte": (_FOLLOWS,),
    "wnli": (_NOT_FOLLOWS,),
    "acceptability": _GRAMMAR,
    "sentiment": _REVIEW,
    "paraphrase": _SAME,
    "entailment": (_THREE,),
}
"""Task → its templates."""


def built_in(task: Task, *, causal: bool) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A task's templates as they are written, each with its label words; empty where none are."""
    templates = BUILT_IN.get(task.name, ())
    return tuple((one.decoder if causal else one.encoder, one.words) for one in templates)
