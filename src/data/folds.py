"""K-fold cross-validation of a user's own file: each row is a test row once, else it trains.

Each fold is a task of its own, with its own rows, digest, search and untrained rows. What is chosen
for a fold (settings, a template) is chosen on rows of its training part alone, so that no choice
has seen a row that it is tested on.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from pathlib import Path

from ..config import DataSettings
from ..errors import UserError
from ..objectives import get_objective
from ..records import Fold
from ..text import quoted
from .digest import digest, repeated
from .own_file import read_rows
from .tasks import Examples, Task, TaskData

SEED = 0
"""The folds are the same for all methods, seeds and runs."""
ROWS_FOR_A_CORRELATION = 3
"""Two rows always correlate by 1 or -1."""


def read_folds(path: Path, settings: DataSettings, count: int) -> list[TaskData]:
    """The tasks that a file gives, one for each of `count` folds.

    Raises:
        UserError: a test file is given too, there are too few rows for so many folds, or anything
            is wrong with the file.
    """
    if settings.test:
        raise UserError("--folds: cannot stand beside --test, since every row is a test row once")
    task, rows, _, notes, _ = read_rows(path, settings)
    pairs = divide(rows, task, count)
    what = f"K-fold cross-validation, K = {count}"
    lines = [
        *notes,
        f"{what}: each of {len(rows)} rows is a test row once; stratified, seed {SEED}",
    ]
    if copies := sum(repeated(train, test) for train, test in pairs):
        lines.append(f"{copies} of {len(rows)} test inputs also occur in their fold's train")
    source = f"own file {path.name}, {what}, {len(rows)} rows"
    folds = []
    for number, (train, test) in enumerate(pairs, start=1):
        named = replace(task, name=f"{task.name}-fold{number}")
        fold = Fold(task.name, number, count)
        content = digest(named, train, test, {})
        folds.append(TaskData(named, train, test, source, content, {}, tuple(lines), fold))
    return folds


def divide(rows: Examples, task: Task, count: int) -> list[tuple[Examples, Examples]]:
    """The (train, test) of each fold, both in the order of the file.

    The strata, one after the other and each in the order of its rows' hashes, are dealt out to the
    tests in turn. So the sizes of two tests differ by at most one, and so do their shares of any
    stratum.

    Raises:
        UserError: too few rows, or a class with too few.
    """
    _check(rows, task, count)
    order = [
        row
        for stratum in get_objective(task.objective).strata(task, rows.ids, rows.labels)
        for row in sorted(stratum.rows, key=lambda row: (_key(rows.ids[row]), row))
    ]
    pairs = []
    for number in range(count):
        test = set(order[number::count])
        held = [row for row in range(len(rows)) if row in test]
        kept = [row for row in range(len(rows)) if row not in test]
        pairs.append((rows.take(kept), rows.take(held)))
    return pairs


def _check(rows: Examples, task: Task, count: int) -> None:
    """Every class has a row in each test and two in each train; values have three in each test."""
    objective = get_objective(task.objective)
    if not task.labels:
        least = ROWS_FOR_A_CORRELATION * count
        if len(rows) < least:
            raise UserError(
                f"--folds: a correlation needs {ROWS_FOR_A_CORRELATION} test rows, so that {count} "
                f"folds need at least {least} rows, but there are {len(rows)}"
            )
        return
    needed = next(n for n in itertools.count(count) if n - -(-n // count) >= objective.kept)
    for stratum in objective.strata(task, rows.ids, rows.labels):
        if len(stratum.rows) < needed:
            raise UserError(
                f"--folds: {count} folds need at least {needed} rows of each class (one to test, "
                f"{objective.kept} to train on in each), but {quoted(stratum.name, 30)} has "
                f"{len(stratum.rows)}"
            )


def _key(name: str) -> bytes:
    """A row's place in the draw, as in `split.py`: by its id, whatever the order of the file."""
    return hashlib.sha256(f"{SEED}\0{name}".encode()).digest()
