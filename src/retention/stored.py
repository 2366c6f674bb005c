"""What was measured of stored cells, kept beside them: the same question is not asked twice."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ..records import PlainTextLosses, Result
from .change import Losses, Retention, retention

READING = 1
"""Raised where other tokens are asked for of the same text, or where they are asked otherwise."""


@dataclass(frozen=True)
class Texts:
    """The plain texts of one measurement, and how they are read."""

    texts: Sequence[str]
    max_length: int
    """Longer texts are cut to so many tokens."""
    source: str
    """Which these are, as a reader knows them."""

    @property
    def digest(self) -> str:
        """What tells them from others: the texts themselves, wherever they come from."""
        content = json.dumps([READING, self.max_length, list(self.texts)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def known(stored: Sequence[PlainTextLosses], cell: Result, texts: Texts) -> PlainTextLosses | None:
    """What is stored of a cell's training on these texts; none where it is to be measured.

    Another version of torch rounds otherwise, and measures anew.
    """
    for one in stored:
        same = (one.cell, one.trained, one.texts) == (cell.cell, cell.finished, texts.digest)
        if same and one.versions == versions():
            return one
    return None


def record(
    cell: Result, texts: Texts, device: str, untuned: Losses, as_trained: Losses, folded: Losses
) -> PlainTextLosses:
    """What was measured of a cell, as it is stored."""
    return PlainTextLosses(
        cell=cell.cell,
        trained=cell.finished,
        source=texts.source,
        texts=texts.digest,
        tokens=tuple(untuned.tokens.tolist()),
        untuned=tuple(untuned.sums.tolist()),
        as_trained=tuple(as_trained.sums.tolist()),
        folded=tuple(folded.sums.tolist()),
        device=device,
        versions=versions(),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def retention_of(stored: PlainTextLosses) -> Retention:
    """What a stored measurement says."""
    tokens = np.asarray(stored.tokens, dtype=np.int64)
    sums = (stored.untuned, stored.as_trained, stored.folded)
    return retention(*(Losses(np.asarray(each, dtype=np.float64), tokens) for each in sums))


def versions() -> dict[str, str]:
    """Of the package that computes."""
    return {"torch": importlib.metadata.version("torch")}
