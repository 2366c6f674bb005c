"""What `tunebench latency` prints: one table, and the points that could not be timed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis.format import ABSENT, NOISY, interval_texts, to_digit
from ..analysis.lab import FORMS, unmeasured
from .text_table import format_table

if TYPE_CHECKING:
    from ..costs.latency import Point

NOISY_HERE = f"{NOISY} here"
HEADER = (
    *("pass", "texts × tokens", "method", "form", "× base", "95 % interval"),
    *("p50 ms", "p95 ms", "p99 ms", "texts/s", "tokens/s"),
)
ENDING = (
    "× base: a pass of the method by one of the base model, timed in turn in one process, and its\n"
    "95 % interval. Methods are untrained: what a pass takes does not depend on what was learned.\n"
    "as it is: folding changes nothing. p95 from 130 passes on, p99 from 662."
)
UNSTEADY = (
    f"{NOISY_HERE}: passes too unsteady for a number. End what else runs here, and measure again."
)


def as_text(points: Sequence[Point], content: Mapping[str, Any], file: Path) -> str:
    """The table for a reader, and where the file is."""
    rows = [_row(point) for point in points if point.timing is not None]
    parts = [f"{content['backbone']} on {content['device']}"]
    if rows:
        parts.append(format_table([HEADER, *rows], 0))
    if missing := _missing(points):
        parts.append("\n".join(missing))
    if rows:
        unsteady = [UNSTEADY] if any(NOISY_HERE in row for row in rows) else []
        parts.append("\n".join([ENDING, *unsteady]))
    return "\n\n".join([*parts, f"Written: {file}"])


def as_json(point: Point) -> dict[str, Any]:
    """A point for a script."""
    return {
        **asdict(point),
        "texts_per_second": point.texts_per_second,
        "tokens_per_second": point.tokens_per_second,
    }


def _row(point: Point) -> tuple[str, ...]:
    timing = point.timing
    assert timing is not None
    ratio = timing.ratio
    if ratio is None:
        beside = (NOISY_HERE, "")
    else:
        value, low, high = interval_texts(ratio.value, (ratio.low, ratio.high))
        beside = (value, f"{low} – {high}")
    return (
        point.kind,
        _shape(point),
        point.method,
        FORMS[point.form],
        *beside,
        *_clock(point),
    )


def _clock(point: Point) -> Iterable[str]:
    """What the clock says: milliseconds and throughput."""
    timing = point.timing
    if timing is None or timing.p50_ms is None:
        return (NOISY_HERE, *("",) * 4)
    half = timing.half_width
    high = (timing.p95_ms, timing.p99_ms)
    rates = (point.texts_per_second, point.tokens_per_second)
    return (
        to_digit(timing.p50_ms, half * timing.p50_ms),
        *("–" if ms is None else to_digit(ms, half * timing.p50_ms) for ms in high),
        *(ABSENT if rate is None else to_digit(rate, half * rate) for rate in rates),
    )


def _shape(point: Point) -> str:
    """Texts and their tokens; those of real texts, and the padding that packing saves them."""
    each = point.tokens / point.texts
    if point.length == "texts":
        saved = f", {100 * point.padding:.0f} % padding saved" if point.padding else ""
        return f"{point.texts} real, {each:.0f} each{saved}"
    return f"{point.texts} × {each:.0f}"


def _missing(points: Sequence[Point]) -> list[str]:
    """The points without a number, a line for each reason; methods together."""
    return unmeasured(
        (f"{point.kind}, {point.texts} × {point.length}", point.method, point.reason)
        for point in points
        if point.reason
    )
