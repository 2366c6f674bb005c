"""Makes the tables of docs/results.md that are recorded: `python docs/results.py`.

Their figures come from `src/methods/measured.json`, those of the claims from `docs/claims.json`
(`claims` of the run's analysis.json, and its scores), those of `--until decided` from
`docs/until.json` (`pairs`, `looks` and the scores likewise); the sentences between the tables are
written by hand. A test holds that the page in the repository is the one that this makes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tunebench.methods import names
from tunebench.methods._measured import Run, Sweep, Table, measured
from tunebench.report.claims import figure_of

PAGE = Path(__file__).with_name("results.md")
CLAIMS = Path(__file__).with_name("claims.json")
UNTIL = Path(__file__).with_name("until.json")
COST = {
    "trained": "trained",
    "with_head": "with head",
    "latency_ms": "latency ms",
    "ratio": "× base",
    "train_seconds": "train s",
    "peak_mib": "peak MiB",
}
"""What a row costs, by key, and the heading of its column."""
FIGURES = 3
"""Significant figures of seconds and milliseconds."""


def page(text: str) -> str:
    """The page with every recorded table made anew."""
    (glue, further), sweeps = measured()
    for task, table in glue.tasks.items():
        text = _replaced(text, glue.section, f"### {task}\n", 0, _task(table))
    text = _replaced(text, glue.section, "### All tasks\n", 0, _means(glue))
    tables = [_beside(further), *map(_sweep, sweeps)]
    for number, table in enumerate(tables):
        text = _replaced(text, further.section, "", number, table)
    claims = json.loads(CLAIMS.read_text("utf-8"))
    findings = [one for one in claims["claims"] if one["claim"].startswith("C")]
    drawbacks = [one for one in claims["claims"] if one not in findings]
    tables = [_claims(findings), _claims(drawbacks), _arms(claims["arms"])]
    for number, table in enumerate(tables):
        text = _replaced(text, "Claims of the literature", "", number, table)
    until = json.loads(UNTIL.read_text("utf-8"))
    for number, table in enumerate([_looked_at(until), _decided(until)]):
        text = _replaced(text, "Until decided", "", number, table)
    return text


def _replaced(text: str, section: str, below: str, number: int, table: str) -> str:
    """The text with one table of a section replaced: the so-and-so-many-th below a heading."""
    begin = text.index(below, text.index(f"## {section}\n"))
    tables = list(re.finditer(r"(?:^\|.*\n)+", text[begin:], re.MULTILINE))
    first, last = (begin + at for at in tables[number].span())
    return text[:first] + table + text[last:]


def _task(table: Table) -> str:
    """One task's rows, the best method's in bold, baselines last."""
    columns = [key for key in COST if any(key in row for row in table.rows.values())]
    accuracy = any("accuracy" in row for row in table.rows.values())
    head = ["method", table.metric, *(["accuracy"] * accuracy), *(COST[key] for key in columns)]
    scores = {name: row["score"] or 0.0 for name, row in table.rows.items() if name in names()}
    best = max(scores, key=lambda name: scores[name])
    rows = []
    for name, row in table.rows.items():
        cells = [name, _score(row["score"]), *([_score(row.get("accuracy"))] * accuracy)]
        cells += [_cell(key, row.get(key)) for key in columns]
        cells.append("complete" if name in names() else "no training")
        rows.append([f"**{cell}**" for cell in cells] if name == best else cells)
    return _table([*head, "status"], rows)


def _means(run: Run) -> str:
    """Every method's score on each task, and their mean."""
    methods = [name for name in next(iter(run.tasks.values())).rows if name in names()]
    rows = []
    for name in methods:
        scores = [table.rows[name]["score"] or 0.0 for table in run.tasks.values()]
        rows.append([name, *map(_score, scores), _score(fmean(scores))])
    return _table(["method", *run.tasks, "mean"], rows)


