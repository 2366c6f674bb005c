"""Acceptability: one sentence, well-formed or not, word counts the same in both classes.

Half of the ill-formed sentences have their words in disorder. The others have one fault that
cancels out in word counts: two neighbours swapped, a verb that does not agree with its subject, a
verb form that its auxiliary does not take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from random import Random

from .grammar import Row, sentence
from .meanings import Part, words


def forms(block: str) -> tuple[tuple[str, ...], ...]:
    """Read one verb a line: its base, its past, its participle."""
    return tuple(words(line) for line in block.strip().splitlines())


_THINGS: Mapping[Part, tuple[str, ...]] = {
    "train": words("lamp chair table bottle picture letter cake jacket"),
    "test": words("basket candle ladder pillow ticket sweater blanket poster"),
}
_PEOPLE: Mapping[Part, tuple[str, ...]] = {
    "train": words("girl teacher doctor artist neighbour farmer student singer"),
    "test": words("boy lawyer nurse painter cousin sailor visitor actor"),
}
_PLACES: Mapping[Part, tuple[str, ...]] = {
    "train": words("kitchen garden school office station village"),
    "test": words("bedroom market library harbour museum valley"),
}
_QUALITIES: Mapping[Part, tuple[str, ...]] = {
    "train": words("old red small heavy cheap pretty"),
    "test": words("new blue large light dusty lovely"),
}
_VERBS: Mapping[Part, tuple[tuple[str, ...], ...]] = {
    "train": forms("""
take took taken
break broke broken
choose chose chosen
steal stole stolen
draw drew drawn
forget forgot forgotten
"""),
    "test": forms("""
see saw seen
tear tore torn
throw threw thrown
wear wore worn
hide hid hidden
shake shook shaken
"""),
}


def draw(part: Part, index: int, random: Random) -> Row:
    """Make one sentence; even turns are unacceptable, odd ones acceptable."""
    good = index % 2 == 1
    forms = _TRAIN if part == "train" else _TEST
    form = forms[index // 2 % len(forms)]
    return Row((sentence(*form(_Words(part, random), good)),), float(good))


class _Words:
    """The content words of one sentence, and a coin to choose between twins."""

    def __init__(self, part: Part, random: Random) -> None:
        self.who = random.choice(_PEOPLE[part])
        self.what = random.choice(_THINGS[part])
        self.where = random.choice(_PLACES[part])
        self.how, self.state = random.sample(_QUALITIES[part], 2)
        self.base, self.past, self.participle = random.choice(_VERBS[part])
        self.coin = random.random() < 0.5
        self.random = random

    def number(self, many: bool) -> str:
        return f"{self.what}s" if many else self.what


_Form = Callable[[_Words, bool], tuple[str, ...]]


def _scattered(w: _Words, words: tuple[str, ...], good: bool) -> tuple[str, ...]:
    """The words as they are, or so that no two neighbours stay neighbours in that order."""
    kept = set(pairwise(words))
    order = words
    while not good and kept & set(pairwise(order)):
        order = tuple(w.random.sample(words, len(words)))
    return order


def _swapped(w: _Words, words: tuple[str, ...], good: bool, *places: int) -> tuple[str, ...]:
    """The words as they are, or two neighbours swapped at one of the places."""
    if good:
        return words
    place = w.random.choice(places)
    return (*words[:place], words[place + 1], words[place], *words[place + 2 :])


def _agreement(w: _Words, good: bool) -> tuple[str, ...]:
    be = "are" if w.coin == good else "is"
    return ("the", w.how, w.number(w.coin), "in the", w.where, be, w.state)


def _verb_form(w: _Words, good: bool) -> tuple[str, ...]:
    auxiliary = "has" if w.coin else "will"
    verb = w.participle if w.coin == good else w.base
    return ("the", w.who, auxiliary, verb, "the", w.how, w.what, "in the", w.where)


def _order(w: _Words, good: bool) -> tuple[str, ...]:
    words = ("the", w.who, w.past, "the", w.what, "in", "the", w.where)
    return _swapped(w, words, good, 0, 3, 6)


def _deed(w: _Words, good: bool) -> tuple[str, ...]:
    return _scattered(w, ("the", w.who, w.past, "this", w.how, w.what), good)


def _place(w: _Words, good: bool) -> tuple[str, ...]:
    return _scattered(w, ("the", w.how, w.what, "was", "never", "in", "our", w.where), good)


def _existence(w: _Words, good: bool) -> tuple[str, ...]:
    return _scattered(w, ("there", "is", "a", w.who, "with", "her", w.how, w.what), good)


def _relative(w: _Words, good: bool) -> tuple[str, ...]:
    be = "were" if w.coin == good else "was"
    return ("the", w.number(w.coin), "that the", w.who, w.past, be, w.state)


def _never(w: _Words, good: bool) -> tuple[str, ...]:
    auxiliary = "had" if w.coin else "could"
    verb = w.participle if w.coin == good else w.base
    return ("our", w.who, auxiliary, verb, "a", w.how, w.what)


def _preposition(w: _Words, good: bool) -> tuple[str, ...]:
    words = ("at", "our", w.where, "the", w.who, w.past, "a", w.what)
    return _swapped(w, words, good, 0, 1, 3, 6)


def _possession(w: _Words, good: bool) -> tuple[str, ...]:
    return _scattered(w, ("my", w.who, "has", "a", w.how, w.what), good)


def _passive(w: _Words, good: bool) -> tuple[str, ...]:
    return _scattered(w, ("that", w.what, "had", "been", w.participle, "by", "their", w.who), good)


def _frequency(w: _Words, good: bool) -> tuple[str, ...]:
    return _scattered(w, (w.number(True), "in", "the", w.where, "are", "often", w.state), good)


_TRAIN: tuple[_Form, ...] = (_agreement, _verb_form, _order, _deed, _place, _existence)
_TEST: tuple[_Form, ...] = (_relative, _never, _preposition, _possession, _passive, _frequency)
