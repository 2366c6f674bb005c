"""Paraphrase: do two sentences say the same, when both share equally many words?

Three kinds of pairs. Most put other words into some places: of the same meaning in each, or of
another in at least half of them. Some tell who did what to whom in two voices, the roles kept or
swapped. Some play an adjective, its opposite and `not` against each other.
"""

from __future__ import annotations

from random import Random

from .doings import DEALINGS
from .events import SLOTS, Likeness, replaced, told
from .grammar import Row, other, sentence
from .meanings import PEOPLE, PLACES, Part
from .qualities import QUALITIES


def draw(part: Part, turn: int, random: Random) -> Row:
    """Make one pair; even turns are different, odd ones the same."""
    same = turn % 2 == 1
    kind = turn // 2 % 10
    make = _reworded if kind < 8 else _voiced if kind < 9 else _opposed
    pair = make(part, same, random)
    return Row(pair if random.random() < 0.5 else pair[::-1], float(same))


def _reworded(part: Part, same: bool, random: Random) -> tuple[str, ...]:
    changed = random.sample(range(len(SLOTS)), random.randint(2, len(SLOTS)))
    astray = set() if same else set(changed[: random.randint(len(changed) - 1, len(changed))])
    first: list[str] = []
    second: list[str] = []
    for slot, table in enumerate(SLOTS):
        away: Likeness = "near" if random.random() < 0.4 else "far"
        word, replacement = replaced(table[part], away if slot in astray else "same", random)
        first.append(word)
        second.append(replacement if slot in changed else word)
    return told(part, first, random), told(part, second, random)


def _voiced(part: Part, same: bool, random: Random) -> tuple[str, ...]:
    one, two = replaced(PEOPLE[part], "far", random)
    did, alike = replaced(DEALINGS[part], "same", random)
    doer, target = (one, two) if same else (two, one)
    if part == "train":
        first = sentence("the", one, did, "the", two, "and left")
        second = sentence("the", target, "was", alike, "by the", doer, ", who left")
    else:
        first = sentence("it was the", one, "who", did, "the", two)
        second = sentence("the one who was", alike, "by the", doer, "was the", target)
    return first, second


def _opposed(part: Part, same: bool, random: Random) -> tuple[str, ...]:
    bearers, (good, bad) = random.choice(QUALITIES[part])
    if random.random() < 0.5:
        good, bad = bad, good
    bearer = random.choice(bearers)
    word = random.choice(good)
    negated = random.random() < 0.5
    answer = random.choice(bad) if negated == same else other(random, good, word)
    place, _ = replaced(PLACES[part], "same", random)
    where = ("the", bearer, "near the", place)
    if part == "test":
        where = ("near the", place, "the", bearer)
    return sentence(*where, "was", "not" if negated else "", word), sentence(*where, "was", answer)
