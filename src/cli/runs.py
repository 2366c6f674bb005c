"""What a word means that names a run: a cell, or an MLflow run id of any row of its pages."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import UserError
from ..files import at_home

RUN_ID = re.compile("[0-9a-f]{32}")
"""What MLflow names its runs."""


def named_run(word: str, out: Path) -> str:
    """The name of a cell for an MLflow run id; any other word stays as it is.

    A study's run stands for its first complete cell, a comparison's for the best of it.

    Raises:
        UserError: The id is a trial's, of which nothing is kept, or the server cannot be asked.
    """
    if not RUN_ID.fullmatch(word) or at_home(word).exists():
        return word
    from ..store.runs import BEST
    from ..store.store import Store
    from ..tracking import TrackingError
    from ..tracking.lookup import key_of

    try:
        key = key_of(word, out)
    except TrackingError as error:
        raise UserError(str(error)) from None
    if key is None:
        return word
    store, (comparison, _, identity) = Store(out), key.partition("/")
    if identity == "comparison":
        plan = store.plan()
        if plan is None or plan.id != comparison:
            raise UserError(
                f"run '{word}' is a comparison that is not the last one of '{out}': name one of "
                "the runs below it"
            )
        return BEST
    if "/trial " in identity:
        raise UserError(f"run '{word}' is a trial, of which no adapter is kept: name its study")
    cells = [cell for plan in store.plans() for cell in plan.cells if cell.study == identity]
    for cell in cells:
        result = store.result(cell.cell)
        if result is not None and result.adapter:
            return cell.cell
    return identity
