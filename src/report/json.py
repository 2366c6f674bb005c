"""analysis.json: what the report says, as numbers and texts for scripts (RFC 8259).

Every number is as it was computed, none is rounded. What is not known or not finite is null. The
keys are described in docs/report.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..analysis import Analysis, TaskAnalysis
from ..analysis.budgets import Budget, budgets
from ..analysis.format import NOISY
from ..analysis.rows import Row
from ..analysis.studies import StudyAnalysis
from ..analysis.training_cost import readings
from ..text import redact

if TYPE_CHECKING:  # these import numpy, which a table in the terminal does without
    from ..analysis.claims import SizeCurve
    from ..analysis.verdict import Judged, Pair, Settlement

FORMAT = 1
"""Raised where a key goes away or changes its meaning; keys that are added leave it as it is."""


def text(analysis: Analysis) -> str:
    """The whole file, ended by one line break; strict JSON in ASCII."""
    return json.dumps(_plain(content(analysis)), indent=1, allow_nan=False) + "\n"


def content(analysis: Analysis) -> dict[str, Any]:
    """What the file holds, before numbers that are not finite and secrets are taken out."""
    from ..analysis.verdict import margin_of

    tasks = () if analysis.searched_only else analysis.tasks
    judged = [(task.task, task.judged) for task in tasks if task.judged is not None]
    return {
        "format": FORMAT,
        "comparison": analysis.comparison.id,
        "title": analysis.title,
        "answer": analysis.answer,
        "conclusions": [
            {"task": one.task, "leads": one.leads, "sentences": one.sentences}
            for task in tasks
            if (one := task.conclusion) is not None
        ],
        "margin": margin_of(analysis.comparison),
        "pairs": [_pair(pair) for _, one in judged for pair in one.verdict.pairs],
        "groups": [
            {"task": task, "method": method, "letters": letters}
            for task, one in judged
            for method, letters in one.verdict.letters.items()
        ],
        "unpaired": [
            {"task": task, "a": two.a, "b": two.b, "reason": two.reason}
            for task, one in judged
            for two in one.verdict.unpaired
        ],
        "reasons": [
            {"task": task, "sentence": one.verdict.reason}
            for task, one in judged
            if one.verdict.reason
        ],
        "front": [
            {"task": task.task, "method": method, "probability": chance}
            for task in tasks
            if task.draws is not None
            for method, chance in task.draws.membership.items()
        ],
        "across": [] if analysis.across is None else list(map(asdict, analysis.across.standings)),
        "across_pairs": _across_pairs(analysis),
        "across_notes": _across_notes(analysis),
        "looks": [look for task, one in judged for look in _looks(task, one)],
        "budget": [_budget(one) for one in budgets(analysis.comparison)],
        "tuning": [_tuning(study) for study in analysis.studies],
        "curves": [point for study in analysis.studies for point in _curve(study)],
        "epochs": [one for study in analysis.studies for one in _epochs(study)],
        "importances": [one for study in analysis.studies for one in _importances(study)],
        "searches": [{"task": task.task, **asdict(one)} for task in tasks for one in task.searches],
        "unequal_budgets": [
            {"task": task.task, "sentence": task.unequal_budgets}
            for task in tasks
            if task.unequal_budgets
        ],
        "claims": [one.as_json() for one in analysis.claims],
        "sizes": [point for curve in analysis.sizes for point in _sizes(curve)],
        "rows": [_row(task, row) for task in tasks for row in task.rows],
    }


def _sizes(curve: SizeCurve) -> Iterator[dict[str, Any]]:
    """A method's scores by training examples."""
    for point in curve.points:
        yield {
            "task": curve.task,
            "method": curve.method,
            "metric": curve.metric,
            **asdict(point),
        }


def _across_pairs(analysis: Analysis) -> list[dict[str, Any]]:
    """Every two methods over all tasks."""
    pairs = () if analysis.across is None else analysis.across.pairs
    return [{**asdict(pair), "better": pair.better or None} for pair in pairs]


def _across_notes(analysis: Analysis) -> list[dict[str, Any]]:
    """What the report says under the tables of all tasks."""
    if analysis.across is None:
        return []
    from . import across

    lines = (across.under(analysis.across), across.new_task_line(analysis.across))
    texts = (*lines, across.diagram_line(analysis.across))
    return [{"sentence": text} for text in texts if text]


