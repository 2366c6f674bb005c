"""All tasks together with other weights: means and order, computed anew in the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis import Analysis
from ..analysis.format import score
from .markup import Markup, element
from .tables import frame, heading, number, text

if TYPE_CHECKING:
    from ..analysis.verdict import Across, Standing

TITLE = "Other weights"
HEADER = ("method", "mean score", "place", "at equal weights", "mean rank", "place by rank")
MOST, STEP = "4", "0.25"
"""Of a task's weight; 1 is where all begin, and 0 leaves a task out."""
ABOUT = (
    "How much does the order owe to each task counting the same? A weight of 0 leaves a task out; "
    "beside it stands its share of the mean."
)
UNDER = (
    "Descriptive only: an order under weights that were chosen after the scores were seen carries "
    "no verdict, no interval and no p. The tables above stay as they are, at equal weights. Scores "
    "that agree in three decimals share a place."
)
NOTHING = "Every weight is 0: the table shows the last weights that were not."


def section(analysis: Analysis, across: Across) -> Markup:
    """A weight for each task, and the table that follows them.

    Hidden until the page's script is there: without it no weight would move anything, and equal
    weights are what the tables above show.
    """
    sliders = [_slider(task, i) for i, task in enumerate(across.tasks)]
    reset = element("button", "Equal weights", type="button")
    rows = [_row(analysis, across, one) for one in across.standings]
    return element(
        "div",
        element("h3", TITLE),
        element("p", ABOUT, class_="under"),
        element("div", *sliders, reset, role="group", aria_label="Weights", class_="sliders"),
        frame(HEADER, rows, "", UNDER),
        element("p", role="status", class_="under"),
        hidden="",
        class_="weights",
        data_equal="Equal weights: ",
        data_order="Order with these weights: ",
        data_nothing=NOTHING,
    )


def _slider(task: str, number: int) -> Markup:
    """A task's weight; what it makes of the mean is written by the script."""
    name = f"weight-{number}"
    slider = element(
        "input", id=name, type="range", min="0", max=MOST, step=STEP, value="1", autocomplete="off"
    )
    return element(
        "div", element("label", text(task), for_=name), slider, element("output", for_=name)
    )


def _row(analysis: Analysis, across: Across, one: Standing) -> Markup:
    """A method at equal weights, with the numbers that other weights are put on."""
    means = [score(other.mean) for other in across.standings]
    ranks = [f"{other.rank:.2f}" for other in across.standings]
    mean, rank = score(one.mean), f"{one.rank:.2f}"
    place = 1 + sum(float(other) > float(mean) for other in means)
    by_rank = 1 + sum(float(other) < float(rank) for other in ranks)
    return element(
        "tr",
        heading(analysis, one.method),
        number(one.mean, mean),
        number(place, str(place)),
        number(place, str(place)),
        number(one.rank, rank),
        number(by_rank, str(by_rank)),
        data_scores=_numbers(across.scores[one.method]),
        data_ranks=_numbers(across.ranks[one.method]),
    )


def _numbers(values: Sequence[float]) -> str:
    """As they were computed, for the script."""
    return " ".join(map(repr, values))
