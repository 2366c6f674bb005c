"""Why pairs of a task are missing or rest on one seed, each cause in one sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..format import listed
from .pseudo_values import CannotPair

if TYPE_CHECKING:
    from .task_verdict import Pair, Unpaired


def reason_of(
    methods: Sequence[str],
    pairs: Sequence[Pair],
    unusable: Mapping[str, CannotPair],
    unpaired: Sequence[Unpaired],
    budgets: Mapping[str, str],
) -> str:
    """Why there are no verdicts, or not all: each cause once.

    Of unequal budgets the task has a sentence that names all of them.
    """
    if not methods:
        return "No cell of this task is there."
    if len(methods) == 1:
        return f"{methods[0]} is the only method: there is nothing to compare it with."
    causes = _causes(unusable)
    others = _grouped(
        [
            one
            for one in unpaired
            if not {one.a, one.b} & unusable.keys() and budgets.get(one.a) == budgets.get(one.b)
        ]
    )
    single_seed = [pair for pair in pairs if pair.verdict == "examples alone"]
    few = ""
    if single_seed and len(single_seed) == len(pairs):
        unit = single_seed[0].question.unit
        few = (
            f"One {unit} is no verdict, since another may reverse a difference: the intervals are "
            "those of the test examples alone."
        )
    elif single_seed:
        unit = single_seed[0].question.unit
        few = f"With one {unit} in common there is no verdict on {_named(single_seed)}."
    return " ".join(filter(None, (*causes, *others, few)))


def _causes(unusable: Mapping[str, CannotPair]) -> list[str]:
    """Why methods are not compared at all, those with one cause in one sentence."""
    alike: dict[str, list[str]] = {}
    for method, why in unusable.items():
        alike.setdefault(why.of_several or str(why), []).append(method)
    return [
        f"{listed(methods)} are not compared: {cause}."
        if len(methods) > 1
        else f"{methods[0]} is not compared: {unusable[methods[0]]}."
        for cause, methods in alike.items()
    ]


def _grouped(unpaired: Sequence[Unpaired]) -> list[str]:
    """The reasons, those of a method that stands against several others in one sentence."""
    sentences: list[str] = []
    rest = list(unpaired)
    while rest:
        counts = Counter(method for one in rest for method in (one.a, one.b))
        method, count = counts.most_common(1)[0]
        if count == 1:
            return [*sentences, *(one.reason for one in rest)]
        of_method = [one for one in rest if method in (one.a, one.b)]
        rest = [one for one in rest if one not in of_method]
        others = listed([one.b if one.a == method else one.a for one in of_method])
        whys = [re.sub(r" \([^()]*\)", "", one.reason.partition(": ")[2]) for one in of_method]
        why = whys[0] if len({*whys}) == 1 else "their metrics, test examples or seeds differ."
        sentences.append(f"{method} is not compared with {others}: {why}")
    return sentences


def _named(pairs: Sequence[Pair]) -> str:
    return listed([f"{pair.a} beside {pair.b}" for pair in pairs])
