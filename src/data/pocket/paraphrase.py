"""Paraphrase: do two sentences say the same, in other words?

Most pairs tell an event twice and share no content word: each is replaced by one of the same
meaning, or at least two of three by another. Some say of the same bearer that it has a quality,
put in another word, or has the opposite one. So shared words say nothing of the answer.
"""

from __future__ import annotations

from random import Random

from .events import ROLES, Likeness, event_sentence, pair
from .grammar import Row, other, sentence
from .meanings import Part
from .qualities import QUALITIES


def draw(part: Part, index: int, random: Random) -> Row:
    """Make one pair; even turns are different, odd ones the same."""
    same = index % 2 == 1
    make = _described if index // 2 % 8 == 7 else _retold
    return Row(make(part, same, random), float(same))


def _retold(part: Part, same: bool, random: Random) -> tuple[str, str]:
    likenesses: list[Likeness] = ["same"] * len(ROLES)
    if not same:
        kept = random.choice([None, *range(len(ROLES))])
        likenesses = ["same" if place == kept else "far" for place in range(len(ROLES))]
    first, second = pair(likenesses, part, random)
    return event_sentence(part, first, random), event_sentence(part, second, random)


def _described(part: Part, same: bool, random: Random) -> tuple[str, str]:
    bearers, (good, bad) = random.choice(QUALITIES[part])
    if random.random() < 0.5:
        good, bad = bad, good
    bearer, word = random.choice(bearers), random.choice(good)
    answer = other(random, good, word) if same else random.choice(bad)
    if part == "train":
        return sentence("the", bearer, "was", word), sentence("it was a", answer, bearer)
    return sentence("what a", word, bearer), sentence("that", bearer, "is", answer)
