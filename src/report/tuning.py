"""What tuning gained: defaults, best trial, what random trials reach, which settings mattered."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis import Analysis, TaskAnalysis
from ..analysis.format import score
from ..analysis.searches import SearchSpread
from ..analysis.studies import StudyAnalysis, cautions
from ..records import Curve, Trial
from .markup import Markup, element, join
from .multiples import Line, Point, Scale, grid, panel, scale_of
from .plots import series
from .tables import frame, heading, number, swatch, text

TITLE = "Tuning"
HEADER = (
    "method",
    "trials",
    "defaults",
    "tuned",
    "gain",
    "one random trial",
    "best of all random",
    "95 % band",
    "importance of settings",
)
SEARCHES_HEADER = (
    "method",
    "score of each search's winner",
    "spread over searches",
    "spread over seeds of one winner",
)
UNDER_SEARCHES = (
    "Each method was searched several times with other draws, and each search's winner trained on "
    "seeds of its own. Spreads are standard deviations of test scores; what one scatters by over "
    "searches has part of the seeds' in it."
)
UNDER_CURVES = (
    "The expected best validation score after n random trials, with a 95 % band that holds for all "
    "n at once; the dashed line is the score at the defaults."
)

UNDER_EPOCHS = {
    "validation score": "Validation score at the end of each epoch, a line for each trial; thick: "
    "the best.",
    "training loss": "Training loss by optimizer step of the same trials.",
}


def shown(task: TaskAnalysis) -> list[StudyAnalysis]:
    """The studies of a task that searched; none where every study is one trial."""
    searched = any(len(one.trials) > 1 for one in task.studies)
    return [one for one in task.studies if one.trials] if searched else []


def tuning_texts(study: StudyAnalysis) -> tuple[str, ...]:
    """A study's line under `HEADER`."""
    curve = study.curve
    best = None if study.best is None else study.best.score
    failed = f", {study.failed} failed" if study.failed else ""
    expected = ("", "", "")
    if curve is not None and curve.readable:
        expected = (
            score(curve.expected[0]),
            score(curve.expected[-1]),
            f"{score(curve.low[-1])} to {score(curve.high[-1])}",
        )
    return (
        study.label,
        f"{len(study.trials)}{failed}",
        *(_score(value) for value in (study.default_score, best)),
        "–" if study.gain is None else f"{study.gain:+.3f}",
        *expected,
        study.importances,
    )


def search_texts(one: SearchSpread) -> tuple[str, ...]:
    """A method's line under `SEARCHES_HEADER`."""
    scores = ", ".join(score(value) for value in one.scores)
    return one.method, scores, _score(one.over_searches), _score(one.over_seeds)


def under(studies: Sequence[StudyAnalysis]) -> str:
    """What the table does not say."""
    metric = next((one.study.metric for one in studies if one.study.metric), "score")
    return " ".join((f"Validation {metric}.", *cautions(studies)))


