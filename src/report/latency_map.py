"""The lab's ratios of latency as a map: methods and forms by batch and length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..analysis import Analysis
from ..analysis.format import ABSENT, NOISY, interval_texts, ratio_within, to_digit
from ..analysis.lab import FORMS, Form, Interval, Kind, Latencies, Length, Point, unmeasured
from .markup import Markup, element, join
from .tables import frame, heading, number, text

HEADER = ("method", "form", "pass", "batch", "× base", "95 % interval", "p50 ms")
UNDER = (
    "Latency of a pass of untrained methods by one of the base model, timed in turn in one "
    "process. Columns are texts × tokens of each; real texts have their own lengths. As it is: "
    "folding changes nothing. Too noisy: the machine was too unsteady for a number."
)
STEPS = (1.05, 1.15, 1.5)
"""Ratios at which a slower pass has the next colour."""
LEGEND = {
    "faster": "faster than the base model",
    "same": "not shown to differ from it",
    **{f"slower-{i}": f"slower, up to {step:g}×" for i, step in enumerate(STEPS)},
    f"slower-{len(STEPS)}": f"slower, more than {STEPS[-1]:g}×",
}
"""Colour → what it means."""
Shape = tuple[int, Length]
"""Texts of a pass, and what each has of tokens."""


def kinds_of(latency: Latencies) -> list[Kind]:
    """The passes that were timed, in the order of the file; each has a map."""
    return list(dict.fromkeys(point.kind for point in latency.points))


def header(latency: Latencies, kind: Kind) -> tuple[str, ...]:
    """The columns of a map."""
    return ("method", "form", *map(shape_text, _shapes(latency, kind)))


def rows(latency: Latencies, kind: Kind) -> list[tuple[str, Form, list[Point | None]]]:
    """The lines of a map: method, form, and what was measured of each shape."""
    points = {(p.method, p.form, p.texts, p.length): p for p in latency.points if p.kind == kind}
    lines = dict.fromkeys((method, form) for method, form, *_ in points)
    shapes = _shapes(latency, kind)
    return [(*line, [points.get((*line, *shape)) for shape in shapes]) for line in lines]


def shape_text(shape: Shape) -> str:
    """A batch: "8 × 128", "8 × context", "8 real"."""
    texts, length = shape
    return f"{texts} real" if length == "texts" else f"{texts} × {length}"


def cell_text(point: Point | None) -> str:
    """A ratio with its interval, or the words in its place."""
    ratio = _ratio(point)
    return _words(point) if ratio is None else ratio_within(ratio.value, (ratio.low, ratio.high))


def missing(latency: Latencies) -> list[str]:
    """Why shapes have no figure, a line for each reason."""
    return unmeasured(
        (f"{point.kind}, {shape_text((point.texts, point.length))}", point.method, point.reason)
        for point in latency.points
        if point.reason
    )


def section(analysis: Analysis, latency: Latencies) -> Markup:
    """A map for each kind of pass, and all of it as a table."""
    maps = [part for kind in kinds_of(latency) for part in _map(analysis, latency, kind)]
    keys = [
        element("li", element("span", class_=f"swatch heat-{name}"), meaning)
        for name, meaning in LEGEND.items()
    ]
    reasons = [element("li", text(line)) for line in missing(latency)]
    lines = [element("tr", *_cells(analysis, point)) for point in latency.points]
    return join(
        *maps,
        element("ul", *keys, class_="keys"),
        element("p", UNDER, class_="under"),
        element("ul", *reasons, class_="notes") if reasons else Markup(),
        element(
            "details",
            element("summary", "Every ratio with its interval"),
            frame(HEADER, lines, "sortable beside"),
        ),
    )


def _map(analysis: Analysis, latency: Latencies, kind: Kind) -> Iterator[Markup]:
    """One kind of pass."""
    yield element("h3", f"Latency × base: {kind}")
    lines = [
        element(
            "tr",
            heading(analysis, method),
            element("td", FORMS[form], class_="left", data_value=""),
            *map(_coloured, points),
        )
        for method, form, points in rows(latency, kind)
    ]
    yield frame(header(latency, kind), lines, "sortable beside heat")


def _coloured(point: Point | None) -> Markup:
    """A cell of the map: its number, and a colour for those that look for the large ones."""
    ratio = _ratio(point)
    if ratio is None:
        return number(None, _words(point))
    shown, low, high = interval_texts(ratio.value, (ratio.low, ratio.high))
    return element(
        "td", shown, class_=f"heat-{colour(ratio)}", title=f"{low} to {high}",
        data_value=repr(ratio.value),
    )  # fmt: skip


def colour(ratio: Interval) -> str:
    """The name of a ratio's colour; none of the strong ones where the interval holds 1."""
    if ratio.low <= 1 <= ratio.high:
        return "same"
    if ratio.value < 1:
        return "faster"
    return f"slower-{sum(ratio.value > step for step in STEPS)}"


def _cells(analysis: Analysis, point: Point) -> Sequence[Markup]:
    """A point's cells under `HEADER`."""
    ratio, timing = _ratio(point), point.timing
    shown, low, high = (
        (_words(point), "", "")
        if ratio is None
        else interval_texts(ratio.value, (ratio.low, ratio.high))
    )
    ms = None if timing is None else timing.p50_ms
    clock = "" if timing is None or ms is None else to_digit(ms, timing.half_width * ms)
    return (
        heading(analysis, point.method),
        element("td", FORMS[point.form], class_="left", data_value=""),
        element("td", point.kind, data_value=""),
        element("td", shape_text((point.texts, point.length)), data_value=""),
        number(None if ratio is None else ratio.value, shown),
        number(None if ratio is None else ratio.low, f"{low} to {high}" if low else ""),
        number(ms, clock),
    )


def _ratio(point: Point | None) -> Interval | None:
    return None if point is None or point.timing is None else point.timing.ratio


def _words(point: Point | None) -> str:
    """What stands in the place of a ratio: nothing was asked, it failed, or it was unsteady."""
    if point is None:
        return "–"
    return ABSENT if point.timing is None else NOISY


def _shapes(latency: Latencies, kind: Kind) -> list[Shape]:
    """The shapes of a kind of pass, short texts first, then few; those without a number last."""
    shapes = {(point.texts, point.length) for point in latency.points if point.kind == kind}

    def place(shape: Shape) -> tuple[int, str, int]:
        texts, length = shape
        return (length, "", texts) if isinstance(length, int) else (2**62, length, texts)

    return sorted(shapes, key=place)
