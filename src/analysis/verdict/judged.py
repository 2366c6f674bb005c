"""The verdict on a task as its comparison asked for it: after all its seeds, or look by look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...records import Comparison
from ..cells import Cell
from .pairs import verdict
from .sequential import LOOKS, Sequential, sequential, share
from .task_verdict import MARGIN, TaskVerdict

FOLDS = (
    "Folds share training rows, so that they are no independent repetitions: methods are compared "
    "fold by fold in the table, and no pair has a verdict."
)


@dataclass(frozen=True)
class Judged:
    """A task's verdict, and how it came about."""

    verdict: TaskVerdict
    looks: Sequential | None
    """The looks that were taken; none where the number of seeds was fixed beforehand."""

    @property
    def progress(self) -> str:
        """Which look this is the verdict of, what p counts at it, and whether another follows."""
        looks = self.looks
        if looks is None:
            return ""
        if not looks.look:
            return f"The first look is at {LOOKS[0]} seeds, and these are not all there yet."
        undecided = any(pair.verdict == "undecided" for pair in self.verdict.pairs)
        level = f", at which a p up to {share(looks.look):.2g} counts" if undecided else ""
        if not looks.ended:
            return (
                f"This is the look at {looks.look} seeds{level}. The one at {looks.next_look} was "
                "not reached: the same command goes on with it."
            )
        if not self.verdict.pairs:
            return f"The looks ended at {looks.look} seeds: there are no two methods to compare."
        if looks.look == LOOKS[-1] and undecided:
            return f"This is the last look, at {looks.look} seeds{level}."
        if undecided:
            return (
                f"The looks ended at {looks.look} seeds{level}: the pairs that are undecided have "
                f"little chance to be decided by {LOOKS[-1]}."
            )
        return f"Every pair was decided by {looks.look} seeds."


def margin_of(comparison: Comparison) -> float:
    """Differences that count as none in a comparison; the usual ones in records before there were.

    A record may come from a stranger: a margin that is no number between 0 and 1 is not taken.
    """
    margin = comparison.experiment.get("margin")
    return float(margin) if isinstance(margin, int | float) and 0 < margin < 1 else MARGIN


def judge(
    comparison: Comparison,
    cells: Sequence[Cell],
    task: str,
    budgets: Mapping[str, str] | None = None,
) -> Judged:
    """The verdict on one task of a comparison.

    Args:
        comparison: What was asked for: `until` and `margin` are read from its experiment.
        cells: Its cells with their stored answers.
        task: The task's name.
        budgets: Method → its budget of tuning in words; methods of different ones are not compared.
    """
    margin = margin_of(comparison)
    if comparison.folds:
        nothing = verdict([], task, margin)
        return Judged(replace(nothing, reason=FOLDS), None)
    if comparison.experiment.get("until") != "decided":
        return Judged(verdict(cells, task, margin, budgets=budgets), None)
    looks = sequential(cells, task, comparison.methods, margin, budgets)
    return Judged(looks.verdict, looks)
