"""Claims of the literature, and what the runs at hand say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..analysis import Analysis
from ..analysis.format import listed
from ..text import plural
from .markup import Markup, element
from .tables import frame, text

if TYPE_CHECKING:
    from ..analysis.claims import Checked
    from ..analysis.claims.estimate import Unit

TITLE = "Claims of the literature on these runs"
HEADER = ("claim", "what it says", "finding", "figure", "what would settle it")
UNDER = (
    "The figure is that of the part of a claim that decides it, with its 95 % interval by itself; "
    "every claim stands for itself. Undecided: neither shown nor ruled out by these runs. "
    "How each is checked: docs/claims.md."
)


def finding_texts(one: Checked) -> tuple[str, ...]:
    """A claim in three columns, for a terminal: name, finding, and everything else."""
    parts = (one.claim.sentence, figure_text(one), one.reason)
    return (one.claim.name, one.finding, " ".join(filter(None, parts)))


def claim_texts(one: Checked) -> tuple[str, ...]:
    """A claim's line under `HEADER`."""
    return (one.claim.name, one.claim.sentence, one.finding, figure_text(one), one.reason or "-")


def figure_text(one: Checked) -> str:
    """The deciding part's figure as a sentence; empty where nothing was tested."""
    return figure_of(one.as_json())


def figure_of(claim: Mapping[str, Any]) -> str:
    """The same of a claim as `analysis.json` has it."""
    if claim["what"] is None:
        return ""
    unit: Unit = claim["unit"]
    figure = written(claim["figure"], unit)
    low, high = claim["low"], claim["high"]
    if low is None:
        interval = " (one value, no interval)"
    else:
        interval = "" if low == high else f" ({written(low, unit)} to {written(high, unit)})"
    parts = claim["parts"]
    several = f"; {claim['parts_that_hold']} of {parts} parts hold" if parts > 1 else ""
    what = f"{claim['what'][:1].upper()}{claim['what'][1:]}"
    return f"{what}: {figure}{interval}{several}; {plural(len(claim['runs']), 'run')}."


def written(value: float, unit: Unit) -> str:
    """A number as its unit has it."""
    if unit == "score":
        return f"{value:+.3f}"
    if unit == "share":
        return f"{100 * value:+.1f} %"
    return f"{value:.3g}×" if unit == "times" else f"{value:.2g}"


def tested(analysis: Analysis) -> tuple[Checked, ...]:
    """The claims that these runs bear on."""
    return tuple(one for one in analysis.claims if one.finding != "not tested")


def untested_line(analysis: Analysis) -> str:
    """Which claims they do not bear on; empty where there are none."""
    names = [one.claim.name for one in analysis.claims if one.finding == "not tested"]
    return f"Not tested by these runs: {listed(names)}." if names else ""


def section(analysis: Analysis) -> Markup:
    """The table on the page; nothing where no claim was tested."""
    findings = tested(analysis)
    if not findings:
        return Markup()
    lines = []
    for one in findings:
        name, *rest = claim_texts(one)
        cells = [element("td", text(cell)) for cell in rest]
        lines.append(element("tr", element("th", text(name), scope="row"), *cells))
    below = " ".join(filter(None, (UNDER, untested_line(analysis))))
    table = frame(HEADER, lines, "text", below)
    return element("section", element("details", element("summary", TITLE), table), id="claims")
