"""When rows may be called the official split."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.data.official import OFFICIAL, differences
from tunebench.data.tasks import GLUE, Examples

FILE = "dev.tsv"
KNOWN = OFFICIAL["wnli", FILE]


def _made_up(count: int) -> Examples:
    ids = tuple(f"wnli-test-{n}" for n in range(count))
    return Examples(ids, tuple((f"first {n}", f"second {n}") for n in range(count)), (0.0,) * count)


@pytest.mark.parametrize("from_files", [True, False])
def test_as_many_rows_of_another_content_are_not_the_official_ones(
    tmp_path: Path, from_files: bool
) -> None:
    (tmp_path / FILE).write_text("made up")
    folder = tmp_path if from_files else None
    assert differences(GLUE["wnli"], {FILE: _made_up(KNOWN.rows)}, folder) == [
        "WNLI/dev.tsv: the rows are not those of the official file"
    ]
    assert differences(GLUE["wnli"], {FILE: _made_up(KNOWN.rows - 1)}, folder) == [
        f"WNLI/dev.tsv: {KNOWN.rows - 1} rows, the official file has {KNOWN.rows}"
    ]
