"""results.csv: one row a cell, numbers as they are, for spreadsheets and scripts (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace

from ..analysis import Analysis
from ..analysis.column import Value
from ..analysis.columns import in_view
from ..analysis.format import present

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def text(analysis: Analysis, run_ids: Mapping[str, str]) -> str:
    """The whole file, header first, one row for each planned cell, lines ended by CR LF."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    columns = in_view(analysis.columns, "csv")
    writer.writerow([column.name for column in columns])
    for cell in analysis.cells:
        cell = replace(cell, run_id=run_ids.get(cell.result.cell, ""))
        writer.writerow([_cell(column.read(cell)) for column in columns])
    return file.getvalue()


def _cell(value: Value) -> str:
    """A number as it is, a text so that no spreadsheet takes it for a formula."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value) if present(value) else ""
    # A leading apostrophe is how spreadsheets mark a cell as text.
    return f"'{value}" if value.startswith(_FORMULA) else value
