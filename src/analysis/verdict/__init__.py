"""Which method is better, how sure that is, and what would settle it.

cells ──► pseudo-values of each method (pseudo_values) ──► pairs on shared seeds (matching)
      ──► difference and error from seeds × examples (crossed) ──► Holm, equivalence (pairs)
      ──► tie groups (letters), what would decide (settle)
"""

from __future__ import annotations

from .judged import Judged, judge, margin_of
from .pairs import LEVEL, MARGIN, Pair, TaskVerdict, Unpaired, Verdict, verdict
from .sequential import LOOKS, Sequential, sequential
from .settle import Settlement

__all__ = [
    "LEVEL",
    "LOOKS",
    "MARGIN",
    "Judged",
    "Pair",
    "Sequential",
    "Settlement",
    "TaskVerdict",
    "Unpaired",
    "Verdict",
    "judge",
    "margin_of",
    "sequential",
    "verdict",
]
