"""Tie groups as letters: two methods share a letter if and only if they are not separated.

The compact letter display of Piepho (2004), "An algorithm for a letter-based representation of
all-pairwise comparisons", J. Comput. Graph. Stat. 13:456: one group of all; every separated pair
splits each group that holds both; a group within another is absorbed; and at last no group keeps
a member whose every tie another group shows too.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence

Group = frozenset[int]


def letters(methods: Sequence[str], separated: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Letters of each method, "a" for the group of the best.

    Args:
        methods: From the best to the worst; groups are lettered in this order of their members.
        separated: Pairs of which one is better than the other.

    Returns:
        Method → its letters in alphabetical order, such as "ab".
    """
    place = {method: number for number, method in enumerate(methods)}
    apart = {frozenset((place[first], place[second])) for first, second in separated}
    groups = _swept(_split(len(methods), apart), apart)
    ordered = sorted(groups, key=sorted)
    return {
        method: "".join(_letter(number) for number, group in enumerate(ordered) if at in group)
        for method, at in place.items()
    }


def _split(count: int, apart: Iterable[Group]) -> list[Group]:
    """Groups of which none holds a separated pair, and none lies in another."""
    groups = [frozenset(range(count))]
    for pair in sorted(apart, key=sorted):
        halves = [
            group - {one} if pair <= group else group
            for group in groups
            for one in (pair if pair <= group else (0,))
        ]
        groups = _absorbed(halves)
    return groups


def _absorbed(groups: Iterable[Group]) -> list[Group]:
    """The groups that lie in no other, each once."""
    distinct = list(dict.fromkeys(groups))
    return [one for one in distinct if not any(one < other for other in distinct)]


def _swept(groups: Sequence[Group], apart: Iterable[Group]) -> list[Group]:
    """Without letters that show nothing: each tie of the member stands in another group too."""
    kept = [set(group) for group in groups]
    for group in kept:
        for member in sorted(group, reverse=True):
            others = [other for other in kept if other is not group and member in other]
            if others and all(any(one in other for other in others) for one in group):
                group.discard(member)
    return _absorbed(frozenset(group) for group in kept if group)


def _letter(number: int) -> str:
    """A to z, then a1 to z1 and so on."""
    rounds, letter = divmod(number, len(string.ascii_lowercase))
    return string.ascii_lowercase[letter] + (str(rounds) if rounds else "")
