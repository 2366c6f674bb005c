"""Similarity: how much of who, did and what two sentences share in meaning, from 0 to 5.

The sentences share no content word: each word of the first is replaced by one of the same, of a
near or of a far meaning. So shared words say nothing of the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from .events import ROLES, Likeness, event_sentence, pair
from .grammar import Row
from .meanings import Part

_WEIGHT = 5 / len(ROLES)
_WORTH: Mapping[Likeness, float] = {"same": 1.0, "near": 0.4, "far": 0.0}


def draw(part: Part, index: int, random: Random) -> Row:
    """Make one pair; every third is alike throughout, every third in nothing."""
    # Roles drawn one by one would average out: this spreads the scores to both ends.
    closeness = (1.0, 0.0, random.random())[index % 3]
    likenesses = [_likeness(closeness, random) for _ in ROLES]
    first, second = pair(likenesses, part, random)
    score = sum(_WEIGHT * _WORTH[likeness] for likeness in likenesses)
    return Row(
        (event_sentence(part, first, random), event_sentence(part, second, random)), round(score, 2)
    )


def _likeness(closeness: float, random: Random) -> Likeness:
    if random.random() < closeness:
        return "same"
    return "near" if random.random() < 0.2 else "far"
