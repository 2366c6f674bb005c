"""No row is in two parts of a task: what trains, what selects, and what is reported stay apart.

A row is the same where its id, its texts and its label are. Two files may well hold copies of one
text (GLUE's train and dev rows do): these are counted in a note and are no leak, unless every test
row is one.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import UserError
from ..text import plural, quoted
from .tasks import Examples, TaskData


class LeakError(UserError):
    """Rows that are reported would select or train; the text says which."""


def shared(rows: Examples, others: Examples) -> list[int]:
    """The places in `others` of rows that are also in `rows`: equal id, texts and label.

    The id is ours, which names the file and the place, or that of a column `id`, where both have
    one.
    """
    return [place for place, same in _copies(rows, others) if same]


def check_parts(
    task: str, train: Examples, validation: Examples, tests: Mapping[str, Examples]
) -> None:
    """Refuse parts of a task of which two hold the same row; two tests may.

    Args:
        task: Its name, for the message.
        train: What trains.
        validation: What selects.
        tests: What is reported, by name.

    Raises:
        LeakError: A row is in two of them.
    """
    _check(task, "training", train, "validation", validation)
    for name, test in tests.items():
        _check(task, "training", train, name, test)
        _check(task, "validation", validation, name, test)


def _check(task: str, name: str, rows: Examples, other: str, others: Examples) -> None:
    if places := shared(rows, others):
        stand = "stands" if len(places) == 1 else "stand"
        raise LeakError(
            f"task '{task}': {plural(len(places), f'{other} row')} {stand} among the {name} rows "
            f"too (the first is {_called(others, places[0])}), so that the score would be one of "
            "rows that are known already"
        )


def check_test(data: TaskData) -> None:
    """Refuse test rows that are training rows, or of which every single one stands in train.

    Raises:
        LeakError: They are.
    """
    tests = {"test": data.test, **data.extra_tests}
    for name, test in tests.items():
        _check(data.task.name, "training", data.train, name, test)
        if len(test) and len({place for place, _ in _copies(data.train, test)}) == len(test):
            raise LeakError(
                f"task '{data.task.name}': every {name} row (of {len(test)}) also stands in the "
                "training rows, with the same text and label, so that the score would show what "
                "was remembered; other rows are needed for the test"
            )


def _copies(rows: Examples, others: Examples) -> list[tuple[int, bool]]:
    """Places in `others` whose texts and label are in `rows`, and whether it is the same row."""
    places: dict[tuple[str, ...], list[int]] = {}
    for place, texts in enumerate(others.texts):
        places.setdefault(texts, []).append(place)
    named = bool(rows.own_ids and others.own_ids)
    return [
        (
            place,
            rows.ids[row] == others.ids[place]
            or (named and rows.own_ids[row] == others.own_ids[place]),
        )
        for row, texts in enumerate(rows.texts)
        for place in places.get(texts, ())
        if rows.labels[row] == others.labels[place]
    ]


def _called(rows: Examples, place: int) -> str:
    """A row by its id, and its line where it has one."""
    name = quoted((rows.own_ids or rows.ids)[place])
    return f"{name} in line {rows.lines[place]}" if rows.lines else name
