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


PUBLISHED = {
    "cola": (8551, 1043),
    "sst2": (67349, 872),
    "mrpc": (3668, 408),
    "stsb": (5749, 1500),
    "qqp": (363849, 40430),
    "mnli": (392702, 9815, 9832),
    "qnli": (104743, 5463),
    "rte": (2490, 277),
    "wnli": (635, 71),
}
"""Training and validation rows, as TensorFlow Datasets' catalogue lists them for GLUE."""


def test_the_sizes_are_those_that_others_count() -> None:
    sizes: dict[str, list[int]] = {}
    for (task, _), known in sorted(OFFICIAL.items(), key=lambda one: one[0][1] != "train.tsv"):
        sizes.setdefault(task, []).append(known.rows)
    assert {task: tuple(counts) for task, counts in sizes.items()} == PUBLISHED
