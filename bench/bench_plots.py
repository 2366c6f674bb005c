"""The pictures of the benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpu_timing import ratio


def plot_generation(rows: list[dict[str, Any]], path: Path) -> None:
    """Milliseconds of a token against the text's length, a line for each way; bars hold 60 %."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    lengths = [row["length"] for row in rows]
    for name in rows[0]["ms"]:
        middle, low, high = zip(*(row["ms"][name] for row in rows), strict=True)
        below = [m - a for m, a in zip(middle, low, strict=True)]
        above = [b - m for m, b in zip(middle, high, strict=True)]
        axes.errorbar(lengths, middle, yerr=(below, above), marker="o", capsize=3, label=name)
    axes.set(xlabel="tokens of the text so far", ylabel="ms of a new token")
    axes.set_ylim(bottom=0)
    axes.set_xticks(lengths)
    axes.legend()
    figure.savefig(path)
    pyplot.close(figure)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Kernels in two panels, forward and backward; above the line of 1 we are faster.

    A point whose timing is restless is left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 1, figsize=(10, 8), sharex=True, layout="constrained")
    names = sorted({name for row in rows for name in row["times"]} - {"ours"})
    for panel, part in zip(panels, ("forward", "backward"), strict=True):
        for name in names:
            both = [row["times"] for row in rows]
            points = [
                (place, times[name][part][0] / times["ours"][part][0])
                for place, times in enumerate(both)
                if ratio(times.get("ours", {}).get(part), times.get(name, {}).get(part))
                not in ("–", "restless")
            ]
            across, up = [x for x, _ in points], [y for _, y in points]
            panel.plot(across, up, marker="o", linestyle="none", label=name)
        panel.axhline(1.0, color="black", linewidth=0.8)
        panel.set_ylabel(f"{part}: time / ours")
        panel.legend(ncols=3, fontsize="small")
    panels[-1].set_xticks(range(len(rows)), [row["title"] for row in rows], rotation=90)
    figure.savefig(path)
    pyplot.close(figure)
