"""What the literature claims, checked on the runs at hand.

comparisons of a folder, measurements ──► arms (evidence) ──► parts of each claim (methods_apart,
sizes_and_budgets, costs, exactness, transfer, drawbacks) with their intervals (estimate) ──►
findings (claim)
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UnknownName
from . import costs, drawbacks, exactness, methods_apart, sizes_and_budgets, transfer
from .by_size import AtSize, SizeCurve, size_curves
from .claim import Checked, Claim, Finding, Part, check
from .evidence import Evidence, evidence_of

__all__ = [
    "CLAIMS",
    "DRAWBACKS",
    "AtSize",
    "Checked",
    "Claim",
    "Evidence",
    "Finding",
    "Part",
    "SizeCurve",
    "check",
    "checked",
    "evidence_of",
    "known",
    "size_curves",
]

CLAIMS: tuple[Claim, ...] = tuple(
    sorted(
        (
            *methods_apart.CLAIMS,
            *sizes_and_budgets.CLAIMS,
            *costs.CLAIMS,
            *exactness.CLAIMS,
            *transfer.CLAIMS,
        ),
        key=lambda claim: int(claim.name.removeprefix("C")),
    )
)
"""C1 to C17."""
DRAWBACKS: tuple[Claim, ...] = drawbacks.DRAWBACKS
"""One for each method, by its name."""


def known(names: Sequence[str] = ()) -> tuple[Claim, ...]:
    """Every claim and drawback, or those that are named.

    Raises:
        UnknownName: No claim is called so.
    """
    every = {claim.name: claim for claim in (*CLAIMS, *DRAWBACKS)}
    for name in names:
        if name not in every:
            raise UnknownName("claim", name, every)
    return tuple(claim for claim in every.values() if not names or claim.name in names)


def checked(evidence: Evidence, names: Sequence[str] = ()) -> tuple[Checked, ...]:
    """Every claim and drawback, or those that are named, with what the runs say of it.

    Raises:
        UnknownName: No claim is called so.
    """
    return tuple(check(claim, evidence) for claim in known(names))
