"""Writes a comparison's runs into MLflow, each once, and says where the two disagree.

A run is found again by its tag `tunebench.key`. What it should hold is compared with what it
holds, so a second sync writes nothing, and one that was killed is completed by the next. Each
comparison has an experiment of its own: its page in MLflow then shows one tree, and comparisons
are laid side by side by selecting their experiments.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis import Analysis
from ..files import put_back, resolved
from ..records import Comparison
from . import view
from .address import locate
from .connection import Connection
from .database import made_again, unusable
from .differ import match
from .known_runs import KnownRuns, runs_of
from .marks import loading, marks
from .models import ModelWriter, PlannedModel, planned_models
from .plan import Planner
from .planned_run import Phase
from .registration import (
    ALIAS,
    Registered,
    RegistrationError,
    Registry,
    check_alias,
    check_name,
    names,
)
from .writer import Writer

if TYPE_CHECKING:
    from mlflow.entities import Run


class Tracker:
    """Mirrors comparisons into the MLflow store at `uri`, or into a SQLite file inside `out`."""

    def __init__(self, uri: str | None, out: Path) -> None:
        """Remembers where to write; nothing is opened.

        Raises:
            UserError: The address has no scheme that MLflow can write to.
        """
        self.out = resolved(out)
        self.address = locate(uri, out)
        self._connection = Connection(self.address, self.out)
        self._known = KnownRuns(self._connection)
        self.notes: list[str] = []
        """What a reader should know of the last writing."""

    def prepare(self) -> str:
        """Makes the store ready, once, before any worker starts.

        The folder's own database holds nothing that the records do not: where it cannot be used it
        is set aside, and made again.

        Returns:
            What a reader should know of it; mostly nothing.

        Raises:
            TrackingError: The store cannot be made or does not answer.
        """
        with self._connection.guard():
            return self._connection.prepare()

    def sync(self, analysis: Analysis, *, status: Phase) -> dict[str, str]:
        """Writes what MLflow lacks of a comparison and returns cell identity → run id.

        The comparison's own run is left open: `close` ends it, once the report is there. While a
        store that failed is left alone, only what is known already comes back.

        Raises:
            TrackingError: The store cannot be written; the records are not touched by it.
        """
        if status == "running" and self._connection.is_left_alone:
            return self._known.cells(analysis.comparison)
        with self._connection.guard():
            try:
                self._write(analysis, status)
            except Exception as error:
                if not self._connection.is_spoilt(error):
                    raise
                self._write_anew(analysis, status, error)
        return self._known.cells(analysis.comparison)

    def _write(self, analysis: Analysis, status: Phase) -> None:
        """Writes what is not there as planned, the comparison's own run first."""
        writer = self._writer(analysis, status)
        top = Planner(analysis, "running", self.out).top()
        if top.key not in self._known:
            self._known.bring(top, writer)
        for planned in Planner(analysis, status, self.out).below():
            self._known.bring(planned, writer)
        if status == "running":
            self._known.bring(top, writer)

    def _write_anew(self, analysis: Analysis, status: Phase, error: Exception) -> None:
        """Sets the folder's own database aside, unless a new one makes MLflow fail as well."""
        file = self.address.file
        assert file is not None
        aside = self._connection.set_aside(file)
        try:
            self._write(analysis, status)
        except Exception:
            self._connection.release()
            put_back(aside, file)
            raise error from None
        self.notes.append(made_again(self._connection.shortly(error), aside))

    def close(self, analysis: Analysis, *, status: Phase) -> None:
        """Ends the comparison's own run, the report's files among its artifacts.

        Each study's run gets its tie groups and its score's interval here: they follow from all
        answers of the task, which are read for the report and not after every cell. Each task's
        winner becomes a model.

        Raises:
            TrackingError: The store cannot be written.
        """
        with self._connection.guard():
            writer = self._writer(analysis, status)
            _, models = self._models(analysis, writer)
            pages = {
                cell: view.artifacts_page(writer.experiment, run_id)
                for cell, run_id in self._known.cells(analysis.comparison).items()
            }
            for key, wanted in marks(analysis, models, pages, self.address.shown).items():
                self._known.mark(key, wanted, writer)
            self._known.bring(Planner(analysis, status, self.out).top(), writer)

    def _models(
        self, analysis: Analysis, writer: Writer
    ) -> tuple[tuple[PlannedModel, ...], dict[str, str]]:
        """The winners' models, made where they are not there, and task → model."""
        run_ids = self._known.cells(analysis.comparison)
        planned = tuple(planned_models(analysis, self.out, run_ids))
        models = ModelWriter(writer.client, writer.experiment)
        return planned, models.bring(analysis, planned)

    def check_registration(self, tasks: tuple[str, ...], name: str, alias: str = ALIAS) -> None:
        """Refuse what `register` would refuse, before anything is trained.

        Args:
            tasks: The tasks of the comparison to come.
            name: The registered model's name.
            alias: What its version is to be called.

        Raises:
            RegistrationError: Name or alias are not fit, or the name is another model's.
            TrackingError: The registry does not answer.
        """
        check_name(name)
        check_alias(alias)
        if not self.address.is_missing and not self._connection.damage():
            with self._connection.guard():
                Registry(self._connection.client).require_free(names(name, tasks))

    def register(
        self, analysis: Analysis, name: str, alias: str = ALIAS
    ) -> tuple[tuple[Registered, ...], tuple[str, ...]]:
        """Put each task's winner into the model registry; with several tasks as NAME-TASK.

        Args:
            analysis: A comparison whose runs are in MLflow.
            name: The registered model's name.
            alias: What the version is called; the version that had it loses it.

        Returns:
            What is registered, and the lines of Python that load the first.

        Raises:
            RegistrationError: Name or alias are not fit, the name is another model's, or there is
                no model.
            TrackingError: The registry refuses, or does not answer.
        """
        check_name(name)
        check_alias(alias)
        with self._connection.guard():
            writer = self._writer(analysis, "finished")
            planned, models = self._models(analysis, writer)
            if not planned:
                raise RegistrationError(
                    f"--register: MLflow has no run of '{self.out}' with an adapter to register"
                )
            registry = Registry(self._connection.client)
            named = names(name, tuple(task.task for task in analysis.tasks))
            registry.require_free(named)
            done = tuple(
                registry.register(
                    one,
                    models[one.winner.task],
                    named[one.winner.task],
                    alias,
                    one.winner.sentence,
                )
                for one in planned
            )
        return done, loading(done[0].address, self.address.shown)

    def run_ids(self, analysis: Analysis) -> dict[str, str]:
        """Cell identity → run id, for a folder in which another process works: writes nothing.

        Raises:
            TrackingError: The store cannot be read.
        """
        if self.address.is_missing:
            return {}
        comparison = analysis.comparison
        with self._connection.guard():
            runs = self._runs(comparison)
        keys = {row.cell: f"{comparison.id}/{row.cell}" for row in comparison.results}
        return {cell: runs[key][0].info.run_id for cell, key in keys.items() if key in runs}

    def check(self, analysis: Analysis) -> list[str]:
        """What disagrees between the records and MLflow while nothing runs; empty if nothing.

        Raises:
            TrackingError: The store cannot be read.
        """
        if self.address.is_missing:
            return [f"there is no MLflow database at {self.address.file}"]
        if reason := self._connection.damage():
            return [unusable(reason)]
        comparison = analysis.comparison
        left = any(row.status == "missing" for row in comparison.results)
        plan = list(Planner(analysis, "killed" if left else "finished", self.out).runs())
        with self._connection.guard():
            try:
                runs = self._runs(comparison)
            except Exception as error:
                if not self._connection.is_spoilt(error):
                    raise
                return [unusable(self._connection.shortly(error))]
        return list(match(plan, runs))

    def _runs(self, comparison: Comparison) -> dict[str, list[Run]]:
        """All runs of a comparison by key, oldest first; nothing is written."""
        client = self._connection.client
        return runs_of(client, comparison, view.find(client, comparison, self._connection.owner()))

    def _writer(self, analysis: Analysis, phase: Phase) -> Writer:
        """What writes into the comparison's experiment, once it is known what is there."""
        self._connection.open()
        client, owner = self._connection.client, self._connection.owner(make=True)
        experiment = view.experiment(client, analysis, owner, self.address.artifacts)
        writer = Writer(client, experiment, self.out)
        self._known.load(analysis, phase, writer)
        return writer
