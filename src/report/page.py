"""report.html: one file that needs nothing else, on a screen by day or night, a phone, or paper."""

from __future__ import annotations

from collections.abc import Mapping

from ..analysis import words
from ..analysis.answer import budget_words, doubts, is_barely_tuned, leaders, sources
from ..analysis.rows import Row, rows, tally
from ..records import Comparison
from . import plots, tables
from .markdown import title
from .markup import Markup, element
from .repeat import reading, repeat
from .scores import scores
from .style import SCRIPT, STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""What the browser lets the page load: nothing from anywhere."""


def text(comparison: Comparison, run_ids: Mapping[str, str]) -> str:
    """The whole page."""
    many = len(comparison.tasks) > 1
    parts = [
        _top(comparison),
        *([_navigation(comparison), _overview(comparison)] if many else []),
        *[_task(comparison, task, i) for i, task in enumerate(comparison.tasks)],
        reading(),
        repeat(comparison, run_ids),
        element("footer", f"Made by tunebench from {words.one_line(comparison.id)}."),
    ]
    body = element("body", element("main", *parts), element("script", Markup(SCRIPT)))
    return f"<!doctype html>\n{element('html', _head(comparison), body, lang='en')}\n"


def _head(comparison: Comparison) -> Markup:
    """What the browser needs to know first."""
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        # Browsers ask a server for an icon unless the page names one.
        Markup('<link rel="icon" href="data:,">'),
        element("title", f"{tables.text(title(comparison))} · tunebench"),
        element("style", Markup(STYLE)),
    )


def _top(comparison: Comparison) -> Markup:
    """Title, answer, and what they rest on."""
    counts = tally(comparison)
    done, planned = counts["complete"], sum(counts.values())
    tuned = "badge warn" if is_barely_tuned(comparison) else "badge"
    badges = [("badge warn", source) for source in sources(comparison)]
    badges += [(tuned, budget_words(comparison))]
    badges += [
        (
            "badge" if done == planned else "badge bad",
            f"{done} of {planned} cells complete",
        )
    ]
    shown = [element("li", tables.text(told), class_=kind) for kind, told in badges]
    return element(
        "header",
        element("p", tables.text(_setting(comparison)), class_="eyebrow"),
        element("h1", tables.text(title(comparison))),
        element("p", tables.text(leaders(comparison)), class_="answer"),
        element("p", tables.text(doubts(comparison)), class_="doubt"),
        element("ul", *shown, class_="badges"),
    )


def _setting(comparison: Comparison) -> str:
    """Backbone, device and day in one line."""
    done = [r for r in comparison.results if r.status == "complete"]
    named = dict.fromkeys(name for r in done for name in (r.backbone, r.device))
    return " · ".join(filter(None, ("tunebench", *named, comparison.created[:10])))


def _navigation(comparison: Comparison) -> Markup:
    """Links to the tasks."""
    links = [
        element("a", tables.text(task), href=f"#task-{i}")
        for i, task in enumerate(comparison.tasks)
    ]
    return element("nav", *links, element("a", "Repeat it", href="#repeat"), aria_label="Tasks")


def _overview(comparison: Comparison) -> Markup:
    """All tasks side by side."""
    about = element("p", "Score of each method on each task", class_="about")
    return element("section", element("h2", "All tasks"), about, tables.overview(comparison))


def _task(comparison: Comparison, task: str, number: int) -> Markup:
    """One task: table, drawings, choices, notes."""
    table = rows(comparison, task)
    costs = [
        ("Score against trained weights", plots.against_parameters),
        ("Score against latency", plots.against_latency),
    ]
    drawn = [
        _figure(caption, draw(comparison, task, f"t{number}{i}"))
        for i, (caption, draw) in enumerate(costs)
    ]
    notes = [element("li", tables.text(note)) for note in comparison.notes.get(task, ())]
    return element(
        "section",
        element("h2", tables.text(task)),
        element("p", _about(comparison, task, table), class_="about"),
        scores(comparison, table),
        element("ul", *notes, class_="notes") if notes else Markup(),
        _pair(*drawn),
        _pair(_learning(comparison, task, number), _choices(comparison, task)),
        id=f"task-{number}",
    )


def _about(comparison: Comparison, task: str, table: list[Row]) -> str:
    """Metric, test examples and source of a task in one line."""
    metric = table[0].metric if table else ""
    examples = max((row.test_examples for row in table), default=0)
    tested = f"{examples:,} test examples" if examples else ""
    source = comparison.sources.get(task, "unknown data")
    return tables.text(" · ".join(filter(None, (metric, tested, source))))


def _learning(comparison: Comparison, task: str, number: int) -> Markup:
    """The learning curves, with the methods' colours below."""
    drawing = plots.curves(comparison, task, f"t{number}curves")
    keys = [
        element("li", tables.swatch(comparison, method), tables.text(method))
        for method in comparison.methods
    ]
    return _figure("Training loss", drawing, element("ul", *keys, class_="keys"))


def _choices(comparison: Comparison, task: str) -> Markup:
    """The hyperparameters beside the curves that they led to."""
    table = tables.choices(comparison, task)
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
