"""Writes results.csv, analysis.json, report.md and report.html: each whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..analysis import Analysis
from ..errors import UserError
from ..files import write_whole
from . import csv, json, markdown, page


def write(analysis: Analysis, out: Path, run_ids: Mapping[str, str]) -> tuple[Path, ...]:
    """Write the four files of a comparison into its output folder.

    Args:
        analysis: What is shown of the comparison.
        out: The folder; made where it is missing.
        run_ids: Cell identity to MLflow run id; cells without a run are left blank.

    Returns:
        The paths of results.csv, analysis.json, report.md and report.html.

    Raises:
        UserError: The folder cannot be written to, or the disk is full.
    """
    texts = {
        "results.csv": csv.text(analysis, run_ids),
        "analysis.json": json.text(analysis),
        "report.md": markdown.text(analysis),
        "report.html": page.text(analysis, run_ids),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write into {out}: {error.strerror or error}") from error
    for name, content in texts.items():
        write_whole(out / name, content.encode(), private=False)
    return tuple(out / name for name in texts)
