"""A user's own file as a task: which columns, which labels, which rows are the test.

Columns are named by `data.text` and `data.label`, or recognised where exactly one of the usual
names is there. Without a test file a fifth of the rows is held out, stratified and seeded.
Everything is checked here, before anything is trained.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ..config import DataSettings
from ..errors import UnknownName, UserError
from ..objectives import get_objective
from ..text import one_line, quoted
from .digest import digest, repeated
from .files import MOST_LISTED, listed
from .labels import Reading, alike, decide, number, quoted_and_not, quotes, written
from .split import hold_out
from .table import HALF_PAIR, Table, has_half_pair, read_table
from .tasks import SUITES, Examples, Task, TaskData, task_names

HELD_OUT = 0.2
"""The share of the rows that becomes the test where no test file is given."""

LABEL_NAMES = ("label", "class", "category", "target", "score")
TEXT_NAMES = (
    ("text",),
    ("sentence",),
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
)
"""Columns that need not be named, where only one of these is there."""

MOST_SHOWN = 10
"""Classes whose numbers of rows are listed one by one."""
UNBALANCED = 0.8
"""The share of the commonest class from which accuracy says little."""
_ID = "id"


class OwnFile(NamedTuple):
    """All rows of a file, before any are set aside for a test."""

    task: Task
    rows: Examples
    reading: Reading
    """What the labels were read as."""
    notes: tuple[str, ...]
    quotes: frozenset[tuple[object, bool]]
    """Each label, and whether it stands in quotes, where the format can say so."""


def read_task(path: Path, settings: DataSettings) -> TaskData:
    """The task that a file holds, with one test split.

    Raises:
        UserError: a missing, empty, torn or undecodable file, a column that is not there or not
            clear, an empty text, a label that is missing, unknown to training or the only one;
            each with file and line, column or value.
    """
    file = read_rows(path, settings)
    task, train, notes = file.task, file.rows, [*file.notes]
    if not settings.test:
        train, test = hold_out(train, task, share=HELD_OUT, seed=0)
        notes.append(
            f"no test file: {len(test)} of {len(file.rows)} rows held out, stratified, seed 0"
        )
    else:
        other = read_table(Path(settings.test))
        test_labels = written(other, task.label, "--label" if settings.label else "")
        test_ids, own_ids, id_notes = _ids(other, "test")
        test = _examples(other, task, test_ids, own_ids, test_labels, file.reading)
        notes += [*other.notes, *id_notes]
        if file.reading.classes and not quoted_and_not(file.quotes):
            notes += quoted_and_not(file.quotes, quotes(other, task.label, "--label"))
    if count := repeated(train, test):
        notes.append(f"{count} of {len(test)} test inputs also occur in train")
    source = f"own file {path.name}, {len(file.rows)} rows"
    return TaskData(task, train, test, source, digest(task, train, test, {}), {}, tuple(notes))


def read_rows(path: Path, settings: DataSettings) -> OwnFile:
    """A file's task and all its rows.

    Raises:
        UserError: as `read_task`.
    """
    table = read_table(path)
    text, label = _columns(table, settings)
    labels = written(table, label, "--label" if settings.label else "")
    ids, own_ids, id_notes = _ids(table, "train")
    reading = decide(table, label, labels, settings.kind)
    objective = "classification" if reading.classes else "regression"
    metrics = ("accuracy",) if reading.classes else ("pearson", "spearman")
    about = f"The labels {quoted(label)} of {path.name}."
    task = Task(safe_name(path), text, label, reading.classes, metrics, about, objective=objective)
    if settings.metric is not None:
        task = replace(task, metrics=(_metric(task, settings.metric, labels),))
    rows = _examples(table, task, ids, own_ids, labels, reading)
    notes = [*table.notes, *id_notes, reading.note, *alike(reading.classes)]
    in_quotes = quotes(table, label, "--label")
    notes += quoted_and_not(in_quotes) if reading.classes else []
    notes += _counts(labels, settings, reading)
    if unused := [name for name in table.columns if name not in (*text, label, _ID)]:
        shown = ", ".join(one_line(name)[:30] or "''" for name in unused[:MOST_LISTED])
        more = ", …" if len(unused) > MOST_LISTED else ""
        notes.append(f"columns not used: {shown}{more}")
    return OwnFile(task, rows, reading, tuple(notes), in_quotes)


def safe_name(path: Path) -> str:
    """A task's name from a file's: of letters, digits, `-` and `_`, and none of the built-in."""
    name = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-")[:64] or "table"
    return f"{name}-file" if name in (*task_names(), *SUITES) else name


def _metric(task: Task, name: str, labels: Sequence[str]) -> str:
    """The metric that is asked for; `f1` alone means the rarer of two classes.

    Raises:
        UserError: The task's objective has no such metric, or it is not clear which class is meant.
    """
    try:
        get_objective(task.objective).metric(task, name)
    except UnknownName as error:
        raise UserError(f"--data.metric: {error}") from None
    if name != "f1":
        return name
    if len(task.labels) != 2:
        raise UserError(
            f"--data.metric: f1 is that of one class, and there are {len(task.labels)}: "
            f"f1:{task.labels[0]}, say, or macro_f1"
        )
    rarer = min(task.labels, key=lambda label: (Counter(labels)[label], label))
    return f"f1:{rarer}"


def _counts(labels: Sequence[str], settings: DataSettings, reading: Reading) -> list[str]:
    """How many rows each class has, and a word where accuracy would not see the rare one."""
    if not reading.classes:
        return []
    counts = Counter(labels).most_common()
    (common, most), (rare, least) = counts[0], counts[-1]
    if len(counts) > MOST_SHOWN:
        ends = f"from {least} ({quoted(rare, 30)}) to {most} ({quoted(common, 30)})"
        return [f"rows of each class: {ends}"]
    shown = ", ".join(f"{one_line(label)[:30]} {count}" for label, count in counts)
    notes = [f"rows of each class: {shown}"]
    if settings.metric is None and most >= UNBALANCED * len(labels):
        notes.append(
            f"{most / len(labels):.0%} of the rows are {quoted(common, 30)}: accuracy hardly sees "
            f"the others; --data.metric macro_f1, mcc or f1:{one_line(rare)[:30]} does"
        )
    return notes


def _columns(table: Table, settings: DataSettings) -> tuple[tuple[str, ...], str]:
    label = settings.label or _recognised(table, "label", [(name,) for name in LABEL_NAMES])[0]
    text = _named(table, settings.text) or _recognised(table, "text", TEXT_NAMES)
    if len(text) > 2:
        raise UserError(f"--text: one column or two, but got {len(text)}: {listed(text)}")
    if len({*text, label}) < len(text) + 1:
        raise UserError(
            f"{table.path}: texts and label must be different columns, but got text "
            f"{listed(text)} and label {quoted(label)}"
        )
    for name in text:
        table.column(name, "--text" if settings.text else "")
    return tuple(text), label


def _named(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """The text columns that are asked for: `a,b` means two, unless a column is called `a,b`."""
    columns: list[str] = []
    for name in names:
        if name in table.columns:
            columns.append(name)
        else:
            parts = [part for part in name.split(",") if part.strip()]
            columns += [part if part in table.columns else part.strip() for part in parts]
    return tuple(columns)


def _recognised(table: Table, what: str, usual: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    matches = [names for names in usual if all(name in table.columns for name in names)]
    if len(matches) == 1:
        return matches[0]
    columns = listed(table.columns)
    why = "several could be it" if matches else "none has a usual name"
    raise UserError(
        f"{table.path}: say which column holds the {what} with --{what} ({why}; columns: {columns})"
    )


def _ids(table: Table, split: str) -> tuple[list[str], tuple[str, ...], list[str]]:
    """Each row's identity, what its file calls it, and notes.

    A column `id` names the rows where every row has one and no two have the same. Otherwise it is a
    customer's number, say, and rows are identified by their place.
    """
    name = safe_name(table.path)
    numbered = [f"{name}-{split}-{row}" for row in range(len(table.rows))]
    if _ID not in table.columns:
        return numbered, (), []
    first: dict[str, int] = {}
    for row, value in enumerate(table.column(_ID, "")):
        line = table.lines[row]
        if value is None or value == "":
            why = f"line {line} has none"
        elif has_half_pair(str(value)):
            why = f"{quoted(value)} in line {line} has {HALF_PAIR}"
        elif str(value) in first:
            why = f"{quoted(value)} stands in lines {first[str(value)]} and {line}"
        else:
            first[str(value)] = line
            continue
        note = f"column '{_ID}' does not tell rows apart ({why}), so they are named by their lines"
        return numbered, (), [note]
    return [f"{name}-{split}-{value}" for value in first], tuple(first), []


def _examples(
    table: Table,
    task: Task,
    ids: Sequence[str],
    own_ids: tuple[str, ...],
    labels: Sequence[str],
    reading: Reading,
) -> Examples:
    columns = [table.column(name, "--text") for name in task.text]
    texts = [
        tuple(
            _text(table, row, name, column[row])
            for name, column in zip(task.text, columns, strict=True)
        )
        for row in range(len(table.rows))
    ]
    numbers = [
        number(table.place(row), task.label, label, reading) for row, label in enumerate(labels)
    ]
    return Examples(tuple(ids), tuple(texts), tuple(numbers), table.lines, own_ids)


def _text(table: Table, row: int, column: str, value: object) -> str:
    place = f"{table.place(row)}: column {quoted(column)}"
    if not isinstance(value, str):
        raise UserError(f"{place}: a text is needed, but got {quoted(value)}")
    if not value.strip():
        raise UserError(f"{place}: the text is empty")
    if has_half_pair(value):
        raise UserError(f"{place}: {HALF_PAIR}")
    return value
