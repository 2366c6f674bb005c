"""Events: who did what to which thing; in sentences that train and test do not share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

from .doings import DEEDS
from .grammar import sentence
from .meanings import PEOPLE, THINGS, Family, Part

Likeness = Literal["same", "near", "far"]
"""A word of one meaning with another, of one family only, or of neither."""

ROLES: tuple[Mapping[Part, tuple[Family, ...]], ...] = (PEOPLE, DEEDS, THINGS)
"""Where an event's content words come from, in the order in which `event_sentence` takes them."""

_FRAMES: Mapping[Part, tuple[str, ...]] = {
    "train": (
        "the {0} {1} the {2}",
        "the {2} was {1} by the {0}",
        "there was a {0} who {1} the {2}",
        "the {2} had been {1} by the {0}",
    ),
    "test": (
        "it was the {0} who {1} the {2}",
        "what the {0} {1} was the {2}",
        "some {0} had {1} the {2}",
    ),
}
"""Sentences of an event: who, did, what."""


def pair(likenesses: Sequence[Likeness], part: Part, random: Random) -> tuple[list[str], list[str]]:
    """Two events' words, in each role different ones, as alike in meaning as asked."""
    first, second = [], []
    for likeness, table in zip(likenesses, ROLES, strict=True):
        word, replacement = replaced(table[part], likeness, random)
        first.append(word)
        second.append(replacement)
    return first, second


def replaced(families: tuple[Family, ...], likeness: Likeness, random: Random) -> tuple[str, str]:
    """A word that has a synonym, and another word that is as alike to it as asked."""
    family, elsewhere = random.sample(families, 2)
    meaning = random.choice([meaning for meaning in family if len(meaning) > 1])
    word, synonym = random.sample(meaning, 2)
    if likeness == "same":
        return word, synonym
    meanings = [m for m in family if m != meaning] if likeness == "near" else elsewhere
    return word, random.choice([one for near in meanings for one in near])


def event_sentence(part: Part, words: Sequence[str], random: Random) -> str:
    """A sentence of who, did and what, in one of the ways of its half."""
    return sentence(random.choice(_FRAMES[part]).format(*words))
