"""One GLUE task from a folder in the layout of the official archives.

The files are tab-separated without quoting; CoLA's have no header. The dev set is our test
split, for the official test labels are not public. MNLI has a second dev set, reported beside
the first where it is there. Layout: Wang et al. 2019, and the archives' own header lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import UserError
from .digest import digest, repeated
from .files import beside, find_column, lines, read_text, tab_rows
from .official import differences
from .tasks import Examples, Task, TaskData

OFFICIAL_SOURCE = "GLUE (official split)"
"""The source of a task whose row counts and rows are those of the official files."""

_HEADERLESS: Mapping[str, tuple[str, ...]] = {"cola": ("source", "label", "mark", "sentence")}
_NUMBERED = frozenset({"cola", "sst2", "mrpc", "qqp", "wnli"})
_TORN = frozenset({"qqp"})
_DEV: Mapping[str, str] = {"mnli": "dev_matched.tsv"}
_EXTRA: Mapping[str, Mapping[str, str]] = {"mnli": {"mismatched": "dev_mismatched.tsv"}}
_SCORE = re.compile(r"\d+(\.\d+)?")

TOP_SCORE = 5.0
"""The largest score of a similarity; the smallest is 0."""

SCORE_DECIMALS = 5
"""What is kept of a score: as much as a float32 holds, which is how the hub stores it."""


def has_task(root: Path, task: Task) -> bool:
    """Whether the folder of `task` lies in `root`."""
    return folder_of(root, task).is_dir()


def folder_of(root: Path, task: Task) -> Path:
    """The folder of `task` in `root`, in whatever case its name is written (`rte/` for RTE)."""
    official = root / task.folder
    if official.is_dir() or not root.is_dir():
        return official
    wanted = task.folder.lower()
    return next((one for one in sorted(root.iterdir()) if one.name.lower() == wanted), official)


def read_glue(root: Path, task: Task) -> TaskData:
    """The task's rows from `root / task.folder`, and how they compare with the official ones.

    Raises:
        UserError: a folder or file that is missing, empty or not UTF-8, a column that is
            missing, a line of another width, a label that is none; each with its place.
    """
    folder = folder_of(root, task)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder ({beside(folder)})")
    dev = _DEV.get(task.name, "dev.tsv")
    notes: list[str] = []
    train = _read(folder / "train.tsv", task, "train", notes)
    test = _read(folder / dev, task, "test", notes)
    extra: dict[str, Examples] = {}
    for name, file in _EXTRA.get(task.name, {}).items():
        if (folder / file).exists():
            extra[name] = _read(folder / file, task, name, notes)
        else:
            notes.append(f"{task.folder}/{file} is missing: no {name} test set")
    splits = {"train.tsv": train, dev: test} | {
        file: extra[name] for name, file in _EXTRA.get(task.name, {}).items() if name in extra
    }
    apart = differences(task, splits, folder)
    source = format_source(train, official=not apart)
    notes = [*apart, *notes, *remarks(train, test)]
    return TaskData(
        task, train, test, source, digest(task, train, test, extra), extra, tuple(notes)
    )


def format_source(train: Examples, *, official: bool) -> str:
    """What tables say of data in GLUE's format."""
    if official:
        return OFFICIAL_SOURCE
    return f"GLUE format, {len(train)} rows, not the official split"


def remarks(train: Examples, test: Examples) -> list[str]:
    """Notes on rows that deserve a second look: inputs in both splits, and empty texts."""
    notes = []
    if count := repeated(train, test):
        notes.append(f"{count} of {len(test)} test inputs also occur in train")
    for name, rows in (("train", train), ("test", test)):
        empty = sum(any(not text.strip() for text in texts) for texts in rows.texts)
        if empty:
            notes.append(f"{empty} {name} rows have an empty text")
    return notes


def _read(path: Path, task: Task, split: str, notes: list[str]) -> Examples:
    """One file; ids count the rows, so that every source of a task numbers them alike."""
    text, kept = read_text(path), None
    if task.name in _TORN:
        text, kept = _mend(path, text, notes)
    rows = tab_rows(path, text)
    header = _HEADERLESS.get(task.name)
    if header is None:
        header = tuple(next(rows)[1])
    else:
        rows = tab_rows(path, text, len(header))
    columns = [find_column(path, header, name) for name in task.text]
    label = find_column(path, header, task.label)
    number = _number_of(task)
    texts, labels, places = [], [], []
    for number_of_line, fields in rows:
        line = number_of_line if kept is None else kept[number_of_line - 1]
        places.append(line)
        texts.append(tuple(fields[column] for column in columns))
        labels.append(number(f"{path}:{line}", fields[label]))
    if not texts:
        raise UserError(f"{path}: a header and no rows")
    ids = tuple(f"{task.name}-{split}-{row}" for row in range(len(texts)))
    return Examples(ids, tuple(texts), tuple(labels), tuple(places))


def _number_of(task: Task) -> Callable[[str, str], float]:
    """How a label as written becomes its number; the first argument is the place, for messages."""
    if task.objective == "regression":
        return _score
    written = (
        [str(number) for number in range(len(task.labels))]
        if task.name in _NUMBERED
        else list(task.labels)
    )
    numbers = {value: float(number) for number, value in enumerate(written)}

    def look_up(place: str, value: str) -> float:
        if value not in numbers:
            raise UserError(f"{place}: unknown label {value!r} (labels: {', '.join(written)})")
        return numbers[value]

    return look_up


def _score(place: str, value: str) -> float:
    if not _SCORE.fullmatch(value) or float(value) > TOP_SCORE:
        raise UserError(f"{place}: a score must be a number from 0 to 5, but got {value!r}")
    return round(float(value), SCORE_DECIMALS)


def _mend(path: Path, text: str, notes: list[str]) -> tuple[str, list[int]]:
    """The text without the rows that a line break inside a question has torn, and line numbers.

    Quora's questions hold a few, in the official files too, and other readers leave them out. Where
    more than one line in ten is torn the file is another one, and is read as it stands.
    """
    rows = lines(text)
    width = rows[0].count("\t")
    kept = [number for number, line in enumerate(rows, start=1) if line.count("\t") == width]
    torn = len(rows) - len(kept)
    if torn * 10 > len(rows):
        return text, list(range(1, len(rows) + 1))
    if torn:
        notes.append(f"{path.name}: {torn} torn lines left out (a line break inside a question)")
    return "\n".join(rows[number - 1] for number in kept) + "\n", kept
