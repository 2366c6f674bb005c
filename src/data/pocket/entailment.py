"""Entailment: what follows from a premise, when word overlap tells nothing.

Events told again in other words, or denied, or replaced by other events; qualities and their
opposites; kinds and their members (a violin is an instrument); amounts. A premise is denied by
`never` and a hypothesis by `not`, each about equally often in all three classes, so that only
both together tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from .events import SLOTS, replaced
from .grammar import Row, other, sentence
from .meanings import Part, words
from .qualities import KINDS, QUALITIES

_PREMISES: Mapping[Part, tuple[str, ...]] = {
    "train": (
        "the {0} {4} {1} the {2} near the {3}",
        "the {2} was {4} {1} by the {0} near the {3}",
        "near the {3} the {0} {4} {1} the {2}",
    ),
    "test": ("near the {3} the {2} had {4} been {1} by the {0}",),
}
_HYPOTHESES: Mapping[Part, tuple[str, ...]] = {
    "train": (
        "the {2} was {4} {1} by the {0} near the {3}",
        "the {0} had {4} {1} the {2} near the {3}",
        "near the {3} the {2} was {4} {1} by the {0}",
    ),
    "test": (
        "it is {4} true that the {0} near the {3} {1} the {2}",
        "the {2} near the {3} has {4} been {1} by the {0}",
    ),
}
_SAYINGS = {
    "train": (
        "the answer to the riddle was",
        "her favourite was",
        "the subject of the lecture was",
    ),
    "test": ("what they had in mind was", "the only item on the list was", "his choice was"),
}
_NUMBERS = {
    "train": words("two four six eight ten twelve fourteen sixteen eighteen twenty"),
    "test": words("three five seven nine eleven thirteen fifteen seventeen nineteen"),
}
_EVENTS = {
    "train": (
        "{} guests came to the party",
        "the farmer counted {} cows",
        "{} boxes stood at the door",
    ),
    "test": (
        "the gallery showed {} paintings",
        "{} runners finished the race",
        "they planted {} trees",
    ),
}
_UNCOUNTED = frozenset(("drink", "sport", "metal", "language"))


def draw(part: Part, turn: int, random: Random) -> Row:
    """Make one premise and hypothesis; the turn decides the class."""
    label = turn % 3
    kind = turn // 3 % 20
    make = _event if kind < 11 else _quality if kind < 17 else _kind if kind < 19 else _amount
    return Row(make(part, label, random), float(label))


def _event(part: Part, label: int, random: Random) -> tuple[str, str]:
    """Share one word of four; replace the others by synonyms, or most of them where neutral."""
    shared, kept, *_ = random.sample(range(len(SLOTS)), len(SLOTS))
    first: list[str] = []
    second: list[str] = []
    for slot, table in enumerate(SLOTS):
        astray = label == 1 and slot != kept
        word, replacement = replaced(table[part], "far" if astray else "same", random)
        first.append(word)
        second.append(word if slot == shared else replacement)
    never = random.random() < 0.35
    denied = (never, random.random() < 0.5, not never)[label]
    premise, hypothesis = (random.choice(frames[part]) for frames in (_PREMISES, _HYPOTHESES))
    return (
        sentence(premise.format(*first, "never" if never else "")),
        sentence(hypothesis.format(*second, "not" if denied else "")),
    )


def _kind(part: Part, label: int, random: Random) -> tuple[str, str]:
    kind, elsewhere = random.sample(list(KINDS[part]), 2)
    member, another = random.sample(KINDS[part][kind], 2)
    foreign = random.choice(KINDS[part][elsewhere])
    narrow, sibling = _noun(member, kind), _noun(another, kind)
    stranger, wide, apart = _noun(foreign, elsewhere), f"a {kind}", f"a {elsewhere}"
    choices = (
        (
            (narrow, wide),
            (narrow, f"not {apart}"),
            (wide, f"not {stranger}"),
            (narrow, f"not {sibling}"),
        ),
        ((wide, narrow), (wide, f"not {narrow}")),
        ((narrow, apart), (narrow, sibling), (wide, stranger), (narrow, f"not {wide}")),
    )[label]
    negated = random.random() < 0.4
    fitting = [pair for pair in choices if pair[1].startswith("not ") == negated]
    premise, hypothesis = random.choice(fitting)
    saying = random.choice(_SAYINGS[part])
    return sentence(saying, premise), sentence(saying, hypothesis)


def _noun(member: str, kind: str) -> str:
    return member if kind in _UNCOUNTED else f"a {member}"


def _quality(part: Part, label: int, random: Random) -> tuple[str, str]:
    (bearers, (good, bad)), (_, unrelated) = random.sample(QUALITIES[part], 2)
    if random.random() < 0.5:
        good, bad = bad, good
    word, bearer = random.choice(good), random.choice(bearers)
    denied, negated = random.random() < 0.3, random.random() < 0.4
    if label == 1:
        answer = random.choice(random.choice(unrelated))
    elif (label == 0) != (denied != negated):
        answer = other(random, good, word)
    else:
        answer = random.choice(bad)
    return _state(part, bearer, denied, word), _state(part, bearer, negated, answer)


def _state(part: Part, bearer: str, denied: bool, word: str) -> str:
    denial = "not" if denied else ""
    if part == "train":
        return sentence("we saw that the", bearer, "was", denial, word)
    return sentence("it is", denial, "a", word, bearer, "that he told us about")


def _amount(part: Part, label: int, random: Random) -> tuple[str, str]:
    places = sorted(random.sample(range(len(_NUMBERS[part])), 3))
    low, middle, high = (_NUMBERS[part][place] for place in places)
    more, fewer = f"more than {low}", f"fewer than {high}"
    event = random.choice(_EVENTS[part])
    pair = random.choice(
        (
            ((middle, more), (middle, fewer)),
            ((more, middle), (fewer, middle)),
            ((middle, f"fewer than {low}"), (middle, f"more than {high}")),
        )[label]
    )
    return sentence(event.format(pair[0])), sentence(event.format(pair[1]))
