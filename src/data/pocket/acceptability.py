"""Acceptability: one sentence, well-formed or with one fault, word counts the same in both classes.

Faults come in pairs that cancel out in word counts: a singular and a plural, two verb forms under
two auxiliaries, a word moved from its place, an object given or withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
_NEEDY: Mapping[Part, tuple[str, ...]] = {
    "train": words("fixed bought found carried"),
    "test": words("mended owned lifted wanted"),
}
_ALONE: Mapping[Part, tuple[str, ...]] = {
    "train": words("slept smiled arrived laughed"),
    "test": words("sneezed coughed appeared yawned"),
}


def draw(part: Part, turn: int, random: Random) -> Row:
    """Make one sentence; even turns are unacceptable, odd ones acceptable."""
    good = turn % 2 == 1
    forms = _TRAIN if part == "train" else _TEST
    form = forms[turn // 2 % len(forms)]
    return Row((sentence(*form(_Words(part, random), good)),), float(good))


class _Words:
    """The content words of one sentence, and a coin to choose between twins."""

    def __init__(self, part: Part, random: Random) -> None:
        self.who = random.choice(_PEOPLE[part])
        self.what = random.choice(_THINGS[part])
        self.where = random.choice(_PLACES[part])
        self.how, self.state = random.sample(_QUALITIES[part], 2)
        self.base, self.past, self.participle = random.choice(_VERBS[part])
        self.needy = random.choice(_NEEDY[part])
        self.alone = random.choice(_ALONE[part])
        self.coin = random.random() < 0.5
        self.place = random.random()

    def number(self, many: bool) -> str:
        return f"{self.what}s" if many else self.what


_Form = Callable[[_Words, bool], tuple[str, ...]]


def _agreement(w: _Words, good: bool) -> tuple[str, ...]:
    be = "are" if w.coin == good else "is"
    return ("the", w.how, w.number(w.coin), "in the", w.where, be, w.state)


def _determiner(w: _Words, good: bool) -> tuple[str, ...]:
    this = "these" if w.coin == good else "this"
    return ("the", w.who, w.past, this, w.how, w.number(w.coin), "in the", w.where)


def _verb_form(w: _Words, good: bool) -> tuple[str, ...]:
    auxiliary = "has" if w.coin else "will"
    verb = w.participle if w.coin == good else w.base
    return ("the", w.who, auxiliary, verb, "the", w.how, w.what, "in the", w.where)


def _order(w: _Words, good: bool) -> tuple[str, ...]:
    words = ["the", w.who, w.past, "the", w.what, "in", "the", w.where]
    return tuple(words if good else _swapped(words, (0, 3, 6)[int(3 * w.place)]))


def _moved(w: _Words, good: bool) -> tuple[str, ...]:
    words = ["the", w.who, w.past, "the", w.how, w.what, "in", "the", w.where]
    if not good:
        source, goal = ((0, 3), (3, 0), (7, 3), (3, 7))[int(4 * w.place)]
        words[goal] = "the the"
        words[source] = ""
    return tuple(words)


def _object(w: _Words, good: bool) -> tuple[str, ...]:
    verb = w.needy if w.coin == good else w.alone
    return ("the", w.who, verb, f"the {w.how} {w.what}" if w.coin else "", "in the", w.where)


def _relative(w: _Words, good: bool) -> tuple[str, ...]:
    be = "were" if w.coin == good else "was"
    return ("the", w.number(w.coin), "that the", w.who, w.past, be, w.state)


def _demonstrative(w: _Words, good: bool) -> tuple[str, ...]:
    that = "those" if w.coin == good else "that"
    return ("in the", w.where, "we had", that, w.how, w.number(w.coin))


def _never(w: _Words, good: bool) -> tuple[str, ...]:
    auxiliary = "had" if w.coin else "could"
    verb = w.participle if w.coin == good else w.base
    return ("our", w.who, auxiliary, verb, "a", w.how, w.what)


def _preposition(w: _Words, good: bool) -> tuple[str, ...]:
    words = ["at", "our", w.where, "the", w.who, w.past, "a", w.what]
    return tuple(words if good else _swapped(words, (0, 1, 3, 6)[int(4 * w.place)]))


def _doubled(w: _Words, good: bool) -> tuple[str, ...]:
    words = ["at", "the", w.where, "a", w.who, w.past, "a", w.what]
    if not good:
        source, goal = ((3, 6), (6, 3))[int(2 * w.place)]
        words[goal] = "a a"
        words[source] = ""
    return tuple(words)


def _withheld(w: _Words, good: bool) -> tuple[str, ...]:
    verb = w.needy if w.coin == good else w.alone
    return ("at our", w.where, "a", w.who, verb, f"a {w.how} {w.what}" if w.coin else "")


def _swapped(words: list[str], place: int) -> list[str]:
    return [*words[:place], words[place + 1], words[place], *words[place + 2 :]]


_TRAIN: tuple[_Form, ...] = (_agreement, _determiner, _verb_form, _order, _moved, _object)
_TEST: tuple[_Form, ...] = (_relative, _demonstrative, _never, _preposition, _doubled, _withheld)