def _beside(run: Run) -> str:
    """The rows of several tasks in one table; what differs between them stands with a slash."""
    tables = list(run.tasks.values())
    columns = [key for key in COST if key in next(iter(tables[0].rows.values()))]
    rows = []
    for name in tables[0].rows:
        figures = [table.rows[name] for table in tables]
        cells = [name, *(_score(row["score"]) for row in figures)]
        for key in columns:
            shown = [_cell(key, row[key]) for row in figures]
            cells.append(
                shown[0] if key == "trained" and len(set(shown)) == 1 else " / ".join(shown)
            )
        rows.append(cells)
    return _table(["method", *run.tasks, *(COST[key] for key in columns)], rows)


def _sweep(sweep: Sweep) -> str:
    """One method's scores over a setting."""
    scores = [sweep.metric, *map(_score, sweep.scores.values())]
    return _table([f"{sweep.setting}, {sweep.fixed}", *sweep.scores], [scores])


def _claims(claims: Sequence[Mapping[str, Any]]) -> str:
    """What a run says of some claims."""
    rows = [
        [
            one["claim"],
            one["sentence"],
            one["finding"],
            " ".join(filter(None, (figure_of(one), one["reason"]))),
        ]
        for one in claims
    ]
    head = ["claim", "what it says", "finding", "figure, and what would settle it"]
    return _table(head, rows, rule="---")


def _arms(arms: Sequence[Mapping[str, Any]]) -> str:
    """The scores that the claims rest on."""
    head = ["method", "examples", "epochs", "trained", "each seed", "mean"]
    rows = [
        [
            one["method"],
            f"{one['examples']:,}",
            str(one["epochs"]),
            f"{one['trained']:,}",
            ", ".join(map(_score, one["scores"])),
            _score(fmean(one["scores"])),
        ]
        for one in arms
    ]
    return _table(head, rows)


def _looked_at(until: Mapping[str, Any]) -> str:
    """Each task's methods in the order of their means: mean and deviation, tie groups, costs."""
    rows = []
    for task, one in until["tasks"].items():
        methods = one["methods"]
        for name in sorted(methods, key=lambda name: -fmean(methods[name]["scores"])):
            scores = methods[name]["scores"]
            shown = f"{fmean(scores):.3f} ± {stdev(scores):.3f}"
            trained = _cell("trained", methods[name]["trained"])
            ratio = _cell("ratio", fmean(methods[name]["latency_ratios"]))
            seeds = str(len(scores))
            rows.append([task, name, shown, methods[name]["letters"], seeds, trained, ratio])
    head = ["task", "method", "score", "group", "seeds", COST["trained"], COST["ratio"]]
    return _table(head, rows)


def _decided(until: Mapping[str, Any]) -> str:
    """The pairs that are decided, in the order in which they were."""
    rows = []
    for pair in sorted(until["pairs"], key=lambda pair: (pair["task"], pair["seeds"])):
        if pair["verdict"] != "better":
            continue
        sign = 1 if pair["difference"] > 0 else -1
        better, other = (pair["a"], pair["b"])[::sign]
        low, high = sorted((sign * pair["low"], sign * pair["high"]))
        figure = f"{sign * pair['difference']:+.3f} ({low:+.3f} to {high:+.3f})"
        rows.append([pair["task"], better, other, figure, str(pair["seeds"])])
    return _table(["task", "better", "than", "difference (95 % by itself)", "seeds"], rows)


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _cell(key: str, value: float | None) -> str:
    """A figure of cost; empty where a row has none, as baselines have."""
    if value is None:
        return ""
    if key == "ratio":
        return f"{value:.2f}×"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:#.{FIGURES}g}".rstrip(".")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], rule: str = "---:") -> str:
    lines = [head, ["---", *[rule] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(map(_text, line))} |\n" for line in lines)


def _text(cell: str) -> str:
    """A cell as Markdown shows it."""
    return cell.replace("_", "\\_")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
