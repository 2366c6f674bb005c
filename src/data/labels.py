"""What a label column means: classes or a number.

The rule. `--data.kind` decides where it is set. Otherwise a column in which any label is not a
number holds classes, in alphabetical order; one of whole numbers with at most 20 distinct values
holds classes, in numerical order; any other column of numbers is a regression. Columns that may
well be either are refused, with the setting that decides: whole numbers written as decimals (1.0)
with few distinct values, more than 20 whole numbers each of which occurs again and again, and
numbers among which a few labels are none. A note tells the user which reading was taken.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..errors import UserError
from ..text import one_line, plural, quoted
from .table import HALF_PAIR, Table, has_half_pair

MOST_INTEGER_CLASSES = 20
LONGEST_LABEL = 1_000
"""Characters of a class's name: one that is longer is some other column."""
LARGEST = 1e100
"""The largest value of a regression: the squares of larger ones leave what fp64 holds."""
MOSTLY = 0.8
"""The share of numbers from which a column counts as numbers with mistakes among them."""
DECIDE = "say which with --data.kind classes or --data.kind number"
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_EITHER_COMMA = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
"""1,234 is 1.234 in one half of the world and 1234 in the other."""
_ODD_NUMBER = re.compile(r"[$€£]?\s?[+-]?\d+([.,'\u2019\u00a0\u202f ]\d+)*\s?[%$€£]?")
"""Numbers as people write them: 1,234.50, 1.234,5, 1'234, $5, 12 %."""
MISSING = frozenset({"nan", "null", "n/a", "na", "#n/a", "<na>"})
"""What pandas, R, databases and spreadsheets write for a missing value, in lower case. `none` is
not among them, since it is the name of many a class."""


@dataclass(frozen=True)
class Reading:
    """How a label column is read."""

    classes: tuple[str, ...]
    """The labels in the order of their numbers; empty for a regression."""
    note: str
    """The reading in a sentence."""

    @cached_property
    def numbers(self) -> Mapping[str, float]:
        """The number of each class by its name."""
        return {label: float(number) for number, label in enumerate(self.classes)}


def written(table: Table, column: str, setting: str) -> list[str]:
    """The labels of a column as text; JSON's numbers and truth values as JSON writes them.

    Raises:
        UserError: no such column, or a label that is missing, has spaces around it, or is not a
            text, a number or a truth value.
    """
    labels = []
    for row, value in enumerate(table.column(column, setting)):
        place = f"{table.place(row)}: column {quoted(column)}"
        # What Python's json writes for a missing number is NaN, which is no label either.
        if value is None or value == "" or value != value:
            raise UserError(f"{place}: the label is missing")
        value = _as_text(value)
        if not isinstance(value, str):
            raise UserError(f"{place}: a label must be a text or a number, but got {quoted(value)}")
        if value != value.strip():
            raise UserError(
                f"{place}: a label must have no spaces around it, but got {quoted(value)}"
            )
        if has_half_pair(value):
            raise UserError(f"{place}: {quoted(value)} has {HALF_PAIR}")
        if len(value) > LONGEST_LABEL:
            raise UserError(
                f"{place}: a label must have at most {LONGEST_LABEL:,} characters, but "
                f"{quoted(value)} has {len(value):,}"
            )
        labels.append(value)
    return labels


