"""Numbers in the settings of a checkpoint, held to what numbers of that kind can be."""

from __future__ import annotations

import math
from collections.abc import Mapping


def check_counts(named: Mapping[str, object]) -> None:
    """Numbers of something are whole ones, and there is at least one of it.

    Raises:
        ValueError: One is not; the text has its name.
    """
    for name, value in named.items():
        if type(value) is not int or value < 1:
            raise ValueError(f"`{name}` must be a whole number, 1 or more, but got {value!r}")


def check_positive(named: Mapping[str, object]) -> None:
    """Numbers above zero.

    Raises:
        ValueError: One is no number, or not above zero; the text has its name.
    """
    for name, value in named.items():
        if type(value) not in (int, float) or not 0 < value < math.inf:  # type: ignore[operator]
            raise ValueError(f"`{name}` must be a number above 0, but got {value!r}")
