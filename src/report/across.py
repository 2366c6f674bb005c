"""All tasks together: mean score and mean rank with intervals, a new task, critical differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import Analysis
from ..analysis.format import percent, score
from .diagram import critical_differences
from .markup import Markup, element
from .tables import frame, heading, number, swatch, text
from .weights import section as weights

if TYPE_CHECKING:
    from ..analysis.verdict import Across, AcrossPair, Standing

TITLE = "Across tasks"
HEADER = ("method", "mean score", "95 % interval", "mean rank", "95 % interval", "highest mean")
NEW_TITLE = "A new task"
NEW_HEADER = ("method", "beside", "higher on", "on a new task", "95 % interval")
UNKNOWN = "not known"
UNDER = (
    "Intervals are of what other seeds and test examples would give on these tasks, both drawn "
    "anew within every task; “highest mean” is the share of the draws in which the method's mean "
    "score is the highest."
)
UNDER_ONE_SEED = (
    "Intervals are of what other test examples would give on these tasks; some task has one seed, "
    "which says nothing of others. “Highest mean” is the share of the draws in which the method's "
    "mean score is the highest."
)
UNDER_NEW = (
    "On a new task of the same kind: the share of these tasks on which the first scores higher, "
    "with Clopper and Pearson's interval."
)


def standing_texts(one: Standing) -> tuple[str, ...]:
    """A method's line under `HEADER`."""
    return (
        one.method,
        score(one.mean),
        _between(one.mean_low, one.mean_high, 3),
        f"{one.rank:.1f}",
        _between(one.rank_low, one.rank_high, 1),
        UNKNOWN if one.highest is None else percent(one.highest),
    )


def first_pairs(across: Across) -> list[AcrossPair]:
    """The pairs of the method with the highest mean, where something is claimed of a new task."""
    first = across.standings[0].method
    pairs = [across.pair(first, one.method) for one in across.standings[1:]]
    return [pair for pair in pairs if pair is not None and pair.probability is not None]


def pair_texts(across: Across, pair: AcrossPair) -> tuple[str, ...]:
    """A pair's line under `NEW_HEADER`; the method with the highest mean stands first."""
    first = across.standings[0].method
    other = pair.b if pair.a == first else pair.a
    above, share, low, high = _of_first(across, pair)
    return (first, other, f"{above:g} of {pair.tasks}", f"{share:.2f}", _between(low, high, 2))


def under(across: Across) -> str:
    """How the table is read, or why it has no intervals."""
    return across.reason or (UNDER_ONE_SEED if across.one_seed else UNDER)


def diagram_line(across: Across) -> str:
    """What the diagram shows, or why there is none."""
    methods, tasks = len(across.standings), len(across.tasks)
    pairs = methods * (methods - 1) // 2
    if across.drawn:
        return (
            "Critical differences: methods that a line links are not shown to differ over the "
            f"tasks (Wilcoxon's signed-rank test of each pair, Holm over {pairs} pairs). "
            "Bars are the intervals of the mean ranks."
        )
    least = 2.0 ** (1 - tasks)
    times = f", times {pairs} pairs {pairs * least:.2g}" if pairs > 1 else ""
    return (
        f"No critical-difference diagram: on {tasks} tasks the smallest p that Wilcoxon's "
        f"signed-rank test can give is {least:.2g}{times}, so that no pair could be shown to "
        f"differ. {methods} methods take {across.enough} tasks."
    )


def new_task_line(across: Across) -> str:
    """Why nothing is claimed of a new task; empty where something is."""
    from ..analysis.verdict.across import FEWEST_TASKS

    if len(across.tasks) >= FEWEST_TASKS:
        return ""
    return f"Of a new task nothing is claimed: that takes {FEWEST_TASKS} tasks at least."


def section(analysis: Analysis) -> Markup:
    """All tasks together on the page; nothing for one task, or without stored answers."""
    across = analysis.across
    if across is None:
        return Markup()
    lines = [element("tr", *_cells(analysis, one)) for one in across.standings]
    pairs = [element("tr", *_pair_cells(analysis, across, pair)) for pair in first_pairs(across)]
    new = [element("h3", NEW_TITLE), frame(NEW_HEADER, pairs, "sortable beside", UNDER_NEW)]
    drawing = critical_differences(analysis, "across") if across.drawn else None
    drawn = element("figure", Markup(drawing), class_="ranks") if drawing else Markup()
    last = " ".join(filter(None, (new_task_line(across), diagram_line(across))))
    return element(
        "div",
        element("h3", TITLE),
        frame(HEADER, lines, "sortable", under(across)),
        *(new if pairs else []),
        drawn,
        element("p", last, class_="under"),
        weights(analysis, across),
        class_="across",
    )


def _cells(analysis: Analysis, one: Standing) -> list[Markup]:
    """A method's cells, each sorting by its number."""
    _, mean, mean_ends, rank, rank_ends, highest = standing_texts(one)
    return [
        heading(analysis, one.method),
        number(one.mean, mean),
        number(one.mean_low, mean_ends),
        number(one.rank, rank),
        number(one.rank_low, rank_ends),
        number(one.highest, highest),
    ]


def _pair_cells(analysis: Analysis, across: Across, pair: AcrossPair) -> list[Markup]:
    """A pair's cells."""
    first, other, above, share, ends = pair_texts(across, pair)
    values = _of_first(across, pair)
    return [
        heading(analysis, first),
        element("td", swatch(analysis, other), text(other), class_="left", data_value=""),
        number(values[0], above),
        number(values[1], share),
        number(values[2], ends),
    ]


def _of_first(across: Across, pair: AcrossPair) -> tuple[float, float, float, float]:
    """Tasks won, their share and its interval, of the method with the highest mean."""
    share, low, high = pair.probability or 0.0, pair.low or 0.0, pair.high or 0.0
    if pair.a == across.standings[0].method:
        return pair.above, share, low, high
    return pair.tasks - pair.above, 1 - share, 1 - high, 1 - low


def _between(low: float | None, high: float | None, decimals: int) -> str:
    """An interval: "0.701 to 0.723"."""
    if low is None or high is None:
        return UNKNOWN
    return f"{low:.{decimals}f} to {high:.{decimals}f}"