def _as_text(value: object) -> object:
    """JSON's numbers and truth values as JSON writes them; everything else as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else value


def quotes(table: Table, column: str, setting: str) -> frozenset[tuple[object, bool]]:
    """Each label of a file of JSON lines, and whether quotes stand around it.

    Other files cannot tell `1` from `"1"`: there is nothing for them.

    Raises:
        UserError: No such column.
    """
    if table.path.suffix.lower() != ".jsonl":
        return frozenset()
    values = table.column(column, setting)
    return frozenset((_as_text(value), isinstance(value, str)) for value in values)


def quoted_and_not(*of: frozenset[tuple[object, bool]]) -> list[str]:
    """A note on labels that stand in quotes and without: a reader may mean two classes by them."""
    pairs = frozenset().union(*of)
    both = sorted(str(label) for label, is_text in pairs if is_text and (label, False) in pairs)
    return [f"labels in quotes and without are one class: {_listed(both)}"] if both else []


def decide(table: Table, column: str, labels: Sequence[str], kind: str | None = None) -> Reading:
    """Classes or a regression, by the rule above, from the training labels.

    Args:
        table: The file, for messages.
        column: The label column.
        labels: The training labels as they are written.
        kind: "classes" or "number" where the user says it.

    Raises:
        UserError: One distinct label only, a class with one row only, a label that is no number
            where numbers are asked for, or labels that could be either.
    """
    counts = Counter(labels)
    name = f"{table.path}: column {quoted(column)}"
    if len(counts) == 1:
        only = quoted(labels[0])
        raise UserError(f"{name}: at least two distinct labels are needed, but all are {only}")
    numbers = [label for label in counts if _is_number(label)]
    if kind is None and not _are_numbers_with_mistakes(labels, numbers):
        _refuse_missing(table, column, labels)
    if kind == "number" or (kind is None and _are_numbers_with_mistakes(labels, numbers)):
        _refuse_other_than_numbers(table, column, labels)
    if kind == "number":
        return _values(name, column, numbers)
    if len(numbers) < len(counts):
        return _classes(name, column, counts, sorted(counts))
    order = sorted(counts, key=lambda label: (float(label), label))
    if kind == "classes":
        return _classes(name, column, counts, order)
    if not _are_few_whole(numbers):
        whole = all(float(label).is_integer() for label in numbers)
        if whole and min(counts.values()) > 1:
            raise UserError(
                f"{name}: {len(counts)} whole numbers, each in several rows, could be classes or "
                f"values; {DECIDE}"
            )
        return _values(name, column, numbers)
    if decimal := next((label for label in labels if not _INTEGER.fullmatch(label)), None):
        row = list(labels).index(decimal)
        raise UserError(
            f"{table.place(row)}: column {quoted(column)}: {quoted(decimal)} could be a class or a "
            f"number; {DECIDE}"
        )
    return _classes(name, column, counts, sorted(order, key=lambda label: (int(label), label)))


def _are_few_whole(numbers: Sequence[str]) -> bool:
    """Whether these numbers look like the numbers of classes."""
    values = {float(label) for label in numbers}
    return len(values) <= MOST_INTEGER_CLASSES and all(value.is_integer() for value in values)


def _refuse_missing(table: Table, column: str, labels: Sequence[str]) -> None:
    """Name the first label that is what a program writes for a missing value."""
    rows = [row for row, label in enumerate(labels) if label.lower() in MISSING]
    if rows and len(rows) < len(labels):
        count = plural(len(rows), "row")
        have = "has" if len(rows) == 1 else "have"
        raise UserError(
            f"{table.place(rows[0])}: column {quoted(column)}: {quoted(labels[rows[0]])} is what "
            f"programs write for a missing label ({count} {have} one); leave these rows out, or "
            "say --data.kind classes where it is a class"
        )


def _are_numbers_with_mistakes(labels: Sequence[str], numbers: Sequence[str]) -> bool:
    """Whether most labels are values of a regression, and some are no numbers or odd ones."""
    if len(set(labels)) == len(numbers):
        return False
    known = set(numbers)
    odd = [label for label in labels if label not in known and _ODD_NUMBER.fullmatch(label)]
    good = sum(label in known for label in labels) + len(odd)
    # Versions, dates and ranges of years are written so too, and come again and again as classes.
    varied = len(set(odd)) > MOST_INTEGER_CLASSES or any(map(_DECIMAL_COMMA.fullmatch, odd))
    few = not varied and _are_few_whole(numbers)
    return good >= MOSTLY * len(labels) and not few


def _refuse_other_than_numbers(table: Table, column: str, labels: Sequence[str]) -> None:
    """Name the first label that is no number, and how many there are."""
    wrong = [row for row, label in enumerate(labels) if not _is_number(label)]
    if not wrong:
        return
    first = labels[wrong[0]]
    place = f"{table.place(wrong[0])}: column {quoted(column)}"
    if _EITHER_COMMA.fullmatch(first):
        decimal, whole = first.replace(",", "."), first.replace(",", "")
        raise UserError(
            f"{place}: {first!r} has a comma that may stand for a point or part the thousands; "
            f"write {decimal!r} or {whole!r}"
        )
    if _DECIMAL_COMMA.fullmatch(first):
        better = first.replace(",", ".")
        raise UserError(f"{place}: {first!r} has a decimal comma; write {better!r}")
    if _ODD_NUMBER.fullmatch(first):
        raise UserError(
            f"{place}: {quoted(first)} has a unit or parted thousands; write digits and a point "
            "alone, or say --data.kind classes"
        )
    count = "the one label" if len(wrong) == 1 else f"the first of {len(wrong)} labels"
    raise UserError(
        f"{place}: {quoted(first)} is {count} of {len(labels)} that is no number; mend it, "
        f"or say --data.kind classes"
    )


def _values(name: str, column: str, numbers: Sequence[str]) -> Reading:
    low, high = min(map(float, numbers)), max(map(float, numbers))
    if max(-low, high) > LARGEST or high - low < 1 / LARGEST:
        raise UserError(
            f"{name}: numbers from {low:g} to {high:g} cannot be standardised: they must lie below "
            f"{LARGEST:g} and {1 / LARGEST:g} apart; write them in another unit"
        )
    return Reading((), f"labels {quoted(column)}: numbers from {low:g} to {high:g}, a regression")


def number(place: str, column: str, label: str, reading: Reading) -> float:
    """A label's number: that of its class, or its value.

    Raises:
        UserError: a class that training never shows, or no number in a regression.
    """
    if reading.classes:
        if label not in reading.numbers:
            known = _listed(reading.classes)
            raise UserError(
                f"{place}: column {quoted(column)}: the label {quoted(label)} never occurs in "
                f"training (known: {known})"
            )
        return reading.numbers[label]
    if not _is_number(label) or abs(float(label)) > LARGEST:
        raise UserError(
            f"{place}: column {quoted(column)}: a number is needed, but got {quoted(label)}"
        )
    return float(label)


def _classes(name: str, column: str, counts: Counter[str], order: list[str]) -> Reading:
    single = [label for label in order if counts[label] == 1]
    if single:
        shown = ", ".join(quoted(label, 30) for label in single[:5]) + (
            ", …" if len(single) > 5 else ""
        )
        hint = "" if not all(map(_is_number, counts)) else "; values are --data.kind number"
        raise UserError(
            f"{name}: every class needs at least two training rows (one to learn from, one to "
            f"select on), but {len(single)} of {len(counts)} have one: {shown}{hint}"
        )
    note = f"labels {quoted(column)}: {len(order)} classes ({_listed(order)})"
    return Reading(tuple(order), note)


def alike(classes: Sequence[str]) -> list[str]:
    """Notes on classes that look like one: apart only in case, blanks, or how they are written."""
    groups: dict[Hashable, list[str]] = {}
    for label in classes:
        groups.setdefault(_look(label), []).append(label)
    many = [labels for labels in groups.values() if len(labels) > 1]
    shown = "; ".join(", ".join(quoted(one, 30) for one in labels[:4]) for labels in many[:3])
    more = "; …" if len(many) > 3 else ""
    return [f"labels that look alike are classes apart: {shown}{more}"] if many else []


def _look(label: str) -> Hashable:
    """What a reader sees of a label: its value, or its letters without case and hidden signs."""
    if _is_number(label):
        return float(label)
    text = unicodedata.normalize("NFKC", label).casefold()
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(seen.split())


def _listed(labels: Sequence[str]) -> str:
    """The first labels for a sentence, each short and on one line."""
    return ", ".join(one_line(label)[:30] for label in labels[:10]) + (
        ", …" if len(labels) > 10 else ""
    )


def _is_number(label: str) -> bool:
    return bool(_NUMBER.fullmatch(label)) and math.isfinite(float(label))
