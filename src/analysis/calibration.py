"""How well each method of a task is calibrated: its error over the seeds, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from .calibration_error import Binned, binned
from .cells import Cell
from .classes import class_answers
from .rows import Mean, mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """One method's calibration on a task, over the seeds whose answers are stored."""

    method: str
    seeds: int
    examples: int
    error: Mean
    """ECE, 0..1; 0 is perfect."""
    by_chance: float
    """The ECE that exact probabilities would have on these examples on average."""
    confidence: float
    """The mean confidence; above the accuracy it is too high."""
    accuracy: float
    pseudo_values: Floats = field(repr=False, compare=False)
    """What each example adds to each seed's error (s n)."""

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the error over test examples and, where there are several, seeds.

        Only where it is asked for: a run with nothing to do shows none, and need not wait for
        scipy.
        """
        from .verdict.crossed import crossed

        low, high = crossed(self.pseudo_values, self.error.value).interval()
        return max(0.0, low), min(1.0, high)


def calibrations(cells: Sequence[Cell], task: str) -> tuple[Calibration, ...]:
    """The calibration of each method of a task, in the order of the cells.

    Answers without probabilities, such as those of a regression, have none. The folds of a
    cross-validation are joined, since ECE of few rows is large by chance. A seed that answers other
    examples than the first, for want of a fold, is left out.
    """
    stored = class_answers(cells, task)
    sorted_in = {
        method: [binned(one) for one in seeds if one.ids == seeds[0].ids]
        for method, seeds in stored.items()
    }
    known = {method: [one for one in seeds if one] for method, seeds in sorted_in.items()}
    return tuple(_of_method(method, seeds) for method, seeds in known.items() if seeds)


def _of_method(method: str, seeds: Sequence[Binned]) -> Calibration:
    """The means over the seeds."""
    import numpy as np

    error = mean([one.error for one in seeds])
    assert error is not None
    return Calibration(
        method=method,
        seeds=len(seeds),
        examples=len(seeds[0].right),
        error=error,
        by_chance=float(np.mean([one.by_chance for one in seeds])),
        confidence=float(np.mean([one.confidence for one in seeds])),
        accuracy=float(np.mean([one.right for one in seeds])),
        pseudo_values=np.stack([one.pseudo_values for one in seeds]),
    )
