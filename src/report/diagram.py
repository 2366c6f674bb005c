"""The critical-difference diagram: mean ranks, and lines between what is not shown to differ."""

from __future__ import annotations

from ..analysis import Analysis
from .drawing import canvas, document, look
from .plots import series
from .svg import MUTED, PAPER, SERIES, embed

ROW = 0.26
"""Inches of height that a method takes."""
AXIS = 0.55
"""Inches below the methods."""
LEFT = 0.27
"""The share of the width that the names take."""
STEP = 0.045
"""The share of the axes' width between two lines of groups."""


def critical_differences(analysis: Analysis, name: str) -> str | None:
    """Methods by mean rank, the best on top, with their intervals; none without groups.

    A group is an upright line that links its members, each with a dot: a method that it passes
    without one is not of it.
    """
    across = analysis.across
    if across is None or not across.groups:
        return None
    ordered = sorted(across.standings, key=lambda one: one.rank)
    rows = {one.method: number for number, one in enumerate(ordered)}
    groups = sorted({letter for letters in across.groups.values() for letter in letters})
    members = [[rows[m] for m, its in across.groups.items() if one in its] for one in groups]
    linked = [sorted(one) for one in members if len(one) > 1]
    looks, hover = series(analysis.comparison.methods), {}
    height = AXIS + ROW * len(ordered)
    with look():
        figure, axes = canvas("mean rank", "")
        figure.set_size_inches(figure.get_figwidth(), height)
        right = 0.98 - STEP * len(linked)
        figure.subplots_adjust(left=LEFT, right=right, bottom=(AXIS - 0.1) / height, top=0.99)
        axes.grid(visible=False, axis="y")
        axes.set_yticks(range(len(ordered)), [one.method for one in ordered], parse_math=False)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(ordered) - 0.5, -0.5)
        axes.set_xlim(0.8, len(ordered) + 0.2)
        for row, one in enumerate(ordered):
            number, marker = looks.get(one.method, (0, "o"))
            colour = SERIES[number]
            if one.rank_low is not None and one.rank_high is not None:
                axes.plot([one.rank_low, one.rank_high], [row, row], color=colour, linewidth=1.2)
            axes.plot(
                [one.rank], [row], color=colour, marker=marker, markersize=7, linestyle="none",
                markeredgecolor=PAPER, markeredgewidth=0.8, zorder=3, gid=f"point{row}",
            )  # fmt: skip
            hover[f"point{row}"] = f"{one.method}: mean rank {one.rank:.1f}"
        shares = axes.get_yaxis_transform()
        for number, group in enumerate(linked):
            place = 1 + STEP * (number + 1)
            axes.plot(
                [place] * len(group), group, color=MUTED, marker="o", markersize=4, linewidth=2.2,
                transform=shares, clip_on=False, gid=f"group{number}",
            )  # fmt: skip
            named = ", ".join(ordered[row].method for row in group)
            hover[f"group{number}"] = f"not shown to differ: {named}"
        return embed(document(figure), name, "Mean ranks and groups of methods", hover)
