"""Sentiment: a short review whose judgement hangs on unseen words, negation and contrast.

Each judging word occurs in both classes: plainly in its own, and negated or outweighed in the
other. Test reviews judge with words, and in constructions, that train does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from .grammar import Row, sentence
from .meanings import Part, words

_ADJECTIVES: Mapping[Part, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "train": (
        words("""
            terrible awful horrible boring dreadful annoying disappointing unpleasant
            tedious lousy ugly depressing inferior uncomfortable ridiculous confusing
        """),
        words("""
            wonderful excellent lovely brilliant delightful superb charming pleasant
            impressive amazing enjoyable memorable inspiring comfortable graceful clear
        """),
    ),
    "test": (
        words("""
            abysmal mediocre frustrating pathetic appalling miserable shoddy irritating
            bland disgusting useless clumsy sloppy lifeless overpriced unbearable
        """),
        words("""
            fantastic marvellous splendid outstanding terrific fabulous magnificent
            remarkable satisfying thrilling exquisite beautiful flawless refreshing stunning
            elegant
        """),
    ),
}
_VERBS: Mapping[Part, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "train": (("hated", "disliked", "regretted"), ("loved", "liked", "enjoyed")),
    "test": (("despised", "loathed", "resented"), ("adored", "admired", "cherished")),
}
_SUBJECTS: Mapping[Part, tuple[tuple[str, ...], ...]] = {
    "train": (
        words("film acting plot soundtrack dialogue ending lighting casting"),
        words("soup waiter menu dessert service pasta salad chef"),
        words("hotel room pool breakfast lobby balcony receptionist garden"),
    ),
    "test": (
        words("phone battery screen camera keyboard speaker software design"),
        words("concert band singer stage orchestra audience encore sound"),
        words("course lecturer handbook workshop material seminar tutor project"),
    ),
}
_OCCASIONS: Mapping[Part, tuple[str, ...]] = {
    "train": ("on Friday", "at our first visit", "in the evening", "for the whole week", ""),
    "test": ("last month", "during my stay abroad", "since Sunday", "after an hour", ""),
}


def draw(part: Part, index: int, random: Random) -> Row:
    """Make one review; even turns are negative, odd ones positive."""
    label = index % 2
    forms = _TRAIN if part == "train" else _TEST
    form = forms[index // 2 % len(forms)]
    words = _Words(part, random)
    return Row((form(words, label, random.choice(_OCCASIONS[part])),), float(label))


class _Words:
    """Words of one review: two subjects of one domain, and judgements by their side."""

    def __init__(self, part: Part, random: Random) -> None:
        self.part, self.random = part, random
        self.one, self.two = random.sample(random.choice(_SUBJECTS[part]), 2)

    def adjective(self, side: int) -> str:
        return self.random.choice(_ADJECTIVES[self.part][side])

    def verb(self, side: int) -> str:
        return self.random.choice(_VERBS[self.part][side])


def _plain(w: _Words, side: int, when: str) -> str:
    return sentence("the", w.one, "was", w.adjective(side), "and so was the", w.two, when)


def _liked(w: _Words, side: int, when: str) -> str:
    return sentence("we", w.verb(side), "the", w.one, "and the", w.adjective(side), w.two, when)


def _negated(w: _Words, side: int, when: str) -> str:
    return sentence(
        "the", w.one, "was not", w.adjective(1 - side), "and the", w.two, "was not", when
    )


def _but(w: _Words, side: int, when: str) -> str:
    first = sentence("the", w.one, "was", w.adjective(1 - side), when)[:-1]
    return sentence(first, ", but the", w.two, "was", w.adjective(side))


def _exclaimed(w: _Words, side: int, when: str) -> str:
    return sentence("what a", w.adjective(side), w.one, "they had for us", when)


def _nothing(w: _Words, side: int, when: str) -> str:
    return sentence("there was nothing", w.adjective(1 - side), "about the", w.one, when)


def _neither(w: _Words, side: int, when: str) -> str:
    pair = ("neither the", w.one, "nor the", w.two, "was")
    return sentence(*pair, w.adjective(1 - side), when)


def _although(w: _Words, side: int, when: str) -> str:
    first = sentence("although the", w.one, "was", w.adjective(1 - side), when)[:-1]
    return sentence(first, ", we", w.verb(side), "the", w.two)


def _felt(w: _Words, side: int, when: str) -> str:
    return sentence("some of us", w.verb(side), "the", w.one, "and its", w.two, when)


def _whole(w: _Words, side: int, when: str) -> str:
    return sentence("everything about the", w.one, "was", w.adjective(side), when)


_Form = Callable[[_Words, int, str], str]
_TRAIN: tuple[_Form, ...] = (_plain, _liked, _negated, _but)
_TEST: tuple[_Form, ...] = (_exclaimed, _nothing, _although, _felt, _whole, _neither)
