"""Similarity: how much of who, did, what and where two sentences share in meaning, from 0 to 5.

Each pair shares exactly one of its four content words; the other three are replaced, each by a
word of the same, of a near or of a far meaning. So shared words say nothing of the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from .events import PLACE, SLOTS, Likeness, replaced, told
from .grammar import Row
from .meanings import Part

_WEIGHTS = (1.5, 1.5, 1.5, 0.5)
_WORTH: Mapping[Likeness, float] = {"same": 1.0, "near": 0.4, "far": 0.0}


def draw(part: Part, turn: int, random: Random) -> Row:
    """Make one pair; the place is shared by every other pair, else a word that weighs more."""
    shared = PLACE if turn % 2 else turn // 2 % PLACE
    first: list[str] = []
    second: list[str] = []
    score = 0.0
    # One draw for all slots spreads the scores to both ends, where slots alone would average out.
    closeness = random.uniform(-0.2, 0.9)
    for slot, (table, weight) in enumerate(zip(SLOTS, _WEIGHTS, strict=True)):
        likeness = _likeness(closeness, random)
        word, replacement = replaced(table[part], likeness, random)
        first.append(word)
        second.append(word if slot == shared else replacement)
        score += weight * (1.0 if slot == shared else _WORTH[likeness])
    return Row((told(part, first, random), told(part, second, random)), round(score, 2))


def _likeness(closeness: float, random: Random) -> Likeness:
    if random.random() < closeness:
        return "same"
    return "near" if random.random() < 0.35 else "far"
