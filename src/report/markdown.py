"""report.md: the tables and what they rest on, for a README, an issue or a code review."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..analysis import words
from ..analysis.answer import answer, budget_words, sources
from ..analysis.facts import READING, chosen, facts
from ..analysis.leads import averages, lead, margin_line
from ..analysis.rows import Mean, Row, rows, tally_line
from ..records import Comparison

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def text(comparison: Comparison) -> str:
    """The whole file, ended by one line break."""
    parts = [
        f"# {escape(title(comparison))}",
        escape(answer(comparison)),
        _basis(comparison),
    ]
    if len(comparison.tasks) > 1:
        parts += ["## All tasks", _overview(comparison)]
    for task in comparison.tasks:
        parts += _task(comparison, task)
    parts += ["## Hyperparameters chosen", _chosen(comparison)]
    parts += ["## How to read the tables", _bullets(READING)]
    parts += ["## Repeat it", _code(comparison.command), _bullets(facts(comparison))]
    return "\n\n".join(filter(None, parts)) + "\n"


def title(comparison: Comparison) -> str:
    """What was compared: "8 methods on 5 tasks"."""
    methods = words.plural(len(comparison.methods), "method")
    tasks = words.plural(len(comparison.tasks), "task")
    where = comparison.tasks[0] if len(comparison.tasks) == 1 else tasks
    return f"{methods[0].upper()}{methods[1:]} on {where}"


def escape(text: str) -> str:
    """One line in which no character means anything to Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", words.redact(words.one_line(text)))


def _basis(comparison: Comparison) -> str:
    """Data, budget and the plan's sum."""
    data = [
        ("Data", f"{source} ({words.listed(tasks)})")
        for source, tasks in sources(comparison).items()
    ]
    return _bullets(
        [*data, ("Budget", budget_words(comparison)), ("Cells", tally_line(comparison))]
    )


def _overview(comparison: Comparison) -> str:
    """Methods against tasks."""
    lines = [
        [
            method,
            *(_score(row.score) for row in own),
            words.score(mean) if mean is not None else "-",
        ]
        for method, own, mean in averages(comparison)
    ]
    return _table(["method", *comparison.tasks, "mean"], lines)


def _task(comparison: Comparison, task: str) -> list[str]:
    """One task: heading, table, margin, notes."""
    table = rows(comparison, task)
    source = comparison.sources.get(task, "unknown data")
    metric = table[0].metric if table else ""
    apart = metric != "accuracy"
    header = [
        "method",
        metric or "score",
        *(["accuracy"] if apart else []),
        "trained",
        "with head",
        "stored",
        "latency ms",
        "× bare",
        "train s",
        "peak MiB",
        "status",
    ]
    ahead = lead(table)
    lines = [_line(row, apart) for row in table]
    bold = [i for i, row in enumerate(table) if ahead is not None and row is ahead.row]
    notes = _bullets(("", note) for note in comparison.notes.get(task, ()))
    shown = _table(header, lines, bold)
    return [
        f"## {escape(task)}",
        escape(source),
        shown,
        escape(margin_line(table)),
        notes,
    ]


def _line(row: Row, apart: bool) -> list[str]:
    """A row's cells as text; accuracy apart from the score where it is another number."""
    scores = [_score(row.score), *([_score(row.accuracy)] if apart else [])]
    if not row.trained:
        return [row.name, *scores, *[""] * 7, "no training"]
    ended = [f"seed {', '.join(map(str, f.seeds))}: {f.status} {f.reason}" for f in row.failures]
    status = f"{row.complete} of {row.planned} complete" if ended else "complete"
    numbers = [
        words.thousands(row.trainable_params),
        words.thousands(row.trainable_params_with_head),
        words.thousands(row.stored_params),
        words.significant(row.latency_ms),
        words.ratio(row.latency_ratio),
        words.significant(row.train_seconds),
        words.thousands(row.peak_memory_mib),
    ]
    shown = numbers if row.complete else [""] * len(numbers)
    return [row.name, *scores, *shown, "; ".join([status, *ended])]


def _score(mean: Mean | None) -> str:
    """A score, or a dash where the row has none."""
    return "-" if mean is None else words.score(mean.value, mean.spread)


def _chosen(comparison: Comparison) -> str:
    """The winner's hyperparameters of each study."""
    lines = [list(line) for line in chosen(comparison)]
    return _table(["task", "method", "trial", "hyperparameters"], lines) if lines else "None yet."


def _table(header: Sequence[str], lines: Sequence[Sequence[str]], bold: Sequence[int] = ()) -> str:
    """A table in GitHub's manner; the first column is text, the others are numbers."""
    shown = [[escape(cell) for cell in line] for line in lines]
    for index in bold:
        shown[index] = [f"**{cell}**" if cell else "" for cell in shown[index]]
    rule = ["---", *["---:"] * (len(header) - 1)]
    every = [[escape(cell) for cell in header], rule, *shown]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def _bullets(items: Iterable[tuple[str, str]]) -> str:
    """A list of named facts."""
    return "\n".join(
        f"- {escape(name)}: {escape(value)}" if name else f"- {escape(value)}"
        for name, value in items
    )


def _code(command: str) -> str:
    """The command as a block; the fence is longer than any run of backticks inside."""
    line = words.redact(words.one_line(command))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence}\n{line}\n{fence}"
