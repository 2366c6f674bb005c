"""Which cells can be compared example by example, and why others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...text import one_line
from ..cells import Cell
from ..format import listed, present
from ..predictions import Predictions
from .pseudo_values import CannotPair, CannotRank, PseudoValues, pseudo_values

Floats = NDArray[np.float64]

ROUNDING = 1e-5
"""By how much a stored score may differ from that of the stored answers: torchmetrics computes some
metrics in fp32."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One method's complete seeds on a task, with what each test example adds to each score."""

    method: str
    metric: str
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    """The recorded score of each seed (s)."""
    values: Floats
    """Pseudo-values (s N)."""
    step: float
    """The most that one answer can move N times the score."""
    ids: tuple[Any, ...]
    labels: tuple[Any, ...]
    seconds: float | None
    """The mean wall time of one training; none where no cell has it."""
    searches: tuple[int, ...] = ()
    """Of each seed (s) which search found its settings; empty where all share one search."""

    def at(self, seeds: Sequence[int]) -> Scored:
        """Only these seeds, in this order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        scores = tuple(self.scores[row] for row in rows)
        return replace(
            self,
            seeds=tuple(seeds),
            scores=scores,
            values=self.values[rows],
            searches=tuple(self.searches[row] for row in rows) if self.searches else (),
        )

    def by_search(self) -> Scored:
        """Each search in place of a seed: the mean over the seeds of its winner.

        Searches are drawn independently, and with their seeds; seeds of one search share its
        settings, and so are no independent repetitions of the whole. The mean over searches has
        the variance of what they scatter by, over their number, whatever their numbers of seeds.
        """
        if not self.searches:
            return self
        rows = {
            one: [row for row, of in enumerate(self.searches) if of == one]
            for one in dict.fromkeys(self.searches)
        }
        return replace(
            self,
            seeds=tuple(rows),
            scores=tuple(sum(self.scores[i] for i in r) / len(r) for r in rows.values()),
            values=np.array([self.values[each].mean(axis=0) for each in rows.values()]),
            searches=tuple(rows),
        )


def scored(cells: Sequence[Cell]) -> Scored:
    """What one method's cells on one task have to be compared by.

    Cells that are not complete are left out. A complete one whose answers cannot be used makes the
    whole method one that cannot be compared: its score in the tables rests on that cell too.

    Raises:
        CannotPair: No cell is complete, or the answers of one cannot be used; says why.
    """
    method = cells[0].result.method
    done = [cell for cell in cells if cell.result.status == "complete"]
    if not done:
        raise CannotPair(f"no seed of {method} is complete", "no seed of theirs is complete")
    metrics = tuple(dict.fromkeys(cell.result.metric for cell in done))
    if len(metrics) > 1:
        raise CannotRank(f"the seeds of {method} are scored by {listed(metrics)}")
    first = done[0].predictions
    each = [_checked(cell, first) for cell in done]
    assert first is not None
    times = [c.result.train_seconds for c in done if present(c.result.train_seconds)]
    return Scored(
        method=method,
        metric=metrics[0],
        seeds=tuple(cell.result.seed for cell in done),
        scores=tuple(float(cell.result.score or 0.0) for cell in done),
        values=np.array([one.values for one in each]),
        step=max(one.step for one in each),
        ids=first.ids,
        labels=first.labels,
        seconds=sum(filter(None, times)) / len(times) if times else None,
        searches=tuple(cell.search for cell in done) if done[0].searches > 1 else (),
    )


def _checked(cell: Cell, first: Predictions | None) -> PseudoValues:
    """The pseudo-values of a cell whose answers are to the first cell's examples."""
    result, answers = cell.result, cell.predictions
    which = f"{result.method}, seed {result.seed}"
    if answers is None or first is None:
        unread = "are not stored or cannot be read"
        raise CannotPair(f"the answers of {which} {unread}", f"answers of theirs {unread}")
    if result.score is None or not present(result.score):
        raise CannotPair(f"{which} has no score")
    sizes = {len(answers.ids), len(answers.labels), len(answers.predictions)}
    if len(sizes) > 1:
        raise CannotRank(f"the stored answers of {which} are not one for each test example")
    if different := _differ(answers.ids, answers.labels, first.ids, first.labels):
        raise CannotRank(f"the seeds of {result.method} were tested on {different}")
    try:
        known = pseudo_values(result.metric, answers)
    except CannotPair as why:
        raise CannotPair(f"{which}: {why}") from None
    if not abs(known.score - result.score) <= ROUNDING:
        raise CannotRank(
            f"the stored answers of {which} give {one_line(result.metric)} {known.score:.5f} "
            f"where its record says {result.score:.5f}, so one of them was altered"
        )
    return known


def matched(a: Scored, b: Scored) -> tuple[Scored, Scored]:
    """Two methods on the seeds that both have.

    Raises:
        CannotPair: They are not scored alike, were not tested on the same examples, or share no
            seed; says why.
    """
    if a.metric != b.metric:
        raise CannotRank(f"they are scored by {listed((a.metric, b.metric))}")
    if different := _differ(a.ids, a.labels, b.ids, b.labels):
        raise CannotRank(f"they were tested on {different}")
    seeds = [seed for seed in a.seeds if seed in b.seeds]
    if not seeds:
        raise CannotPair("they have no complete seed in common")
    return a.at(seeds), b.at(seeds)


def _differ(
    ids: tuple[Any, ...],
    labels: tuple[Any, ...],
    others: tuple[Any, ...],
    other_labels: tuple[Any, ...],
) -> str:
    """In what two test sets differ; empty where ids and labels are equal, in the same order."""
    if len(ids) != len(others):
        return f"different test examples ({len(ids):,} and {len(others):,})"
    if ids != others:
        return "different test examples"
    return "test examples with different labels" if labels != other_labels else ""
