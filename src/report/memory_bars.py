"""The lab's memory of a training step as bars: what is counted, and the measured peak as a mark."""

from __future__ import annotations

from ..analysis import Analysis
from ..analysis.format import ABSENT, short, size
from ..analysis.lab import Cost, Costs, Memory
from .markup import Markup, element, join
from .tables import frame, heading, number, text

TITLE = "Memory of a training step"
HEADER = (
    *("method", "weights", "gradients", "optimizer", "activations", "working"),
    *("counted", "measured peak", "step operations", "serving operations", "adapter file"),
)
BARS = ("method", "bytes", "counted", "measured")
WIDTH, HEIGHT = 400.0, 16.0
"""Of a bar in its own units; the page makes it as wide as there is room."""
MARK = 2.0
"""The width of the mark."""


def cost_texts(cost: Cost) -> tuple[str, ...]:
    """A method's line under `HEADER`."""
    memory = cost.memory
    return (
        cost.method,
        *map(size, memory.parts.values()),
        size(memory.counted),
        measured_text(memory),
        short(cost.training.by_torch),
        short(cost.serving.by_torch),
        size(cost.file),
    )


def measured_text(memory: Memory) -> str:
    """The measured peak, or that there is none."""
    return ABSENT if memory.measured is None else size(memory.measured)


def under(costs: Costs) -> str:
    """What was counted on which batch."""
    each = costs.tokens / costs.texts
    return (
        f"A step of AdamW on {costs.texts} texts of {each:.0f} tokens, at the moment when most is "
        "held, beside the rise of the peak that was measured. Operations of a step forward and "
        "back, and of a pass of the folded network; the adapter file has the head."
    )


def section(analysis: Analysis, costs: Costs) -> Markup:
    """The bars, and all figures as a table."""
    if not costs.costs:
        return Markup()
    memories = [one.memory for one in costs.costs]
    most = max(max(one.counted, one.measured or 0) for one in memories) or 1
    bars = [element("tr", *_bar_cells(analysis, cost, most)) for cost in costs.costs]
    lines = [element("tr", *_cells(analysis, cost)) for cost in costs.costs]
    keys = [
        element("li", element("span", class_=f"swatch part-{i}"), name)
        for i, name in enumerate(memories[0].parts)
    ]
    keys.append(element("li", element("span", class_="swatch peak"), "measured peak"))
    return join(
        element("h3", TITLE),
        frame(BARS, bars, "sortable bars"),
        element("ul", *keys, class_="keys"),
        element("p", under(costs), class_="under"),
        element(
            "details",
            element("summary", "Bytes and operations of each method"),
            frame(HEADER, lines, "sortable"),
        ),
    )


def _bar_cells(analysis: Analysis, cost: Cost, most: int) -> list[Markup]:
    """A method's bar between its name and its two sums."""
    memory = cost.memory
    return [
        heading(analysis, cost.method),
        element("td", _bar(cost, most), class_="left", data_value=repr(memory.counted)),
        number(memory.counted, size(memory.counted)),
        number(memory.measured, measured_text(memory)),
    ]


def _bar(cost: Cost, most: int) -> Markup:
    """The parts of a method's memory, one after the other, and the mark."""
    memory, begin, parts = cost.memory, 0.0, []
    for i, (name, count) in enumerate(memory.parts.items()):
        width = count / most * (WIDTH - MARK)
        parts.append(_rectangle(f"{name}: {size(count)}", begin, width, f"part-{i}"))
        begin += width
    if memory.measured is not None:
        at = memory.measured / most * (WIDTH - MARK)
        parts.append(_rectangle(f"measured peak: {size(memory.measured)}", at, MARK, "mark"))
    counts = ", ".join(f"{name} {size(count)}" for name, count in memory.parts.items())
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{text(cost.method)}: {counts}; measured peak {measured_text(memory)}",
        class_="bar",
    )


def _rectangle(hover: str, x: float, width: float, kind: str) -> Markup:
    """A part of a bar; the mark is as high as the line, parts are lower."""
    top, height = (0.0, HEIGHT) if kind == "mark" else (2.0, HEIGHT - 4)
    return element(
        "rect", element("title", hover), x=f"{x:.2f}", y=f"{top:g}", width=f"{width:.2f}",
        height=f"{height:g}", class_=kind,
    )  # fmt: skip


def _cells(analysis: Analysis, cost: Cost) -> list[Markup]:
    """A method's cells under `HEADER`."""
    memory = cost.memory
    values = (
        *memory.parts.values(), memory.counted, memory.measured, cost.training.by_torch,
        cost.serving.by_torch, cost.file,
    )  # fmt: skip
    _, *shown = cost_texts(cost)
    numbers = [number(value, each) for value, each in zip(values, shown, strict=True)]
    return [heading(analysis, cost.method), *numbers]
