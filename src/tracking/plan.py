"""What MLflow should hold of a comparison: a tree of runs, as plain data and without mlflow.

    comparison ─► study (task × method) ─┬► trial
                                         └► cell  (one seed)

The plan depends on nothing but the records, so the same records give the same runs. Runs start
in the order of the table: the comparison, its studies, their trials and cells. The records hold
no clock time of studies and trials; these start with the comparison, a trial lasts as it did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..analysis import Analysis
from ..analysis.cells import Cell
from ..analysis.columns import metrics_in_view
from ..analysis.rows import mean
from ..analysis.studies import StudyAnalysis, settings_line
from ..config import WHERE
from ..records import Comparison, Result, Trial
from ..text import redact
from .differ import SPREAD
from .origin import cell_files, data_sets, facts, reports, title
from .planned_run import Kind, Phase, PlannedRun, milliseconds
from .studies import PlannedStudy, studies
from .values import (
    VALIDATION,
    averages,
    curve_points,
    flat,
    run_status,
    system_points,
    trial_metrics,
)

ENDS: Mapping[Phase, str] = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "killed": "KILLED",
    "failed": "FAILED",
}
MAY_CHANGE = (*WHERE, "save_every", "system_metrics")
"""Settings that do not decide what a comparison gives: where it goes, and how it gets there."""


@dataclass(frozen=True)
class Planner:
    """The runs of one comparison; secrets are masked in every text."""

    analysis: Analysis
    phase: Phase
    out: Path

    @property
    def comparison(self) -> Comparison:
        """The records."""
        return self.analysis.comparison

    def runs(self) -> Iterator[PlannedRun]:
        """All runs, parents before their children."""
        yield self.top()
        yield from self.below()

    def below(self) -> Iterator[PlannedRun]:
        """The studies, then their trials and cells."""
        planned = studies(self.comparison)
        for position, study in enumerate(planned.values()):
            if study.begun:
                yield self._study(study, position)
        for study in planned.values():
            for trial in study.trials:
                if trial.status != "missing":
                    yield self._trial(trial, study, len(planned))
        for cell in self.analysis.cells:
            if cell.result.status != "missing":
                yield self._cell(cell)

    def _key(self, identity: str) -> str:
        return f"{self.comparison.id}/{identity}"

    def _tags(self, kind: Kind, tags: Mapping[str, str]) -> dict[str, str]:
        """What every run carries, and what this one does; empty tags are left out."""
        experiment = self.comparison.experiment
        common = {
            "kind": kind,
            "backbone": str(experiment.get("backbone", {}).get("name", "")),
            "budget": str(experiment.get("budget", "")),
            "mlflow.source.name": "tunebench",
        }
        return {name: redact(text) for name, text in {**common, **tags}.items() if text}

    def top(self) -> PlannedRun:
        """The comparison's own run."""
        comparison = self.comparison
        ended = [row for row in comparison.results if row.status == "complete"]
        resolved = json.dumps(comparison.experiment, indent=2, sort_keys=True, default=str)
        return PlannedRun(
            key=self._key("comparison"),
            parent=None,
            kind="comparison",
            name=title(comparison),
            status=ENDS[self.phase],
            start_ms=milliseconds(comparison.created),
            end_ms=None if self.phase == "running" else self._end(*comparison.results),
            tags=self._tags(
                "comparison",
                {
                    "status": self.phase,
                    **self._counts(len(ended)),
                    "data_source": "; ".join(dict.fromkeys(comparison.sources.values())),
                    "left_out": self.analysis.left_out,
                    "mlflow.note.content": self._note(),
                },
            ),
            params=_texts(self._settings()),
            files=() if self.phase == "running" else tuple(reports(self.out)),
            texts={"experiment.json": redact(resolved) + "\n"},
        )

    def _settings(self) -> Mapping[str, object]:
        """The experiment, but for what may change while it goes on in the same run.

        MLflow cannot change a parameter: a folder may be moved, runs may go elsewhere, and a search
        alone may have more trials the next time.
        """
        experiment = dict(self.comparison.experiment)
        for name in MAY_CHANGE:
            experiment.pop(name, None)
        if self.analysis.searched_only and isinstance(experiment.get("search"), Mapping):
            search = dict(experiment["search"])
            search.pop("trials", None)
            experiment["search"] = search
        return experiment

    def _counts(self, complete: int) -> dict[str, str]:
        """How many cells are complete; of a search alone, how many trials."""
        if self.analysis.searched_only:
            return _complete([each for one in self.analysis.studies for each in one.trials])
        return {"cells_complete": f"{complete} of {len(self.comparison.results)}"}

    def _note(self) -> str:
        """The parent's description in Markdown: data, remarks and the command."""
        lines = []
        if self.analysis.searched_only:
            lines = [f"- {line}" for study in self.analysis.studies for line in _in_lines(study)]
        lines += [f"- **{task}**: {source}" for task, source in self.comparison.sources.items()]
        for task, notes in self.comparison.notes.items():
            lines += [f"- {task}: {note}" for note in notes]
        lines += [f"- {name} left out: {why}" for name, why in self.comparison.left_out.items()]
        return "\n".join([*lines, "", f"    {self.comparison.command}"])

    def _study(self, study: PlannedStudy, position: int) -> PlannedRun:
        """Task × method: the mean over its seeds, and all its learning curves in one picture.

        A search without cells shows its best trial. The settings of that are a tag, since they
        change while it goes on, and MLflow cannot change a parameter.
        """
        rows, status = study.rows, study.status
        ended = [row for row in rows if row.status == "complete"]
        running = self.phase == "running" and (not rows or status == "missing")
        # Studies begin one after the other, so that they stand as in the table.
        start = milliseconds(self.comparison.created) + 1 + position
        took = round(1000 * study.seconds)
        searched = {} if rows else self._searched(study)
        return PlannedRun(
            key=self._key(study.study),
            parent=self._key("comparison"),
            kind="study",
            name=f"{study.task} {study.method}{self._search(study)}",
            status="RUNNING" if running else run_status(status),
            start_ms=start,
            end_ms=None if running else start + took,
            tags=self._tags(
                "study",
                {
                    "task": study.task,
                    "method": study.method,
                    "fold": self._fold(study.task),
                    "status": status,
                    "seeds_complete": f"{len(ended)} of {len(rows)}" if rows else "",
                    **_complete(study.trials),
                    **(facts(ended[0]) if ended else {}),
                    **searched,
                },
            ),
            params=self._params(study.method, ended[0].hyperparameters) if ended else {},
            metrics=self._means(study.study) if rows else self._best_score(study),
            plot=study.curves,
            data=data_sets(ended[0]) if ended else (),
        )

    def _search(self, study: PlannedStudy) -> str:
        """The number of a later search, as a part of its run's name."""
        shown = self._analysis_of(study)
        number = 0 if shown is None else shown.study.number
        return f" search {number + 1}" if number else ""

    def _searched(self, study: PlannedStudy) -> dict[str, str]:
        """The tags of a search without cells: its best trial."""
        shown = self._analysis_of(study)
        if shown is None or shown.best is None:
            return {}
        return {
            "best_trial": str(shown.best.number),
            "best_settings": settings_line(shown.best.params),
            "mlflow.note.content": "\n".join(f"- {line}" for line in _in_lines(shown)),
        }

    def _best_score(self, study: PlannedStudy) -> dict[str, float]:
        """The metrics of a search without cells."""
        shown = self._analysis_of(study)
        if shown is None or shown.best is None:
            return {}
        return {VALIDATION: shown.best.score or 0.0}

    def _analysis_of(self, study: PlannedStudy) -> StudyAnalysis | None:
        every = self.analysis.studies
        return next((one for one in every if one.study.study == study.study), None)

    def _means(self, study: str) -> dict[str, float]:
        """The mean over the seeds of a study that are complete, and the spread of the scores."""
        ended = [
            cell
            for cell in self.analysis.cells
            if cell.result.study == study and cell.result.status == "complete"
        ]
        columns = self.analysis.columns
        means = averages([metrics_in_view(columns, cell, "study_metric") for cell in ended])
        average = mean(cell.result.score for cell in ended)
        spread = None if average is None else average.spread
        return means if spread is None else {**means, SPREAD: spread}

    def _end(self, *rows: Result) -> int:
        """When the last of these cells finished, but never before the comparison was planned.

        Cells that an earlier comparison left may be older than this one.
        """
        finished = [milliseconds(row.finished) for row in rows if row.finished]
        return max([milliseconds(self.comparison.created), *finished])

    def _trial(self, trial: Trial, study: PlannedStudy, studies: int) -> PlannedRun:
        """A trial of a study."""
        start = milliseconds(self.comparison.created) + 1 + studies + trial.number
        tags = {"trial": str(trial.number), "status": trial.status, "reason": trial.reason}
        return PlannedRun(
            key=self._key(f"{trial.study}/trial {trial.number}"),
            parent=self._key(trial.study),
            kind="trial",
            name=f"{study.task} {study.method} trial {trial.number}",
            status=run_status(trial.status),
            start_ms=start,
            end_ms=start + round(1000 * trial.seconds),
            tags=self._tags("trial", {"task": study.task, "method": study.method, **tags}),
            params=self._params(study.method, trial.params),
            metrics=trial_metrics(trial),
            curves=curve_points(trial.curve),
            system=system_points(trial.system),
        )

    def _cell(self, cell: Cell) -> PlannedRun:
        row = cell.result
        end = milliseconds(row.finished or self.comparison.created)
        return PlannedRun(
            key=self._key(row.cell),
            parent=self._key(row.study),
            kind="cell",
            name=f"{row.task} {row.method} seed {row.seed}",
            status=run_status(row.status),
            start_ms=end - round(1000 * (row.train_seconds or 0)),
            end_ms=end,
            tags=self._tags(
                "cell",
                {
                    "task": row.task,
                    "method": row.method,
                    "fold": self._fold(row.task),
                    "seed": str(row.seed),
                    "status": row.status,
                    "reason": row.reason,
                    **facts(row),
                },
            ),
            params=self._params(row.method, row.hyperparameters),
            metrics=metrics_in_view(self.analysis.columns, cell, "cell_metric"),
            curves=curve_points(row.curve),
            system=system_points(row.system),
            files=tuple(cell_files(row, self.out)),
            data=data_sets(row),
        )

    def _fold(self, task: str) -> str:
        """Which fold of which task this is, such as "2 of 5 of reviews"; empty for a whole task."""
        fold = self.comparison.folds.get(task)
        return "" if fold is None else f"{fold.number} of {fold.count} of {fold.task}"

    def _params(self, method: str, settings: Mapping[str, object]) -> dict[str, str]:
        """A method's settings and its name, which MLflow's drawings can then have as an axis."""
        return _texts({"method": method, **settings})


def _texts(settings: Mapping[str, object]) -> dict[str, str]:
    return {name: redact(value) for name, value in flat(settings).items()}


def _complete(trials: Sequence[Trial]) -> dict[str, str]:
    """How many trials are complete, such as "7 of 8"; nothing where there are none."""
    complete = sum(trial.status == "complete" for trial in trials)
    return {"trials_complete": f"{complete} of {len(trials)}"} if trials else {}


def _in_lines(study: StudyAnalysis) -> list[str]:
    """A search in lines: the best trial, its settings, and what they carry."""
    settings = "" if study.best is None else f"best settings: {settings_line(study.best.params)}"
    return [line for line in (study.answer, settings, study.caution) if line]
