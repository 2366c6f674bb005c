"""What the cost lab measured, on the page: latency beside the base model, memory, operations."""

from __future__ import annotations

from ..analysis import Analysis
from ..analysis.lab import Costs, Latencies
from . import latency_map, memory_bars
from .markup import Markup, element
from .tables import text

TITLE = "What the methods cost"


def about(measured: Latencies | Costs) -> str:
    """What the figures belong to."""
    return f"{measured.backbone} on {measured.device}"


def section(analysis: Analysis) -> Markup:
    """The section; nothing where the lab left nothing in the folder."""
    lab = analysis.lab
    if not (lab.latency or lab.costs or lab.problems):
        return Markup()
    of = dict.fromkeys(text(about(one)) for one in (lab.latency, lab.costs) if one)
    problems = [element("li", text(line)) for line in lab.problems]
    return element(
        "section",
        element("h2", TITLE),
        element("p", " · ".join(of), class_="about") if of else Markup(),
        element("ul", *problems, class_="notes") if problems else Markup(),
        latency_map.section(analysis, lab.latency) if lab.latency else Markup(),
        memory_bars.section(analysis, lab.costs) if lab.costs else Markup(),
        id="lab",
    )
