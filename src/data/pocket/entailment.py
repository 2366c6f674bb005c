"""Entailment: what follows from a premise, when word overlap tells nothing.

A premise is repeated in words of the same meaning, denied in such words, or replaced by another
event; a thing is called by its kind (a violin is an instrument) or of another; a quality turns
into its opposite. Train denies with `never` and `not`, test with words that train does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from .events import ROLES, Likeness, event_sentence, pair
from .grammar import Row, other, sentence
from .meanings import Part
from .qualities import KINDS, QUALITIES

_DENIALS: Mapping[Part, tuple[str, ...]] = {
    "train": (
        "the {0} has never {1} the {2}",
        "it was not the {0} who {1} the {2}",
        "it is a lie that the {0} {1} the {2}",
    ),
    "test": (
        "no {0} has ever {1} the {2}",
        "it is untrue that the {0} {1} the {2}",
        "the claim that the {0} {1} the {2} is false",
    ),
}
_DENIED_NEUTRAL = 0.25
"""How often a hypothesis about another event denies it, so that a denial alone does not decide."""

_SAYINGS: Mapping[Part, tuple[str, ...]] = {
    "train": ("her favourite was {}", "the answer to the riddle was {}"),
    "test": ("his choice was {}", "what they had in mind was {}"),
}
_UNCOUNTED = frozenset(("drink", "sport", "metal", "language"))


def draw(part: Part, index: int, random: Random) -> Row:
    """Make one premise and hypothesis; the index decides the class."""
    label = index % 3
    kind = index // 3 % 8
    make = _event if kind < 6 else _quality if kind < 7 else _kind
    return Row(make(part, label, random), float(label))


def _event(part: Part, label: int, random: Random) -> tuple[str, str]:
    likenesses: list[Likeness] = ["same"] * len(ROLES)
    if label == 1:
        kept = random.choice([None, *range(len(ROLES))])
        likenesses = ["same" if place == kept else "far" for place in range(len(ROLES))]
    first, second = pair(likenesses, part, random)
    denied = label == 2 or (label == 1 and random.random() < _DENIED_NEUTRAL)
    hypothesis = (
        sentence(random.choice(_DENIALS[part]).format(*second))
        if denied
        else event_sentence(part, second, random)
    )
    return event_sentence(part, first, random), hypothesis


def _quality(part: Part, label: int, random: Random) -> tuple[str, str]:
    (bearers, (good, bad)), (_, unrelated) = random.sample(QUALITIES[part], 2)
    if random.random() < 0.5:
        good, bad = bad, good
    word, bearer = random.choice(good), random.choice(bearers)
    meaning = (other(random, good, word), random.choice(random.choice(unrelated)), None)[label]
    answer = meaning or random.choice(bad)
    if part == "train":
        return sentence("the", bearer, "was", word), sentence("it was a", answer, bearer)
    return sentence("what a", word, bearer), sentence("that", bearer, "is", answer)


def _kind(part: Part, label: int, random: Random) -> tuple[str, str]:
    kind, elsewhere = random.sample(list(KINDS[part]), 2)
    member = _noun(random.choice(KINDS[part][kind]), kind)
    premise, hypothesis = (
        (member, f"a {kind}"),
        (f"a {kind}", member),
        (member, f"a {elsewhere}"),
    )[label]
    saying = random.choice(_SAYINGS[part])
    return sentence(saying.format(premise)), sentence(saying.format(hypothesis))


def _noun(member: str, kind: str) -> str:
    return member if kind in _UNCOUNTED else f"a {member}"
