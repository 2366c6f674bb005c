"""What a label column means: classes or a number.

The law. A column in which any label is not a number holds classes, in alphabetical order. One of
whole numbers with at most 20 distinct values holds classes, in numerical order. Any other column
of numbers is a regression. Whole numbers written as decimals (1.0) with few distinct values could
be either, so they are refused. A note tells the user which reading was taken.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import UserError
from .table import Table

MOST_INTEGER_CLASSES = 20
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")


class Reading(NamedTuple):
    """How a label column is read."""

    classes: tuple[str, ...]
    """The labels in the order of their numbers; empty for a regression."""
    note: str
    """The reading in a sentence."""


def written(table: Table, column: str, setting: str) -> list[str]:
    """The labels of a column as text; JSON's numbers and truth values as JSON writes them.

    Raises:
        UserError: no such column, or a label that is missing, has spaces around it, or is not a
            text, a number or a truth value.
    """
    labels = []
    for row, value in enumerate(table.column(column, setting)):
        place = f"{table.place(row)}: column '{column}'"
        if value is None or value == "":
            raise UserError(f"{place}: the label is missing")
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, int | float):
            value = repr(value)
        if not isinstance(value, str):
            raise UserError(f"{place}: a label must be a text or a number, but got {value!r}")
        if value != value.strip():
            raise UserError(f"{place}: a label must have no spaces around it, but got {value!r}")
        labels.append(value)
    return labels


def decide(table: Table, column: str, labels: Sequence[str]) -> Reading:
    """Classes or a regression, by the law above, from the training labels.

    Raises:
        UserError: one distinct label only, a class with one row only, or decimals that could be
            classes.
    """
    counts = Counter(labels)
    name = f"{table.path}: column '{column}'"
    if len(counts) == 1:
        raise UserError(
            f"{name}: at least two distinct labels are needed, but all are {labels[0]!r}"
        )
    if not all(_is_number(label) for label in counts):
        return _classes(name, column, counts, sorted(counts))
    whole = [label for label in counts if float(label).is_integer()]
    if len(whole) < len(counts) or len({float(label) for label in counts}) > MOST_INTEGER_CLASSES:
        low, high = min(map(float, counts)), max(map(float, counts))
        return Reading((), f"labels '{column}': numbers from {low:g} to {high:g}, a regression")
    if decimal := next((label for label in labels if not _INTEGER.fullmatch(label)), None):
        row = list(labels).index(decimal)
        raise UserError(
            f"{table.place(row)}: column '{column}': {decimal!r} could be a class or a number; "
            f"write classes without decimals"
        )
    return _classes(name, column, counts, sorted(counts, key=lambda label: (int(label), label)))


def number(place: str, column: str, label: str, reading: Reading) -> float:
    """A label's number: that of its class, or its value.

    Raises:
        UserError: a class that training never shows, or no number in a regression.
    """
    if reading.classes:
        if label not in reading.classes:
            known = ", ".join(reading.classes)
            raise UserError(
                f"{place}: column '{column}': the label {label!r} never occurs in training "
                f"(known: {known})"
            )
        return float(reading.classes.index(label))
    if not _is_number(label):
        raise UserError(f"{place}: column '{column}': a number is needed, but got {label!r}")
    return float(label)


def _classes(name: str, column: str, counts: Counter[str], order: list[str]) -> Reading:
    alone = [label for label in order if counts[label] == 1]
    if alone:
        shown = ", ".join(repr(label) for label in alone[:5]) + (", …" if len(alone) > 5 else "")
        raise UserError(
            f"{name}: every class needs at least two training rows (one to learn from, one to "
            f"select on), but {len(alone)} of {len(counts)} have one: {shown}"
        )
    shown = ", ".join(order[:10]) + (", …" if len(order) > 10 else "")
    return Reading(tuple(order), f"labels '{column}': {len(order)} classes ({shown})")


def _is_number(label: str) -> bool:
    return bool(_NUMBER.fullmatch(label)) and math.isfinite(float(label))
