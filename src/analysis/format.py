"""How numbers and lists of names are written, alike on terminal, page and in Markdown.

Each function takes what a record holds, `None` included, and gives text. A number that is not
there or not finite reads "not measured"; nothing is rounded twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..text import plural

Number = int | float
"""Counts come as whole numbers, measurements as fractions."""

ABSENT = "not measured"
"""What stands where a number should be and none was taken."""
NOISY = "too noisy"
"""What stands where one was taken, and the machine was too unsteady to state it."""


def present(value: Number | None) -> bool:
    """Whether there is a finite number."""
    return value is not None and math.isfinite(value)


def score(value: Number | None, spread: Number | None = None) -> str:
    """Three decimals, with the standard deviation over seeds if there is one: "0.842 ± 0.011"."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{value:.3f}" if spread is None else f"{value:.3f} ± {spread:.3f}"


def significant(value: Number | None) -> str:
    """Three significant digits, thousands with commas: "0.873", "8.73", "87.3", "1,204"."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    # Rounding may carry 9.996 into the next decade, so the decade is that of the rounded number.
    digits = max(0, 2 - math.floor(math.log10(abs(float(f"{value:.3g}")))))
    return f"{value:,.{min(digits, 6)}f}"


def p_value(p: Number) -> str:
    """Three decimals, and no less than the least of them: "0.041", "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def percent(share: Number) -> str:
    """A share that rests on draws: "83 %", and neither 0 nor all: "< 1 %", "> 99 %"."""
    return "< 1 %" if share < 0.01 else "> 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def thousands(value: Number | None) -> str:
    """A whole number with commas: "22,713,216"."""
    return f"{value:,.0f}" if value is not None and math.isfinite(value) else ABSENT


def short(value: Number | None) -> str:
    """A count by its SI prefix, three significant digits: "770", "73.7 k", "22.7 M"."""
    if value is None or not math.isfinite(value):
        return ABSENT
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999.6 k would round to 1000 k; it belongs to the next prefix.
        if abs(value) >= size * 0.9995:
            return f"{significant(value / size)} {prefix}"
    return f"{value:.0f}"


def signed(value: Number | None) -> str:
    """A change in three decimals with its sign: "+0.067"."""
    return f"{value:+.3f}" if value is not None and math.isfinite(value) else ABSENT


def share(value: Number | None) -> str:
    """A share that was counted, in whole percent: "34 %"."""
    return f"{100 * value:.0f} %" if value is not None and math.isfinite(value) else ABSENT


def size(count: int) -> str:
    """Bytes in the unit that a reader takes in."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.3g} {unit}"
    return plural(count, "byte")


def ratio(value: Number | None) -> str:
    """How many times the base model's: "1.04×"."""
    return f"{value:.2f}×" if value is not None and math.isfinite(value) else ABSENT


def to_digit(value: float, error: float) -> str:
    """A number to the first digit of its error, and to four digits at most."""
    least = 10 ** (math.floor(math.log10(value)) - 3) if value > 0 else 1.0
    digit = -math.floor(math.log10(max(error, least)))
    return f"{round(value, digit):,.{max(0, digit)}f}"


def interval_texts(value: float, ends: tuple[float, float]) -> tuple[str, str, str]:
    """A number and the ends of its interval, to the digits that this leaves."""
    half = (ends[1] - ends[0]) / 2
    return to_digit(value, half), to_digit(ends[0], half), to_digit(ends[1], half)


def ratio_within(value: float, ends: tuple[float, float]) -> str:
    """A ratio with its interval: "1.04× (1.01 to 1.07)"."""
    shown, low, high = interval_texts(value, ends)
    return f"{shown}× ({low} to {high})"


def duration(seconds: Number) -> str:
    """Seconds as people say them: "45 s", "3 min 20 s", "1 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