def _pair(pair: Pair) -> dict[str, Any]:
    """Two methods on one task."""
    return {
        "task": pair.task,
        "metric": pair.metric or None,
        "a": pair.a,
        "b": pair.b,
        "difference": pair.difference,
        "low": pair.low,
        "high": pair.high,
        "p": pair.p,
        "p_holm": pair.p_holm,
        "p_equivalence": pair.p_equivalence,
        "verdict": pair.verdict,
        "better": pair.better or None,
        "seeds": pair.seeds,
        "searches": pair.searches,
        "examples": pair.examples,
        "smallest_seen": pair.smallest_seen,
        "to_decide": _settlement(pair.to_decide),
    }


def _settlement(of: Settlement | None) -> dict[str, Any] | None:
    """What would decide a pair."""
    if of is None:
        return None
    return {
        "goal": of.goal,
        "seeds": of.seeds,
        "more_seeds": of.more_seeds,
        "seconds": of.seconds,
        "examples": of.examples,
        "sentence": of.sentence,
        "unit": of.unit,
    }


def _looks(task: str, judged: Judged) -> Iterator[dict[str, Any]]:
    """Where the looks at a task have come to; nothing where the seeds were fixed beforehand."""
    looks = judged.looks
    if looks is not None:
        yield {
            "task": task,
            "look": looks.look,
            "ended": looks.ended,
            "wanted": dict(looks.wanted),
            "sentence": judged.progress,
        }


def _budget(one: Budget) -> dict[str, Any]:
    """What a study may use, and what it took."""
    return {
        **asdict(one),
        "search_examples": one.search_examples,
        "winner_examples": one.winner_examples,
    }


def _tuning(study: StudyAnalysis) -> dict[str, Any]:
    """What the search found beyond the defaults, on the validation examples."""
    best = study.best
    return {
        **_place(study),
        "metric": study.study.metric or None,
        "default_score": study.default_score,
        "best_score": None if best is None else best.score,
        "best_trial": None if best is None else best.number,
        "gain": study.gain,
    }


def _curve(study: StudyAnalysis) -> Iterator[dict[str, Any]]:
    """The expected best validation score after 1, 2, ... random trials."""
    curve = study.curve
    if curve is None:
        return
    for i, expected in enumerate(curve.expected):
        yield {
            **_place(study),
            "random_trials": curve.trials,
            "after": i + 1,
            "expected": expected,
            "low": curve.low[i],
            "high": curve.high[i],
        }


def _epochs(study: StudyAnalysis) -> Iterator[dict[str, Any]]:
    """Each trial's validation score epoch by epoch."""
    for trial in study.trials:
        if not trial.curve.validation:
            continue  # of a single epoch: the score is the trial's own
        for epoch, (seconds, step, value) in enumerate(readings(trial), start=1):
            yield {
                **_place(study),
                "trial": trial.number,
                "epoch": epoch,
                "step": step,
                "seconds": seconds,
                "validation": value,
            }


def _importances(study: StudyAnalysis) -> Iterator[dict[str, Any]]:
    """Each searched setting's share in reaching the best scores."""
    for setting, share in study.study.importances.items():
        yield {**_place(study), "setting": setting, "share": share}


def _place(study: StudyAnalysis) -> dict[str, Any]:
    """Which study it is."""
    return {
        "study": study.study.study,
        "task": study.study.task if study.fold is None else study.fold.task,
        "fold": None if study.fold is None else study.fold.number,
        "search": study.study.number + 1,
        "method": study.study.method,
    }


def _row(task: TaskAnalysis, row: Row) -> dict[str, Any]:
    """One line of a task's table."""
    return {
        "task": task.task,
        "method": row.name,
        "trained": row.trained,
        "metric": row.metric or None,
        "complete": row.complete,
        "planned": row.planned,
        "values": {
            name: {"mean": one.value, "spread": one.spread, "low": low, "high": high}
            for name, one in row.values.items()
            for low, high in (one.interval or (None, None),)
        },
        "noisy": [name for name, text in row.texts.items() if text == NOISY],
    }


def _plain(value: Any) -> Any:
    """The same without numbers that JSON does not have, and without passwords of addresses."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return redact(value) if isinstance(value, str) else value
