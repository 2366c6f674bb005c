"""report.html: one file that needs nothing else, on a screen by day or night, a phone, or paper."""

from __future__ import annotations

from collections.abc import Mapping

from ..analysis import Analysis, TaskAnalysis
from ..analysis.studies import StudyAnalysis, settings_line
from ..text import one_line
from . import (
    across,
    budget,
    by_size,
    calibration,
    claims,
    disagreements,
    lab,
    plots,
    published,
    tables,
    tuning,
    verdict,
)
from .markup import Markup, element
from .pareto import membership_line
from .repeat import reading, repeat
from .scores import scores, training
from .script import SCRIPT
from .study import search_lines
from .style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""What the browser lets the page load: nothing from anywhere."""


def text(analysis: Analysis, run_ids: Mapping[str, str]) -> str:
    """The whole page."""
    many = len(analysis.tasks) > 1 and not analysis.searched_only
    if analysis.searched_only:
        sections = [_study(study, i) for i, study in enumerate(analysis.studies)]
    else:
        sections = [_task(analysis, task, i) for i, task in enumerate(analysis.tasks)]
    parts = [
        _top(analysis),
        *([_navigation(analysis), _overview(analysis)] if many else []),
        *sections,
        lab.section(analysis),
        by_size.section(analysis),
        claims.section(analysis),
        reading(analysis),
        repeat(analysis, run_ids),
        element("footer", f"Made by tunebench from {one_line(analysis.comparison.id)}."),
    ]
    body = element("body", element("main", *parts), element("script", Markup(SCRIPT)))
    return f"<!doctype html>\n{element('html', _head(analysis), body, lang='en')}\n"


def _head(analysis: Analysis) -> Markup:
    """What the browser needs to know first."""
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        # Browsers ask a server for an icon unless the page names one.
        Markup('<link rel="icon" href="data:,">'),
        element("title", f"{tables.text(analysis.title)} · tunebench"),
        element("style", Markup(STYLE)),
    )


def _top(analysis: Analysis) -> Markup:
    """Title, answer, and what they rest on."""
    counts = analysis.tally
    done, planned = counts["complete"], sum(counts.values())
    tuned = "badge warn" if analysis.barely_tuned else "badge"
    badges = [("badge warn", source) for source in analysis.sources]
    badges += [(tuned, analysis.budget)]
    if analysis.searched_only:
        done = sum(len(study.trials) - study.failed for study in analysis.studies)
        planned = sum(len(study.trials) for study in analysis.studies)
    noun = "trials" if analysis.searched_only else "cells"
    badges += [
        (
            "badge" if done == planned else "badge bad",
            f"{done} of {planned} {noun} complete",
        )
    ]
    shown = [element("li", tables.text(label), class_=kind) for kind, label in badges]
    left_out = tables.text(f"Left out: {analysis.left_out}") if analysis.left_out else ""
    return element(
        "header",
        element("p", tables.text(_setting(analysis)), class_="eyebrow"),
        element("h1", tables.text(analysis.title)),
        element("p", tables.text(analysis.leaders), class_="answer"),
        element("p", tables.text(analysis.doubts), class_="doubt"),
        element("p", left_out, class_="doubt left-out") if left_out else Markup(),
        element("ul", *shown, class_="badges"),
    )


def _setting(analysis: Analysis) -> str:
    """Backbone, device and day in one line."""
    done = [cell.result for cell in analysis.cells if cell.result.status == "complete"]
    named = dict.fromkeys(name for r in done for name in (r.backbone, r.device))
    return " · ".join(filter(None, ("tunebench", *named, analysis.comparison.created[:10])))


def _navigation(analysis: Analysis) -> Markup:
    """Links to the tasks."""
    links = [
        element("a", tables.text(task.task), href=f"#task-{i}")
        for i, task in enumerate(analysis.tasks)
    ]
    return element("nav", *links, element("a", "Repeat it", href="#repeat"), aria_label="Tasks")


def _overview(analysis: Analysis) -> Markup:
    """All tasks side by side."""
    about = element("p", "Score of each method on each task", class_="about")
    return element(
        "section",
        element("h2", "All tasks"),
        about,
        tables.overview(analysis),
        across.section(analysis),
    )


def _task(analysis: Analysis, task: TaskAnalysis, number: int) -> Markup:
    """One task: table, drawings, choices, notes."""
    costs = [
        ("Score against trained weights", plots.against_parameters),
        ("Score against latency", plots.against_latency),
    ]
    drawn = [
        _figure(caption, draw(analysis, task, f"t{number}{i}"))
        for i, (caption, draw) in enumerate(costs)
    ]
    notes = [element("li", tables.text(note)) for note in task.notes]
    on_front = membership_line(task)
    return element(
        "section",
        element("h2", tables.text(task.task)),
        element("p", _about(task), class_="about"),
        scores(analysis, task),
        verdict.section(analysis, task),
        tuning.section(analysis, task),
        budget.section(analysis, task),
        training(analysis, task),
        tables.classes(analysis, task) or Markup(),
        calibration.section(analysis, task),
        disagreements.section(analysis, task),
        published.section(analysis, task),
        element("ul", *notes, class_="notes") if notes else Markup(),
        _pair(*drawn),
        element("p", tables.text(on_front), class_="under") if on_front else Markup(),
        _pair(_learning(analysis, task, number), _choices(analysis, task)),
        id=f"task-{number}",
    )


def _study(study: StudyAnalysis, number: int) -> Markup:
    """One search: its trials, their scores and curves, and the best settings."""
    best = study.best
    chosen = Markup() if best is None else element("p", tables.text(settings_line(best.params)))
    return element(
        "section",
        element("h2", tables.text(study.name)),
        element("p", "judged on validation rows; the test split was not touched", class_="about"),
        element("h3", "Best settings") if best is not None else Markup(),
        chosen,
        tables.trials(study),
        *(element("p", tables.text(line), class_="under") for line in search_lines(study)),
        tuning.curves([study], [study.study.method]),
        tuning.epochs([study], [study.study.method]),
        _pair(
            _figure("Validation score", plots.scores_by_trial(study, f"s{number}scores")),
            _figure("Training loss", plots.trial_curves(study, f"s{number}curves")),
        ),
        id=f"task-{number}",
    )


def _about(task: TaskAnalysis) -> str:
    """Metric, test examples and source of a task in one line."""
    examples = max((row.test_examples for row in task.rows), default=0)
    tested = f"{examples:,} test examples" if examples else ""
    return tables.text(" · ".join(filter(None, (task.metric, tested, task.source))))


def _learning(analysis: Analysis, task: TaskAnalysis, number: int) -> Markup:
    """The learning curves, with the methods' colours below."""
    drawing = plots.curves(analysis, task, f"t{number}curves")
    keys = [
        element("li", tables.swatch(analysis, method), tables.text(method))
        for method in analysis.comparison.methods
    ]
    return _figure("Training loss", drawing, element("ul", *keys, class_="keys"))


def _choices(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """The hyperparameters beside the curves that they led to."""
    table = tables.choices(analysis, task)
    return element("div", element("h3", "Hyperparameters chosen"), table) if table else Markup()


def _figure(caption: str, drawing: str | None, *more: str) -> Markup:
    """A drawing under its caption; nothing where there was nothing to draw."""
    if drawing is None:
        return Markup()
    return element("figure", element("figcaption", caption), Markup(drawing), *more)


def _pair(*parts: str) -> Markup:
    """Parts side by side where the screen is wide enough."""
    shown = [part for part in parts if part]
    return element("div", *shown, class_="pair") if shown else Markup()
