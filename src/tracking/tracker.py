"""Writes a comparison's runs into MLflow, each once, and says where the two disagree.

A run is found again by its tag `tunebench.key`. What it should hold is compared with what it
holds, so a second sync writes nothing, and one that was killed is completed by the next. Each
comparison has an experiment of its own: its page in MLflow then shows one tree, and comparisons
are laid side by side by selecting their experiments.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis import Analysis
from ..files import is_out_of_reach, put_back, resolved, set_aside
from ..records import Comparison
from ..text import redact
from . import view
from .address import TrackingError, locate, owner_of, quiet
from .database import damage, initialise, made_again, relocate, unusable
from .differ import DIGEST, KEY, OWNER, differences, match
from .marks import MARKS, changes, loading, marks
from .models import ModelWriter, PlannedModel, planned_models
from .plan import Planner
from .planned_run import Phase, PlannedRun
from .postgresql import is_postgresql, knock, server_lock
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
    from mlflow.tracking import MlflowClient

PATIENCE_S = 60.0
"""A server that failed is left alone so long, so that a long run does not wait for it each time."""


class Tracker:
    """Mirrors comparisons into the MLflow store at `uri`, or into a SQLite file inside `out`."""

    def __init__(self, uri: str | None, out: Path) -> None:
        """Remembers where to write; nothing is opened.

        Raises:
            UserError: The address has no scheme that MLflow can write to.
        """
        self.out = resolved(out)
        self.address = locate(uri, out)
        self._down_until, self._answers = 0.0, False
        self._written: dict[str, tuple[str, str]] = {}
        self._marked: dict[str, dict[str, str]] = {}
        self._loaded: str | None = None
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
        note = ""
        with self._guard():
            if (reason := self._damage()) and self.address.file is not None:
                note = made_again(reason, self._set_aside(self.address.file))
            try:
                with self._table_lock():
                    self._probe()
            except Exception as error:
                if not self._is_spoilt(error) or self.address.file is None:
                    raise
                reason = self._shortly(error)
                note = made_again(reason, self._set_aside(self.address.file))
                self._probe()
        return note

    def _table_lock(self) -> AbstractContextManager[None]:
        """Nobody else makes tables meanwhile; a server that is not there is found out here."""
        return server_lock(self.address.uri) if is_postgresql(self.address.uri) else nullcontext()

    def _probe(self) -> None:
        """Opens the store and asks it something."""
        self._open()
        self._client.search_experiments(max_results=1)

    def _damage(self) -> str:
        """What keeps the folder's own database from being used; another one is not ours."""
        if not self.address.private or self.address.file is None:
            return ""
        return damage(self.address.file)

    def sync(self, analysis: Analysis, *, status: Phase) -> dict[str, str]:
        """Writes what MLflow lacks of a comparison and returns cell identity → run id.

        The comparison's own run is left open: `close` ends it, once the report is there. While a
        store that failed is left alone, only what is known already comes back.

        Raises:
            TrackingError: The store cannot be written; the records are not touched by it.
        """
        if status == "running" and time.monotonic() < self._down_until:
            return self._cells(analysis.comparison)
        with self._guard():
            try:
                self._write(analysis, status)
            except Exception as error:
                if not self._is_spoilt(error):
                    raise
                self._write_anew(analysis, status, error)
        return self._cells(analysis.comparison)

    def _write(self, analysis: Analysis, status: Phase) -> None:
        """Writes what is not there as planned, the comparison's own run first."""
        writer = self._writer(analysis, status)
        top = Planner(analysis, "running", self.out).top()
        if top.key not in self._written:
            self._bring(top, writer)
        for planned in Planner(analysis, status, self.out).below():
            self._bring(planned, writer)
        if status == "running":
            self._bring(top, writer)

    def _is_spoilt(self, error: Exception) -> bool:
        """Whether the folder's own database may hold something that MLflow cannot read."""
        return self.address.private and not is_out_of_reach(error)

    def _write_anew(self, analysis: Analysis, status: Phase, error: Exception) -> None:
        """Sets the folder's own database aside, unless a new one makes MLflow fail as well."""
        file = self.address.file
        assert file is not None
        aside = self._set_aside(file)
        try:
            self._write(analysis, status)
        except Exception:
            self._release()
            put_back(aside, file)
            raise error from None
        self.notes.append(made_again(self._shortly(error), aside))

    def _set_aside(self, file: Path) -> Path:
        """Renames the folder's own database; nothing in this process has it open any more."""
        self._release()
        return set_aside(file)

    def _release(self) -> None:
        """Lets go of the database, and forgets which runs were in it."""
        quiet()
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        engine = SqlAlchemyStore._engine_map.get(self.address.uri)
        if engine is not None:
            engine.dispose()
        self._written, self._loaded = {}, None

    def _shortly(self, error: Exception) -> str:
        """What an exception says, as far as it fits into a sentence."""
        text = redact(" ".join(str(error).split()), self.address.secrets)
        return f"{type(error).__name__}: {text}"[:100]

    def close(self, analysis: Analysis, *, status: Phase) -> None:
        """Ends the comparison's own run, the report's files among its artifacts.

        Each study's run gets its tie groups here: they follow from all answers of the task, which
        are read for the report and not after every cell. Each task's winner becomes a model.

        Raises:
            TrackingError: The store cannot be written.
        """
        with self._guard():
            writer = self._writer(analysis, status)
            _, models = self._models(analysis, writer)
            for key, wanted in marks(analysis, models, self.address.shown).items():
                held = self._marked.setdefault(key, {})
                if key in self._written and (changed := changes(wanted, held)):
                    writer.mark(self._written[key][0], changed)
                    held |= changed
            self._bring(Planner(analysis, status, self.out).top(), writer)

    def _models(
        self, analysis: Analysis, writer: Writer
    ) -> tuple[tuple[PlannedModel, ...], dict[str, str]]:
        """The winners' models, made where they are not there, and task → model."""
        run_ids = self._cells(analysis.comparison)
        planned = tuple(planned_models(analysis, self.out, run_ids))
        return planned, ModelWriter(self._client, writer.experiment).bring(analysis, planned)

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
        if not self.address.is_missing and not self._damage():
            with self._guard():
                Registry(self._client).require_free(names(name, tasks))

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
        with self._guard():
            writer = self._writer(analysis, "finished")
            planned, models = self._models(analysis, writer)
            if not planned:
                raise RegistrationError(
                    f"--register: MLflow has no run of '{self.out}' with an adapter to register"
                )
            registry = Registry(self._client)
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
        with self._guard():
            runs = self._runs(comparison, view.find(self._client, comparison, self._owner()))
        keys = {row.cell: f"{comparison.id}/{row.cell}" for row in comparison.results}
        return {cell: runs[key][0].info.run_id for cell, key in keys.items() if key in runs}

    def check(self, analysis: Analysis) -> list[str]:
        """What disagrees between the records and MLflow while nothing runs; empty if nothing.

        Raises:
            TrackingError: The store cannot be read.
        """
        if self.address.is_missing:
            return [f"there is no MLflow database at {self.address.file}"]
        if reason := self._damage():
            return [unusable(reason)]
        comparison = analysis.comparison
        left = any(row.status == "missing" for row in comparison.results)
        plan = list(Planner(analysis, "killed" if left else "finished", self.out).runs())
        with self._guard():
            try:
                runs = self._runs(comparison, view.find(self._client, comparison, self._owner()))
            except Exception as error:
                if not self._is_spoilt(error):
                    raise
                return [unusable(self._shortly(error))]
        return list(match(plan, runs))

    @cached_property
    def _client(self) -> MlflowClient:
        quiet()
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.address.uri, registry_uri=self.address.uri)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Turns whatever MLflow, SQLAlchemy or the network raise into one line without secrets."""
        try:
            if is_postgresql(self.address.uri) and not self._answers:
                knock(self.address.uri)  # MLflow would try again for minutes
            yield
        except RegistrationError:
            raise
        except Exception as error:  # a mirror may fail in any way without losing a result
            self._answers = False
            self._down_until = time.monotonic() + PATIENCE_S
            self._loaded = None
            reason = redact(" ".join(str(error).split()), self.address.secrets)[:300]
            where = f"MLflow at {self.address.shown} is not reachable or not writable"
            # Chained errors are cut off: their texts hold the address with its password.
            raise TrackingError(f"{where}: {type(error).__name__}: {reason}") from None
        else:
            self._down_until, self._answers = 0.0, True

    def _owner(self, make: bool = False) -> str:
        """What sets this folder's runs apart in a store that others may use too."""
        return "" if self.address.private else owner_of(self.out, make=make)

    def _open(self) -> None:
        """Makes the folder's own store where it is not there, and mends it where it was moved."""
        if self.address.file is not None:
            initialise(self.address.file)
        if self.address.private and self.address.file and self.address.artifacts:
            relocate(self.address.file, self.address.artifacts)

    def _writer(self, analysis: Analysis, phase: Phase) -> Writer:
        """What writes into the comparison's experiment, once it is known what is there."""
        self._open()
        owner = self._owner(make=True)
        experiment = view.experiment(self._client, analysis, owner, self.address.artifacts)
        writer = Writer(self._client, experiment, self.out)
        self._load(analysis, experiment, phase, writer)
        return writer

    def _runs(self, comparison: Comparison, experiment: str | None) -> dict[str, list[Run]]:
        """All runs of a comparison by key, oldest first."""
        if experiment is None:
            return {}
        wanted, token = f"tags.`{OWNER}` = '{comparison.id}'", None
        runs: dict[str, list[Run]] = {}
        while True:
            page = self._client.search_runs(
                [experiment], wanted, max_results=1000, page_token=token
            )
            for run in page:
                runs.setdefault(run.data.tags.get(KEY, ""), []).append(run)
            token = page.token
            if not token:
                break
        for same in runs.values():
            same.sort(key=lambda run: (run.info.start_time, run.info.run_id))
        return runs

    def _load(self, analysis: Analysis, experiment: str, phase: Phase, writer: Writer) -> None:
        """Learns, once a process, which runs are there.

        Of several runs with one key the oldest stays; the experiment is this folder's own, so
        that the others are left over from a process of its own that was killed.
        """
        if self._loaded == analysis.comparison.id:
            return
        self._written, self._marked = {}, {}
        planned = {run.key: run for run in Planner(analysis, phase, self.out).runs()}
        for key, (first, *others) in self._runs(analysis.comparison, experiment).items():
            for run in others:
                writer.remove(run.info.run_id)
            # A record that is gone for now, as a damaged one, is made again: its run stays.
            same = key in planned and not differences(planned[key], first)
            digest = first.data.tags.get(DIGEST, "") if same else ""
            self._written[key] = (first.info.run_id, digest)
            tags = first.data.tags
            self._marked[key] = {tag: tags[tag] for tag in MARKS if tag in tags}
        self._loaded = analysis.comparison.id

    def _bring(self, planned: PlannedRun, writer: Writer) -> None:
        """Writes one run if it is not as planned."""
        run_id, digest = self._written.get(planned.key, ("", ""))
        parent = self._written[planned.parent][0] if planned.parent else ""
        wanted = planned.digest(parent)
        if digest != wanted:
            run_id = writer.write(planned, run_id, parent, wanted)
            self._written[planned.key] = (run_id, wanted)

    def _cells(self, comparison: Comparison) -> dict[str, str]:
        done = [row.cell for row in comparison.results if row.status != "missing"]
        keys = {cell: f"{comparison.id}/{cell}" for cell in done}
        return {cell: self._written[k][0] for cell, k in keys.items() if k in self._written}
