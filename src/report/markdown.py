"""report.md: the tables and what they rest on, for a README, an issue or a code review."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis import Analysis, Column, TaskAnalysis
from ..analysis.format import listed, score
from ..analysis.lab import FORMS
from ..analysis.rows import Mean, Row
from ..analysis.studies import StudyAnalysis, settings_line
from . import (
    across,
    budget,
    by_size,
    calibration,
    claims,
    disagreements,
    lab,
    latency_map,
    memory_bars,
    published,
    tuning,
    verdict,
)
from .markdown_text import bullets, code, escape, table
from .pareto import membership_line
from .study import HEADINGS, search_lines, trial_texts
from .tables import CLASS_HEADER

if TYPE_CHECKING:
    from ..analysis.lab import Latencies
    from ..analysis.verdict import Across

MOST_CLASSES = 10
"""Of more classes a table of text would be longer than the rest of the report."""


def text(analysis: Analysis) -> str:
    """The whole file, ended by one line break."""
    parts = [f"# {escape(analysis.title)}", escape(analysis.answer), _basis(analysis)]
    if len(analysis.tasks) > 1 and not analysis.searched_only:
        parts += ["## All tasks", _overview(analysis), *_across(analysis)]
    if analysis.searched_only:
        for study in analysis.studies:
            parts += _study(study)
    else:
        for task in analysis.tasks:
            parts += _task(task, only_task=len(analysis.tasks) == 1)
        parts += ["## Hyperparameters chosen", _chosen(analysis)]
    parts += [*_lab(analysis), *_sizes(analysis), *_claims(analysis)]
    parts += ["## How to read the tables", bullets(analysis.reading)]
    parts += ["## Repeat it", code(analysis.comparison.command), bullets(analysis.facts)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _basis(analysis: Analysis) -> str:
    """Data, budget and the plan's sum."""
    data = [("Data", f"{source} ({listed(tasks)})") for source, tasks in analysis.sources.items()]
    left_out = [("Left out", analysis.left_out)] if analysis.left_out else []
    cells = [] if analysis.searched_only else [("Cells", analysis.tally_line)]
    return bullets([*data, *left_out, ("Budget", analysis.budget), *cells])


def _study(study: StudyAnalysis) -> list[str]:
    """One search: its trials, the best settings, and what they carry."""
    lines = [list(trial_texts(study, trial)) for trial in study.trials]
    bold = [i for i, trial in enumerate(study.trials) if trial is study.best]
    best = study.best
    return [
        f"## {escape(study.name)}",
        table(HEADINGS, lines, bold),
        "" if best is None else escape(f"Best settings: {settings_line(best.params)}"),
        escape(study.caution),
        *map(escape, search_lines(study)),
    ]


def _overview(analysis: Analysis) -> str:
    """Methods against tasks."""
    lines = [
        [
            each.method,
            *(_score(row.score) for row in each.rows),
            score(each.mean) if each.mean is not None else "-",
        ]
        for each in analysis.overview
    ]
    return table(["method", *(task.task for task in analysis.tasks), "mean"], lines)


def _across(analysis: Analysis) -> list[str]:
    """All tasks together; nothing without stored answers."""
    over_all = analysis.across
    if over_all is None:
        return []
    lines = [across.standing_texts(one) for one in over_all.standings]
    pairs = [across.pair_texts(over_all, pair) for pair in across.first_pairs(over_all)]
    new = [f"### {across.NEW_TITLE}", table(across.NEW_HEADER, pairs), across.UNDER_NEW]
    return [
        f"### {across.TITLE}",
        table(across.HEADER, lines),
        escape(across.under(over_all)),
        *(new if pairs else []),
        across.new_task_line(over_all),
        escape(across.diagram_line(over_all)) if not over_all.drawn else _groups(over_all),
    ]


def _groups(over_all: Across) -> str:
    """What the page draws, in words."""
    named = [f"{method} ({letters})" for method, letters in over_all.groups.items()]
    return escape(
        f"Over the tasks (Wilcoxon's signed-rank test of each pair, Holm), methods that share a "
        f"letter are not shown to differ: {listed(named)}. report.html has the diagram."
    )


def _task(task: TaskAnalysis, *, only_task: bool) -> list[str]:
    """One task: heading, table, margin, notes."""
    columns = task.columns("markdown")
    lines = [_line(row, columns) for row in task.rows]
    bold = [i for i, row in enumerate(task.rows) if task.is_best(row)]
    return [
        f"## {escape(task.task)}",
        escape(task.source),
        table(["method", *map(task.heading, columns), "status"], lines, bold),
        escape(task.margin_line),
        *_verdict(task, only_task=only_task),
        escape(membership_line(task)),
        *_tuning(task),
        *_budget(task),
        bullets(("", note) for note in task.notes),
        *_classes(task),
        *_calibration(task),
        *_disagreements(task),
        *_published(task),
    ]


def _verdict(task: TaskAnalysis, *, only_task: bool) -> list[str]:
    """Every pair of methods; nothing where no answers are stored."""
    texts = [escape(each) for each in verdict.about(task, only_task=only_task)]
    lines = [verdict.pair_texts(pair, sign) for pair, sign in verdict.pairs_of(task)]
    if not texts and not lines:
        return []
    shown = table(verdict.HEADER, lines) if lines else ""
    return [f"### {verdict.TITLE}", *texts, shown, verdict.under(task)]


def _tuning(task: TaskAnalysis) -> list[str]:
    """What tuning gained; nothing where nothing was searched."""
    studies = tuning.shown(task)
    parts = [f"### {tuning.TITLE}"]
    if task.searches:
        lines = [tuning.search_texts(one) for one in task.searches]
        parts += [table(tuning.SEARCHES_HEADER, lines), tuning.UNDER_SEARCHES]
    if studies:
        lines = [tuning.tuning_texts(one) for one in studies]
        parts += [table(tuning.HEADER, lines), escape(tuning.under(studies))]
    return parts if len(parts) > 1 else []


