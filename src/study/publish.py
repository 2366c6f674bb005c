"""What is made from the store: MLflow's runs, kept up to it, and the report.

Both can be lost without losing a result, and both are made again by `rebuild`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..analysis import Analysis, analyse, read_from, remembered
from ..analysis.calibration_error import ErrorReader
from ..analysis.predictions import PredictionReader
from ..files import busy, file_lock
from ..progress import Progress
from ..records import Comparison
from ..report import write
from ..report.live import default_progress
from ..store.remembering import RememberingStore
from ..store.store import Plan, Store, require_plan
from ..text import redact
from ..tracking import Phase, Tracker, TrackingError, chosen
from .claims import evidence_in
from .plan import assemble
from .rhythm import Rhythm


class Publisher:
    """Brings MLflow and the report up to the records; a failure of MLflow never stops a run."""

    def __init__(self, store: Store, tracking_uri: str | None, progress: Progress) -> None:
        """Remember where to publish; nothing is opened.

        Args:
            store: The records.
            tracking_uri: Where MLflow's runs go, as a person named it.
            progress: Hears what happens.

        Raises:
            UserError: The address has no scheme that MLflow can write to.
        """
        self.store, self.out, self.progress = store, store.out, progress
        self.rhythm = Rhythm()
        """When runs are written again while others are trained."""
        self.run_ids: dict[str, str] = {}
        """Cell → MLflow run, as far as they are known."""
        self.tracker = Tracker(tracking_uri, self.out)
        self.failed = False
        """Whether MLflow could not be written when it was last tried."""
        self._read = read_from(self.out)
        self._calibration = remembered(self._read)

    def prepare(self) -> None:
        """Make MLflow's store ready, once, before anything else could open it."""

        def prepare() -> None:
            if note := self.tracker.prepare():
                self.progress.note(f"MLflow: {note}")

        self._try(prepare)

    def follow(self, stands: Callable[[], Comparison]) -> None:
        """Write the runs that are new by now, unless that was done a short while ago.

        Each time looks at all records, so the time between two grows with what one takes; what is
        left out now comes with the next, or with `finish`.

        Args:
            stands: Gives the comparison as it is.
        """
        if not self.failed and self.rhythm.is_due:
            with self.rhythm.measured():
                self.sync(stands(), "running")

    def sync(self, comparison: Comparison, status: Phase) -> None:
        """Write the runs that are new; after a failure only the last call of a run tries again."""
        if not self.failed or status != "running":
            analysis = analyse(comparison, calibration=self._calibration)
            self._try(lambda: self.run_ids.update(self.tracker.sync(analysis, status=status)))

    def finish(self, comparison: Comparison, status: Phase) -> Analysis:
        """Write the last runs, then the report that names them, then close the comparison's run.

        MLflow keeps the report's files beside the comparison's run, and the report names the runs:
        in this order each is written once.
        """
        self.sync(comparison, status)
        analysis = _analysed(comparison, self.store, self._read, self._calibration)
        write(analysis, self.out, self.run_ids)
        if not self.failed:
            self._try(lambda: self.tracker.close(analysis, status=status))
        return analysis

    def look_up(self, analysis: Analysis) -> None:
        """Learn which runs are there, without writing any."""
        self._try(lambda: self.run_ids.update(self.tracker.run_ids(analysis)))

    def _try(self, publish: Callable[[], object]) -> None:
        """Say once that MLflow failed."""
        try:
            publish()
            self.failed = False
            while self.tracker.notes:
                self.progress.note(f"MLflow: {self.tracker.notes.pop(0)}")
        except TrackingError as error:
            if not self.failed:
                self.progress.note(f"MLflow: {error}; results are safe in the store")
            self.failed = True


def rebuild(
    out: Path, tracking_uri: str | None = None, progress: Progress | None = None
) -> Analysis:
    """Write the report of the last comparison again from the store, and its runs in MLflow.

    While another process works in the folder, only the report is written. The folder may come from
    somebody else, so an address that its records name is not contacted unless it is typed again.

    Raises:
        UserError: There is no comparison in the folder, or it cannot be written to.
    """
    progress = progress or default_progress()
    store = RememberingStore(out)
    plan = require_plan(store)
    comparison = assemble(plan, store)
    recorded = plan.experiment.get("tracking_uri")
    publisher = Publisher(store, tracking_uri, progress)
    if recorded and not chosen(tracking_uri):
        progress.note(f"MLflow: {elsewhere(str(recorded))}")
    elif busy(out):
        publisher.look_up(analyse(comparison))
    else:
        whole = all(row.status != "missing" for row in comparison.results)
        if not plan.cells:
            whole = len(comparison.trials) >= plan.trials * len(plan.studies)
        with file_lock(out):
            publisher.prepare()
            return publisher.finish(comparison, "finished" if whole else "killed")
    analysis = _analysed(comparison, store, read_from(out))
    write(analysis, out, publisher.run_ids)
    return analysis


def _analysed(
    comparison: Comparison,
    store: Store,
    read: PredictionReader,
    calibration: ErrorReader | None = None,
) -> Analysis:
    """A comparison, with what all runs of its folder say together."""
    from ..analysis.claims import checked, size_curves
    from ..analysis.lab import read_lab

    evidence = evidence_in(store, read)
    digests = {row.backbone_digest for row in comparison.results} - {""}
    return analyse(
        comparison,
        read,
        calibration,
        claims=checked(evidence),
        sizes=size_curves(evidence),
        lab=read_lab(store.out, digests),
    )


def elsewhere(recorded: str) -> str:
    """What to do about runs at an address that nobody typed."""
    return (
        f"the runs were written to {redact(recorded)}, which is not contacted unless you name it "
        "again, by --tracking-uri or MLFLOW_TRACKING_URI"
    )


def _storage(plan: Plan) -> dict[str, str]:
    """Where Optuna's trials went; nothing where they are in the folder."""
    uri = plan.experiment.get("optuna_storage")
    return {"optuna_storage": redact(str(uri))} if uri else {}


def without_secrets(plan: Plan, tracking_uri: str | None) -> Plan:
    """The plan as the store may keep it: passwords of addresses are masked before it is written.

    Args:
        plan: What a command asked for.
        tracking_uri: Where MLflow's runs go, as a person named it.
    """
    shown = redact(tracking_uri) if tracking_uri else None
    return replace(
        plan,
        experiment={**plan.experiment, "tracking_uri": shown, **_storage(plan)},
        command=redact(plan.command),
    )