def section(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """The table and the curves on the page, folded away; nothing where nothing was searched."""
    studies = shown(task)
    if not studies and not task.searches:
        return Markup()
    lines = []
    for one in studies:
        label, trials, default, tuned, gain, *more = tuning_texts(one)
        best = None if one.best is None else one.best.score
        method = one.study.method
        cells = [
            element("th", swatch(analysis, method), text(label), scope="row", data_value=label),
            number(float(len(one.trials)), trials),
            number(one.default_score, default),
            number(best, tuned),
            number(one.gain, gain),
            *(element("td", shown_text, data_value="") for shown_text in more[:-1]),
            element("td", text(more[-1]), class_="left words", data_value=""),
        ]
        lines.append(element("tr", *cells))
    table = frame(HEADER, lines, "sortable tuning", text(under(studies))) if lines else Markup()
    drawn = curves(studies, analysis.comparison.methods)
    learned = epochs(studies, analysis.comparison.methods)
    return element(
        "details", element("summary", TITLE), _searches(analysis, task), table, drawn, learned
    )


def _searches(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """How far the winners of several searches differ; nothing for one search."""
    lines = []
    for one in task.searches:
        method, scores, over_searches, over_seeds = search_texts(one)
        cells = (number(one.over_searches, over_searches), number(one.over_seeds, over_seeds))
        first = element("td", scores, data_value="")
        lines.append(element("tr", heading(analysis, method), first, *cells))
    return frame(SEARCHES_HEADER, lines, "sortable", UNDER_SEARCHES) if lines else Markup()


def curves(studies: Sequence[StudyAnalysis], methods: Sequence[str]) -> Markup:
    """The curve of each study that has one which can be read, on the same scales."""
    readable = [(one, c) for one in studies if (c := one.curve) is not None and c.readable]
    if not readable:
        return Markup()
    ends = [value for _, curve in readable for value in (*curve.low, *curve.high)]
    y = scale_of([*ends, *(one.default_score for one, _ in readable if one.default_score)])
    x = Scale(1, max(curve.trials for _, curve in readable))
    looks = series(methods)
    panels = []
    for one, curve in readable:
        at = range(1, curve.trials + 1)
        low, high, best = (
            list(zip(at, each, strict=True)) for each in (curve.low, curve.high, curve.expected)
        )
        drawn = [Line(best, curve.summary)]
        if (default := one.default_score) is not None:
            level = [(x.low, default), (x.high, default)]
            drawn.insert(0, Line(level, f"the defaults: {score(default)}", "level"))
        label = f"Expected best validation score by random trials of {text(one.label)}"
        colour = looks.get(one.study.method, (0, ""))[0]
        panels.append(panel(text(one.label), drawn, x, y, label, colour, (low, high)))
    return grid(panels, UNDER_CURVES)


def epochs(studies: Sequence[StudyAnalysis], methods: Sequence[str]) -> Markup:
    """Each study's trials epoch by epoch: validation score and training loss, on the same scales.

    Nothing for trials of one epoch. The winner's training has no validation score by epoch, since
    the validation rows train too.
    """
    learned = [(one, trials) for one in studies if (trials := _with_epochs(one))]
    if not learned:
        return Markup()
    every = [trial.curve for _, trials in learned for trial in trials]
    looks, drawn = series(methods), []
    for what, read in (("validation score", _validation), ("training loss", _loss)):
        points = [point for curve in every for point in read(curve)]
        if not points:
            continue
        x, y = scale_of([at for at, _ in points]), scale_of([value for _, value in points])
        panels = []
        for one, trials in learned:
            # The best trial is drawn last, on top of the others.
            ordered = sorted(trials, key=lambda trial, best=one.best: trial is best)  # type: ignore[misc]
            lines = [_line(trial, read(trial.curve), trial is one.best) for trial in ordered]
            label = f"{what} by epoch of {text(one.label)}"
            colour = looks.get(one.study.method, (0, ""))[0]
            shown_lines = [line for line in lines if line.points]
            panels.append(panel(f"{text(one.label)}: {what}", shown_lines, x, y, label, colour))
        drawn.append(grid(panels, UNDER_EPOCHS[what]))
    return join(*drawn)


def _with_epochs(study: StudyAnalysis) -> list[Trial]:
    return [trial for trial in study.trials if trial.curve.validation]


def _validation(curve: Curve) -> list[Point]:
    return [(float(i), value) for i, value in enumerate(curve.validation, start=1)]


def _loss(curve: Curve) -> list[Point]:
    return list(zip(map(float, curve.steps), curve.loss, strict=False))


def _line(trial: Trial, points: Sequence[Point], best: bool) -> Line:
    ended = f"trial {trial.number}{', the best' if best else ''}: {score(trial.score)}"
    return Line(points, ended, "line" if best else "thin")


def _score(value: float | None) -> str:
    return "–" if value is None else score(value)
