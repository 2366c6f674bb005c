"""A run that was trained here, found again by the name of its cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UnknownName, UserError
from .store import Store


@dataclass(frozen=True)
class Run:
    """What was trained, and on what."""

    adapter: Path
    backbone: str
    layers: int | None
    pooling: str
    digest: str
    """Of the backbone's weights."""


def find_run(out: Path, cell: str) -> Run:
    """A cell's adapter and the backbone it was trained on.

    Raises:
        UserError: There is no such cell, it did not complete, or its files are damaged.
    """
    store = Store(out)
    settings: dict[str, Mapping[str, Any]] = {
        planned.cell: plan.experiment["backbone"]
        for plan in store.plans()
        for planned in plan.cells
    }
    if cell not in settings:
        raise UnknownName(f"run in '{out}':", cell, settings)
    result = store.result(cell)
    if result is None:
        raise UserError(
            f"run '{cell}' in '{out}' is not there whole: its comparison makes it again"
        )
    if not result.adapter:
        raise UserError(f"run '{cell}' in '{out}' has no adapter: it ended as '{result.status}'")
    backbone = settings[cell]
    return Run(
        out / result.adapter,
        backbone["name"],
        backbone["layers"],
        backbone["pooling"],
        result.backbone_digest,
    )
