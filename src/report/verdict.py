"""Every pair of methods on a task: difference, interval, verdict, and what would settle it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import Analysis, TaskAnalysis
from ..analysis.conclusion import ordered, smallest_seen_line
from ..analysis.format import p_value
from .markup import Markup, element
from .tables import frame, number, swatch, text

if TYPE_CHECKING:
    from ..analysis.verdict import Pair, Settlement

TITLE = "Verdict"
HEADER = (
    "method",
    "beside",
    "difference",
    "95 % interval",
    "p (Holm)",
    "verdict",
    "what would settle it",
)
UNDER = (
    "The difference is the score of the first less that of the second. Intervals are for each pair "
    "by itself, from seeds and test examples; p is adjusted over the pairs of the task."
)
UNDER_SEARCHES = (
    "The difference is the score of the first less that of the second. Intervals are for each pair "
    "by itself, from whole searches, each with its own winner and seeds, and test examples; p is "
    "adjusted over the pairs of the task."
)
UNDER_ONE_SEED = (
    "The difference is the score of the first less that of the second; intervals and p, adjusted "
    "over the pairs of the task, are those of the test examples alone."
)
WIDTH, HEIGHT = 100.0, 16.0
"""Of the drawing of an interval, in CSS pixels."""


def pairs_of(task: TaskAnalysis) -> list[tuple[Pair, int]]:
    """The pairs that are listed, each with the sign that it is shown with."""
    return [] if task.judged is None else ordered(task.judged.verdict, task.leaders)


def pair_texts(pair: Pair, sign: int) -> tuple[str, ...]:
    """A pair's line under `HEADER`; with sign -1 its second method stands first."""
    first, second = (pair.a, pair.b) if sign > 0 else (pair.b, pair.a)
    low, high = _interval(pair, sign)
    return (
        first,
        second,
        f"{sign * pair.difference:+.3f}",
        f"{low:+.3f} to {high:+.3f}",
        p_value(pair.p_holm),
        _decided(pair),
        _settles(pair.to_decide),
    )


def about(task: TaskAnalysis, *, only_task: bool) -> list[str]:
    """What a reader should know of the pairs, each a paragraph.

    Args:
        task: What is shown of the task.
        only_task: Whether it is the only task, so that the answer on top has its sentences already.
    """
    judged = task.judged
    if judged is None:
        return []
    started = judged.looks is None or judged.looks.look
    sentences = [judged.verdict.reason if started else "", judged.progress]
    if task.conclusion is not None:
        sentences = [] if only_task else [task.conclusion.sentences]
    parts = (" ".join(filter(None, sentences)), smallest_seen_line(judged.verdict))
    return [part for part in parts if part]


def under(task: TaskAnalysis) -> str:
    """How the table is read."""
    listed = pairs_of(task)
    one_seed = all(pair.verdict == "examples alone" for pair, _ in listed)
    searched = any(pair.question.unit == "search" for pair, _ in listed)
    several = UNDER_SEARCHES if searched else UNDER
    return (UNDER_ONE_SEED if one_seed else several) if listed else ""


def section(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """The verdict on the page; nothing where no answers are stored."""
    texts = about(task, only_task=len(analysis.tasks) == 1)
    listed = pairs_of(task)
    if not texts and not listed:
        return Markup()
    paragraphs = [element("p", text(each), class_="under") for each in texts]
    scale = max(
        (max(abs(pair.low), abs(pair.high), _margin(task)) for pair, _ in listed), default=1
    )
    lines = [
        element("tr", *_cells(analysis, pair, sign, _margin(task), scale)) for pair, sign in listed
    ]
    table = frame(HEADER, lines, "sortable pairs", _under_drawings(task)) if lines else Markup()
    return element("div", element("h3", TITLE), *paragraphs, table, class_="verdict")


def _cells(analysis: Analysis, pair: Pair, sign: int, margin: float, scale: float) -> list[Markup]:
    """A pair's cells: its interval is drawn beside its numbers."""
    first, second, difference, interval, p, verdict, settles = pair_texts(pair, sign)
    low, _ = _interval(pair, sign)
    return [
        element("th", swatch(analysis, first), text(first), scope="row", data_value=text(first)),
        element("td", swatch(analysis, second), text(second), class_="left", data_value=""),
        number(sign * pair.difference, difference),
        element("td", _drawing(pair, sign, margin, scale), " ", interval, data_value=repr(low)),
        number(pair.p_holm, p),
        element("td", text(verdict), class_="left", data_value=""),
        element("td", text(settles), class_="left words", data_value=""),
    ]


def _drawing(pair: Pair, sign: int, margin: float, scale: float) -> Markup:
    """The interval on a scale that all pairs of the task share, with 0 and the margin's band."""

    def at(value: float) -> str:
        return f"{WIDTH / 2 + value / scale * (WIDTH / 2 - 4):.1f}"

    low, high = _interval(pair, sign)
    half, middle = f"{HEIGHT / 2:g}", at(0.0)
    band = float(at(margin)) - float(at(-margin))
    return element(
        "svg",
        element(
            "rect", x=at(-margin), y="0", width=f"{band:.1f}", height=f"{HEIGHT:g}", class_="margin"
        ),
        element("line", x1=middle, x2=middle, y1="0", y2=f"{HEIGHT:g}", class_="zero"),
        element("line", x1=at(low), x2=at(high), y1=half, y2=half, class_="interval"),
        element("circle", cx=at(sign * pair.difference), cy=half, r="3.2"),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=f"difference with its interval, {pair_texts(pair, sign)[3]}",
        class_="pair-interval",
    )


def _under_drawings(task: TaskAnalysis) -> str:
    return f"{under(task)} The band is ± {_margin(task):g}, the line is no difference."


def _margin(task: TaskAnalysis) -> float:
    return 0.0 if task.judged is None else task.judged.verdict.margin


def _interval(pair: Pair, sign: int) -> tuple[float, float]:
    """The interval in the direction in which the pair is shown."""
    return (pair.low, pair.high) if sign > 0 else (-pair.high, -pair.low)


def _decided(pair: Pair) -> str:
    """The verdict in words."""
    if pair.better:
        return f"{pair.better} is better"
    if pair.verdict == "equivalent":
        return f"equivalent within {pair.question.margin:g}"
    return pair.verdict


def _settles(settlement: Settlement | None) -> str:
    """What would settle a pair; nothing where it is settled.

    What one seed needs is the same for every pair, so a few words do.
    """
    if settlement is None:
        return ""
    one_seed = settlement.goal is None and settlement.seeds is not None
    units = "seeds" if settlement.unit == "seed" else "searches"
    return f"{settlement.seeds} {units} at least" if one_seed else settlement.sentence