def _budget(task: TaskAnalysis) -> list[str]:
    """What every method may use; nothing where no study is known."""
    if not task.budgets:
        return []
    lines = [budget.budget_texts(one) for one in task.budgets]
    shown = table(budget.HEADER, lines)
    return [f"### {budget.TITLE}", escape(budget.sentence(task)), shown, budget.UNDER]


def _calibration(task: TaskAnalysis) -> list[str]:
    """Each method's calibration; nothing where no probabilities are stored."""
    if not task.calibrations:
        return []
    lines = [calibration.calibration_texts(one) for one in task.calibrations]
    return [f"### {calibration.TITLE}", table(calibration.HEADER, lines), calibration.UNDER]


def _disagreements(task: TaskAnalysis) -> list[str]:
    """Where the methods disagree; nothing where no two compare."""
    where = task.disagreements
    if where is None:
        return []
    counts = [disagreements.count_texts(where, method) for method in where.methods]
    named = [disagreements.example_texts(one) for one in where.chosen]
    return [
        f"### {disagreements.TITLE}",
        table(disagreements.count_header(where), counts),
        disagreements.COUNTED,
        escape(where.summary) + " " + disagreements.how_to_read_texts(where),
        table(disagreements.HEADER, named) if named else "",
    ]


def _published(task: TaskAnalysis) -> list[str]:
    """Published figures beside ours; nothing where none is comparable."""
    if not task.published:
        return []
    lines = [published.published_texts(one) for one in task.published]
    return [f"### {published.TITLE}", table(published.HEADER, lines), published.UNDER]


def _lab(analysis: Analysis) -> list[str]:
    """What the cost lab measured; nothing where it left nothing in the folder."""
    measured = analysis.lab
    parts = [bullets(("", line) for line in measured.problems)]
    if measured.latency is not None:
        parts += _latency(measured.latency)
    if measured.costs is not None and measured.costs.costs:
        lines = [memory_bars.cost_texts(one) for one in measured.costs.costs]
        parts += [
            f"### {memory_bars.TITLE}",
            escape(lab.about(measured.costs)),
            table(memory_bars.HEADER, lines),
            memory_bars.under(measured.costs),
        ]
    return [f"## {lab.TITLE}", *parts] if any(parts) else []


def _latency(latency: Latencies) -> list[str]:
    """A table of ratios with their intervals for each kind of pass."""
    parts = [escape(lab.about(latency))]
    for kind in latency_map.kinds_of(latency):
        lines = [
            (method, FORMS[form], *map(latency_map.cell_text, points))
            for method, form, points in latency_map.rows(latency, kind)
        ]
        shown = table(latency_map.header(latency, kind), lines)
        parts += [f"### Latency × base: {kind}", shown]
    return [*parts, latency_map.UNDER, bullets(("", line) for line in latency_map.missing(latency))]


def _sizes(analysis: Analysis) -> list[str]:
    """Scores by training examples; nothing where no method ran with several sizes."""
    parts = [f"## {by_size.TITLE}"] if analysis.sizes else []
    for curves in by_size.tables_of(analysis):
        lines = [by_size.texts(one, by_size.sizes_of(curves)) for one in curves]
        shown = table(by_size.header(curves), lines)
        parts += [f"### {escape(curves[0].task)}", shown, escape(by_size.under(curves))]
    return parts


def _claims(analysis: Analysis) -> list[str]:
    """What the runs say of the literature's claims; nothing where no claim was tested."""
    findings = claims.tested(analysis)
    if not findings:
        return []
    shown = table(claims.HEADER, [claims.claim_texts(one) for one in findings])
    return [f"## {claims.TITLE}", shown, claims.UNDER, escape(claims.untested_line(analysis))]


def _classes(task: TaskAnalysis) -> list[str]:
    """Precision, recall and F1 of each class; of many classes only that the page has them."""
    count = len({one.label for one in task.classes})
    if not count:
        return []
    if count > MOST_CLASSES:
        return [f"Precision, recall and F1 of the {count} classes stand in report.html."]
    lines = [
        [
            one.label,
            one.method,
            str(one.examples),
            *map(_score, (one.precision, one.recall, one.f1)),
        ]
        for one in task.classes
    ]
    return ["### Each class", table(CLASS_HEADER, lines)]


def _line(row: Row, columns: Sequence[Column]) -> list[str]:
    """A row's cells as text; how its cells ended stands last."""
    numbers = [_number(row, column) for column in columns]
    if not row.trained:
        return [row.name, *numbers, "no training"]
    ended = [f"{f.where}: {f.status} {f.reason}" for f in row.failures]
    status = f"{row.complete} of {row.planned} complete" if ended else "complete"
    return [row.name, *numbers, "; ".join([status, *ended, *row.remarks])]


def _number(row: Row, column: Column) -> str:
    """One number; a dash for a score that is not there, nothing for a cost that cannot be."""
    if column.text:
        return row.texts.get(column.name, "")
    mean = row.values.get(column.name)
    if mean is not None:
        return column.shown(mean.value, mean.spread, "markdown", mean.interval)
    if column.quality:
        return "-"
    return row.absent(column.name)


def _score(mean: Mean | None) -> str:
    """A score, or a dash where the row has none."""
    return "-" if mean is None else score(mean.value, mean.spread)


def _chosen(analysis: Analysis) -> str:
    """The hyperparameters of each study's best trial."""
    lines = [[task.task, *line] for task in analysis.tasks for line in task.chosen]
    return table(["task", "method", "trial", "hyperparameters"], lines) if lines else "None yet."
