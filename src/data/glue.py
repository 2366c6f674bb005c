"""One GLUE task from a folder in the layout of the official archives.

The files are tab-separated without quoting; CoLA's have no header. The dev set is our test
split, for the official test labels are not public. MNLI has a second dev set, reported beside
the first where it is there. Layout: Wang et al. 2019, and the archives' own header lines.

Rows with too few fields are counted and left out, as by the loaders that others use (the hub's
`glue` drops a row with a missing value; those of the BERT scripts skip it), unless there are many:
then the file is another one, and the first of them is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import UserError
from .digest import digest, repeated
from .files import beside, find_column, lines, read_text, tab_fields
from .official import differences
from .tasks import Examples, Task, TaskData

OFFICIAL_SOURCE = "GLUE (official split)"
"""The source of a task whose row counts and rows are those of the official files."""

_HEADERLESS: Mapping[str, tuple[str, ...]] = {"cola": ("source", "label", "mark", "sentence")}
_NUMBERED = frozenset({"cola", "sst2", "mrpc", "qqp", "wnli"})
_WHOLE = "msr_paraphrase_train.txt"
"""The archive of MRPC's authors, which GLUE cuts into train and dev by lists of ids."""
_DEV_IDS = ("dev_ids.tsv", "mrpc_dev_ids.tsv")
"""What the list of the ids of GLUE's dev rows is called."""
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
    cut = _cut_mrpc(folder, notes) if task.name == "mrpc" else None
    if cut is None:
        train = _read(folder / "train.tsv", task, "train", notes)
        test = _read(folder / dev, task, "test", notes)
    else:
        train, test = (_rows(folder / _WHOLE, part, task, "train", notes) for part in cut)
        test = replace(test, ids=tuple(f"{task.name}-test-{row}" for row in range(len(test))))
    extra: dict[str, Examples] = {}
    for name, file in _EXTRA.get(task.name, {}).items():
        if (folder / file).exists():
            extra[name] = _read(folder / file, task, name, notes)
        else:
            notes.append(f"{task.folder}/{file} is missing: no {name} test set")
    splits = {"train.tsv": train, dev: test} | {
        file: extra[name] for name, file in _EXTRA.get(task.name, {}).items() if name in extra
    }
    apart = differences(task, splits, folder if cut is None else None)
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
    every = lines(read_text(path))
    return _rows(path, list(enumerate(every, start=1)), task, split, notes)


_Lines = list[tuple[int, str]]
"""Lines of a file with their numbers."""


def _rows(path: Path, numbered: _Lines, task: Task, split: str, notes: list[str]) -> Examples:
    """The rows in some lines of a file, its header the first of them where it has one."""
    header = _HEADERLESS.get(task.name)
    if header is None:
        (_, first), *numbered = numbered
        header = tuple(first.split("\t"))
    columns = [find_column(path, header, name) for name in task.text]
    label = find_column(path, header, task.label)
    number = _number_of(task)
    texts, labels, places = [], [], []
    for line, content in _without_short(path, numbered, len(header), task, notes):
        fields = tab_fields(f"{path}:{line}", content, len(header))
        places.append(line)
        texts.append(tuple(fields[column] for column in columns))
        labels.append(number(f"{path}:{line}", fields[label]))
    if not texts:
        raise UserError(f"{path}: a header and no rows")
    ids = tuple(f"{task.name}-{split}-{row}" for row in range(len(texts)))
    return Examples(ids, tuple(texts), tuple(labels), tuple(places))


def _without_short(
    path: Path, numbered: _Lines, width: int, task: Task, notes: list[str]
) -> _Lines:
    """The lines without those that have too few fields, which a note counts.

    Quora's questions hold line breaks that tear a row into two, in the official files too; what is
    left over may have any number of fields. Where more than one line in ten is short the file is
    another one, and is read as it stands.
    """
    torn = task.name == "qqp"
    counted = [(line, content, content.count("\t") + 1) for line, content in numbered]
    kept = [
        (line, content)
        for line, content, fields in counted
        if fields == width or (fields > width and not torn)
    ]
    left_out = len(numbered) - len(kept)
    if left_out * 10 > len(numbered):
        return numbered
    if left_out:
        why = (
            "torn lines left out (a line break inside a question)"
            if torn
            else f"{'line' if left_out == 1 else 'lines'} with too few fields left out"
        )
        notes.append(f"{path.name}: {left_out} {why}")
    return kept


def _cut_mrpc(folder: Path, notes: list[str]) -> tuple[_Lines, _Lines] | None:
    """MRPC's train and dev lines of the authors' archive, cut by GLUE's list of ids.

    The rule is that of the script that made GLUE's archive: a row whose two ids stand in a line of
    the list is a dev row; all other rows of the training file are train rows. The authors' test
    file is GLUE's test set, which is not used here.

    Returns:
        Both with the header's line; none where GLUE's own files or no archive is there.

    Raises:
        UserError: The archive is there without the list.
    """
    archive = folder / _WHOLE
    if (folder / "train.tsv").exists() or not archive.exists():
        return None
    listed = next((folder / name for name in _DEV_IDS if (folder / name).exists()), None)
    if listed is None:
        raise UserError(
            f"{archive}: GLUE cuts this file into train and dev by a list of ids; put the list "
            f"beside it as {_DEV_IDS[0]}, or GLUE's own train.tsv and dev.tsv"
        )
    ids = {tuple(line.split("\t")[:2]) for line in lines(read_text(listed)) if line.strip()}
    header, *numbered = enumerate(lines(read_text(archive)), start=1)
    parts: tuple[_Lines, _Lines] = ([header], [header])
    for line, content in numbered:
        parts[tuple(content.split("\t")[1:3]) in ids].append((line, content))
    notes.append(f"{_WHOLE} cut into train and dev by {listed.name}")
    return parts


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
