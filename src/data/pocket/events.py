"""Events: who did what to which thing, and where; told in ways that train and test do not share."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Literal

from .doings import DEEDS
from .grammar import sentence
from .meanings import PEOPLE, PLACES, THINGS, Family, Part

Likeness = Literal["same", "near", "far"]
"""A word of one meaning with another, of one family only, or of neither."""

SLOTS: tuple[Mapping[Part, tuple[Family, ...]], ...] = (PEOPLE, DEEDS, THINGS, PLACES)
"""Where the four content words of an event come from, in the order in which `told` takes them."""

PLACE = len(SLOTS) - 1
"""The slot of the place, which matters least to what happened."""

_FRAMES: Mapping[Part, tuple[str, ...]] = {
    "train": (
        "the {who} {did} the {what} near the {where}",
        "the {what} was {did} by the {who} near the {where}",
        "there was a {who} near the {where} who {did} the {what}",
        "what the {who} {did} near the {where} was the {what}",
        "the {what} near the {where} had been {did} by the {who}",
        "the {who} who {did} the {what} was near the {where}",
    ),
    "test": (
        "it was the {who} near the {where} who {did} the {what}",
        "near the {where} the {what} was {did} by the {who}",
    ),
}
"""How an event is told: who, did, what, where."""


def replaced(families: tuple[Family, ...], likeness: Likeness, random: Random) -> tuple[str, str]:
    """A word that has a synonym, and another word that is as alike to it as asked."""
    family, elsewhere = random.sample(families, 2)
    meaning = random.choice([meaning for meaning in family if len(meaning) > 1])
    word, synonym = random.sample(meaning, 2)
    if likeness == "same":
        return word, synonym
    meanings = [m for m in family if m != meaning] if likeness == "near" else elsewhere
    return word, random.choice([one for near in meanings for one in near])


def told(part: Part, words: list[str], random: Random) -> str:
    """A sentence of who, did, what and where, in one of the ways of its half."""
    who, did, what, where = words
    frame = random.choice(_FRAMES[part])
    return sentence(frame.format(who=who, did=did, what=what, where=where))
