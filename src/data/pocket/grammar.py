"""What the five grammars share: making a sentence of words, and the words both halves may use."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from .meanings import words

FUNCTION_WORDS = frozenset(
    words("""
        a about all although an and any anything are at been but by can could did do does
        everything few fewer for from had has have he her him himself herself his how if in is
        it its less many more most my near neither never no nobody none nor not nothing of on
        one or our she should so some somebody something than that the their them themselves
        there these they this those though to too us very was we were what when which who whom
        will with would you
    """)
)
"""Closed-class words: the only ones that train and test share."""

_VOWELS = frozenset("aeiou")


class Row(NamedTuple):
    """What a grammar makes: one text or two, and their label."""

    texts: tuple[str, ...]
    label: float


def sentence(*words: str) -> str:
    """Join words or phrases into a sentence, with `a` or `an` as the next letter asks."""
    flat = " ".join(word for word in words if word).split()
    for place, word in enumerate(flat[:-1]):
        following = flat[place + 1].lower()
        if word == "a" and following != "a" and following[0] in _VOWELS:
            flat[place] = "an"
    text = " ".join(flat).replace(" ,", ",")
    return f"{text[0].upper()}{text[1:]}."


def words_of(texts: Iterable[str]) -> set[str]:
    """The words of texts, lower-case and without punctuation."""
    return {word.strip(".,?").lower() for text in texts for word in text.split()}


def other(random: Random, words: tuple[str, ...], than: str) -> str:
    """One of the words, but not this one."""
    return random.choice([word for word in words if word != than])
