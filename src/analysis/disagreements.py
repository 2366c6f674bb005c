"""Which test examples one method gets right and another wrong.

Two methods with one score may fail on different examples, and then each knows something that the
other does not. An example counts as right for a method where every one of its seeds answers it
right, as wrong where none does, and as neither in between: what another seed would turn round says
nothing of the method. With one seed the counts of a pair are those of McNemar's test.

Examples are named by the line of their file, or by their id where they come from no file: a
report may travel further than the texts should, and a user's own ids too.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .cells import Cell
from .classes import class_answers
from .predictions import Predictions

MOST = 10
"""Examples of a task that a report names."""


@dataclass(frozen=True)
class Example:
    """A test example on which one method stands against all others."""

    place: int
    """Its position among the test rows, from 0."""
    name: str
    """The line of its file, or its id: "line 19"."""
    label: str
    method: str
    """The one that stands against the others."""
    right: bool
    """Whether it is the only one that is right, or the only one that is wrong."""
    wrong_answer: str
    """What those that are wrong answer, the commonest of it."""


@dataclass(frozen=True)
class Disagreements:
    """Where the methods of a task disagree, all seeds of each agreeing."""

    task: str
    seeds: Mapping[str, int]
    """Method → seeds whose answers are stored."""
    examples: int
    """Test examples."""
    counts: Mapping[tuple[str, str], int]
    """Method a, method b → examples that a answers right and b wrong."""
    single: Mapping[tuple[str, bool], int]
    """Method, whether it is the only right or the only wrong one → examples."""
    chosen: tuple[Example, ...]
    """Examples of these, at most as many as were asked for, taken in turn from each kind."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are compared."""
        return tuple(self.seeds)

    @property
    def summary(self) -> str:
        """On how many examples one method stands against all others, in one sentence."""
        count, chosen = sum(self.single.values()), len(self.chosen)
        if not count:
            return f"On none of {self.examples:,} test examples one method stands against the rest."
        some = "one is" if chosen == 1 else f"{chosen} are"
        named = "" if chosen == count else f", of which {some} named"
        subject = f"On {count:,} of {self.examples:,} test examples"
        return f"{subject} one method stands against the rest{named}."


def disagreements(
    cells: Sequence[Cell], task: str, methods: Sequence[str] = (), most: int = MOST
) -> Disagreements | None:
    """Where the methods of a task disagree.

    Args:
        cells: The cells of a comparison; those of other tasks are passed over.
        task: The task's name.
        methods: Only these; by default all.
        most: So many examples are chosen at most.

    Returns:
        None for fewer than two methods with stored answers, for answers that are no classes, and
        where the cells answer different examples.
    """
    stored = class_answers(cells, task, methods)
    every = [one for seeds in stored.values() for one in seeds]
    if len(stored) < 2:
        return None
    if any((one.ids, one.labels) != (every[0].ids, every[0].labels) for one in every):
        return None
    import numpy as np

    answers = [np.array([one.right for one in seeds], dtype=bool) for seeds in stored.values()]
    always = np.stack([right.all(0) for right in answers])
    never = np.stack([~right.any(0) for right in answers])
    counts = always.astype(np.int64) @ never.T.astype(np.int64)
    names, others = list(stored), len(stored) - 1
    kinds: dict[tuple[str, bool], list[int]] = {}
    for number, name in enumerate(names):
        only_right = always[number] & (never.sum(0) == others)
        only_wrong = never[number] & (always.sum(0) == others)
        kinds[name, True] = np.flatnonzero(only_right).tolist()
        if others > 1:
            kinds[name, False] = np.flatnonzero(only_wrong).tolist()
    return Disagreements(
        task=task,
        seeds={name: len(seeds) for name, seeds in stored.items()},
        examples=len(every[0].ids),
        counts={
            (names[a], names[b]): int(counts[a, b])
            for a, b in itertools.permutations(range(len(names)), 2)
        },
        single={kind: len(places) for kind, places in kinds.items()},
        chosen=tuple(_chosen(kinds, stored, most)),
    )


def _chosen(
    kinds: Mapping[tuple[str, bool], Sequence[int]],
    stored: Mapping[str, Sequence[Predictions]],
    most: int,
) -> Iterator[Example]:
    """The first examples of each kind, one kind after the other, until there are enough.

    A method that is much worse than the rest would fill the list otherwise.
    """
    rounds = itertools.zip_longest(*kinds.values())
    in_turn = [place for one in rounds for place in enumerate(one) if place[1] is not None]
    order = list(kinds)
    for number, place in sorted(in_turn[:most]):
        method, right = order[number]
        yield _example(place, method, right, stored)


def _example(
    place: int, method: str, right: bool, stored: Mapping[str, Sequence[Predictions]]
) -> Example:
    """What is shown of one example."""
    first = stored[method][0]
    wrong = [name for name in stored if (name == method) != right]
    answers = Counter(one.predictions[place] for name in wrong for one in stored[name])
    lines = first.more.get("line")
    return Example(
        place=place,
        name=str(first.ids[place]) if lines is None else f"line {lines[place]}",
        label=first.labels[place],
        method=method,
        right=right,
        wrong_answer=answers.most_common(1)[0][0],
    )
