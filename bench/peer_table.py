"""From trainings to a table: differences in score, their standard errors, verdicts.

A cell's difference is the mean over seeds of our score less PEFT's. Its standard error counts seeds
and test rows as two crossed random factors. A score that is no mean over rows (Pearson, Spearman)
becomes one by the delete-a-group jackknife: with test rows in G groups, the pseudo-value of group g
is G s - (G - 1) s_(-g), s_(-g) the score without the group (Quenouille 1956; Tukey 1958). On the
S × G table of pseudo-values' differences two-way analysis of variance gives

    var = (B + max(0, A - E)) / (S G)

A, B and E being the mean squares of seeds, of groups and of what is left (Searle et al. 1992, §4):
what rows give, and what seeds add. Cut off at zero, it errs to the wide side where seeds add
nothing. Cells of a task share rows and seeds: their tables are averaged before this; tasks count
as independent. With one seed only the rows count, and the table says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tunebench.data.tasks import Task
from tunebench.objectives import get_objective

GROUPS = 100
CELL_BAR, OVERALL_BAR = 3, 2
"""How many standard errors below zero a cell, or the mean of all, may lie."""
ROUNDING = 5e-5
"""Where both sides are one computation (head, full) what differs is rounding, and so is its SE."""

Table = NDArray[np.float64]


def pseudo_values(task: Task, answers: Sequence[float], labels: Sequence[float]) -> Table:
    """The score's pseudo-value of each group of test rows."""
    count, objective = min(GROUPS, len(labels)), get_objective(task.objective)

    def scored(rows: Sequence[int]) -> float:
        predictions, truth = [answers[row] for row in rows], [labels[row] for row in rows]
        return objective.mean_score(task, objective.score(task, predictions, truth))

    whole = scored(range(len(labels)))
    without = [
        scored([row for row in range(len(labels)) if row % count != group])
        for group in range(count)
    ]
    return count * whole - (count - 1) * np.array(without)


def standard_error(table: Table) -> float:
    """Of the mean of a table of seeds by groups."""
    seeds, groups = table.shape
    by_seed, by_group, mean = table.mean(1), table.mean(0), table.mean()
    b = seeds * float(((by_group - mean) ** 2).sum()) / (groups - 1)
    if seeds == 1:
        return math.sqrt(b / groups)
    a = groups * float(((by_seed - mean) ** 2).sum()) / (seeds - 1)
    left = table - by_seed[:, None] - by_group + mean
    e = float((left**2).sum()) / ((seeds - 1) * (groups - 1))
    return math.sqrt((b + max(0.0, a - e)) / (seeds * groups))


def summary(records: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Every cell of which a seed is done on both sides, and their mean.

    Args:
        records: Trainings, as `peer_scores.run` gives them.
        tasks: By the name that cells have them under.
    """
    rows, tables = [], {}
    for cell in dict.fromkeys(record["cell"] for record in records):
        done = {
            (record["side"], record["seed"]): record for record in records if record["cell"] == cell
        }
        seeds = sorted(seed for side, seed in done if side == "ours" and ("peft", seed) in done)
        if not seeds:
            continue
        pairs = [(done["ours", seed], done["peft", seed]) for seed in seeds]
        tables[cell] = differences(tasks[cell.split("/")[1]], pairs)
        rows.append({"cell": cell, "seeds": seeds} | compared(pairs, tables[cell]))
    return {"cells": rows, "overall": overall(rows, tables)}


def differences(task: Task, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Table:
    """Ours less peer: pseudo-values by seed and group."""
    sides = ([pseudo_values(task, r["answers"], r["labels"]) for r in pair] for pair in pairs)
    return np.stack([ours - peer for ours, peer in sides])


def compared(
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], table: Table
) -> dict[str, Any]:
    """A cell's scores, their difference, its standard error and the verdict."""
    ours, peer = ([pair[side]["score"] for pair in pairs] for side in (0, 1))
    difference = float(np.mean(ours) - np.mean(peer))
    error = standard_error(table)
    return {
        "ours": ours,
        "peft": peer,
        "difference": difference,
        "standard_error": error,
        "below": difference < -max(CELL_BAR * error, ROUNDING),
    }


def overall(rows: Sequence[Mapping[str, Any]], tables: Mapping[str, Table]) -> dict[str, Any]:
    """The mean difference over cells; its standard error over the seeds that all cells have."""
    if not rows:
        return {}
    seeds = set.intersection(*(set(row["seeds"]) for row in rows))
    tasks: dict[str, list[Table]] = {}
    for row in rows:
        kept = [place for place, seed in enumerate(row["seeds"]) if seed in seeds]
        tasks.setdefault(row["cell"].split("/")[1], []).append(tables[row["cell"]][kept])
    means: dict[str, Any] = {
        "cells": len(rows),
        "difference": float(np.mean([row["difference"] for row in rows])),
        "seeds": sorted(seeds),
    }
    if seeds:
        parts = [standard_error(np.sum(t, axis=0) / len(rows)) for t in tasks.values()]
        means["standard_error"] = math.hypot(*parts)
        margin = max(OVERALL_BAR * means["standard_error"], ROUNDING)
        means["below"] = means["difference"] < -margin
    return means


def markdown(results: Mapping[str, Any], wanted: Sequence[str], seeds: Sequence[int]) -> str:
    """The cells in a table, then the mean of all, then what is missing."""
    lines = ["| task | method | seeds | ours | PEFT | difference | SE | verdict |"]
    lines.append("| --- | --- | --- | ---: | ---: | ---: | ---: | --- |")
    for row in results["cells"]:
        method, task = row["cell"].split("/")
        ours, peer = np.mean(row["ours"]), np.mean(row["peft"])
        numbers = f"{ours:.3f} | {peer:.3f} | {signed(row['difference'])} | "
        verdict = f"{'' if row['below'] else 'not '}below by more than {CELL_BAR} SE"
        done = ", ".join(map(str, row["seeds"]))
        name = method.replace("_", "\\_")
        error = f"{row['standard_error']:.4f}"
        lines.append(f"| {task} | {name} | {done} | {numbers}{error} | {verdict} |")
    return "\n".join([*lines, "", *remarks(results, wanted, seeds)]) + "\n"


def signed(difference: float) -> str:
    """Four decimals, and no minus before a zero."""
    return f"{round(difference, 4) + 0.0:+.4f}"


def remarks(results: Mapping[str, Any], wanted: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """The mean of all cells, what is not done, and what one seed cannot say."""
    mean, lines = results["overall"], []
    if "below" in mean:
        margin = OVERALL_BAR * mean["standard_error"]
        word = "below" if mean["below"] else "not below"
        lines.append(
            f"Mean difference over {mean['cells']} cells {signed(mean['difference'])}, "
            f"{OVERALL_BAR} SE {margin:.4f}: {word} zero by more than that."
        )
    done = {row["cell"]: row["seeds"] for row in results["cells"]}
    missing = [cell for cell in wanted if set(seeds) - set(done.get(cell, ()))]
    if missing:
        lines.append(f"Not all seeds {list(seeds)} done: {', '.join(missing)}.")
    if any(len(row["seeds"]) == 1 for row in results["cells"]):
        lines.append("Where there is one seed, the SE is that of the test rows alone.")
    return lines
