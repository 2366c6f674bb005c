"""Which method is better, how sure that is, and what would settle it.

cells ──► pseudo-values of each method (pseudo_values) ──► pairs on shared seeds (matching)
      ──► difference and error from seeds × examples (crossed) ──► Holm, equivalence (pairs)
      ──► tie groups (letters), what would decide (settle)
      ──► scores and costs drawn anew (bootstrap, pareto), all tasks together (across)
"""

from __future__ import annotations

from .across import Across, AcrossPair, Standing, across
from .bootstrap import Resampled, interval_of, resampled
from .judged import Judged, judge, margin_of
from .pairs import verdict
from .pareto import Draws, draws_of
from .sequential import LOOKS, Sequential, sequential
from .settle import Settlement
from .task_verdict import LEVEL, MARGIN, Pair, TaskVerdict, Unpaired, Verdict

__all__ = [
    "LEVEL",
    "LOOKS",
    "MARGIN",
    "Across",
    "AcrossPair",
    "Draws",
    "Judged",
    "Pair",
    "Resampled",
    "Sequential",
    "Settlement",
    "Standing",
    "TaskVerdict",
    "Unpaired",
    "Verdict",
    "across",
    "draws_of",
    "interval_of",
    "judge",
    "margin_of",
    "resampled",
    "sequential",
    "verdict",
]
