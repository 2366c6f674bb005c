"""The claims of an output folder: every comparison of its store, and what was measured beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis.predictions import PredictionReader, read_from
from ..store.store import Store
from .plan import assemble

if TYPE_CHECKING:
    from ..analysis.claims import Checked, Evidence


def claims_of(
    out: Path, names: Sequence[str] = (), read: PredictionReader | None = None
) -> tuple[Checked, ...]:
    """Every claim, or those that are named, checked on the runs of a folder.

    Args:
        out: The folder; the backbone is that of its last comparison.
        names: Such as C1 or the name of a method; none means all.
        read: Reads a cell's stored answers; by default from their files.

    Raises:
        UnknownName: No claim is called so.
    """
    from ..analysis.claims import checked

    return checked(evidence_in(Store(out), read), names)


def evidence_in(store: Store, read: PredictionReader | None = None) -> Evidence:
    """The runs of a folder on the backbone of its last comparison, and what was measured of it.

    Args:
        store: The folder's records.
        read: Reads a cell's stored answers; by default from their files.
    """
    from ..analysis.claims import evidence_of

    last = store.plan()
    plans = [plan for plan in store.plans() if last is None or plan.id != last.id]
    plans += [] if last is None else [last]
    comparisons = [assemble(plan, store) for plan in plans if plan.cells]
    return evidence_of(comparisons, store.measurements(), read or read_from(store.out))
