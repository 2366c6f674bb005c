"""Small files as their users write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LETTERS = [(f"good text {n}", "yes" if n % 2 else "no") for n in range(20)]
"""Texts and labels of two classes."""


def tsv(path: Path, rows: Sequence[Sequence[str]], header: str = "text\tlabel") -> Path:
    """A table with tabs."""
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
    return path
