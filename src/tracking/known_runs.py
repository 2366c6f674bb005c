"""Which runs of a comparison MLflow has, and what was written of each last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import Analysis
from ..records import Comparison
from .connection import Connection
from .differ import DIGEST, KEY, OWNER, differences
from .marks import Mark, held_by, missing_of
from .plan import Planner
from .planned_run import Phase, PlannedRun
from .writer import Writer

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


class KnownRuns:
    """The runs of the last comparison that was written, by key."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is known yet."""
        self._connection = connection
        self._written: dict[str, tuple[str, str]] = {}
        self._marked: dict[str, Mark] = {}
        self._loaded: tuple[str, int] | None = None

    def __contains__(self, key: str) -> bool:
        """Whether a run is there."""
        return key in self._written

    def load(self, analysis: Analysis, phase: Phase, writer: Writer) -> None:
        """Learns, once a process, which runs are there.

        Of several runs with one key the oldest stays; the experiment is this folder's own, so
        that the others are left over from a process of its own that was killed.
        """
        current = (analysis.comparison.id, self._connection.breaks)
        if self._loaded == current:
            return
        self._written, self._marked = {}, {}
        planned = {run.key: run for run in Planner(analysis, phase, writer.out).runs()}
        there = runs_of(self._connection.client, analysis.comparison, writer.experiment)
        for key, (first, *others) in there.items():
            for run in others:
                writer.remove(run.info.run_id)
            # A record that is gone for now, as a damaged one, is made again: its run stays.
            same = key in planned and not differences(planned[key], first)
            digest = first.data.tags.get(DIGEST, "") if same else ""
            self._written[key] = (first.info.run_id, digest)
            self._marked[key] = held_by(first)
        self._loaded = current

    def bring(self, planned: PlannedRun, writer: Writer) -> None:
        """Writes one run if it is not as planned."""
        run_id, digest = self._written.get(planned.key, ("", ""))
        parent = self._written[planned.parent][0] if planned.parent else ""
        wanted = planned.digest(parent)
        if digest == wanted:
            return
        written = writer.write(planned, run_id, parent, wanted)
        if written != run_id:
            self._marked.pop(planned.key, None)  # a run that took its place has no marks yet
        self._written[planned.key] = (written, wanted)

    def mark(self, key: str, wanted: Mark, writer: Writer) -> None:
        """Gives a run that is there what its comparison says of it in the end."""
        if key not in self._written:
            return
        held = self._marked.setdefault(key, Mark())
        changed = missing_of(wanted, held)
        if changed:
            writer.mark(self._written[key][0], changed)
            self._marked[key] = held | changed

    def cells(self, comparison: Comparison) -> dict[str, str]:
        """Cell identity → run id, of the cells that are there."""
        done = [row.cell for row in comparison.results if row.status != "missing"]
        keys = {cell: f"{comparison.id}/{cell}" for cell in done}
        return {cell: self._written[k][0] for cell, k in keys.items() if k in self._written}


def runs_of(
    client: MlflowClient, comparison: Comparison, experiment: str | None
) -> dict[str, list[Run]]:
    """All runs of a comparison by key, oldest first; none without an experiment."""
    if experiment is None:
        return {}
    wanted, token = f"tags.`{OWNER}` = '{comparison.id}'", None
    runs: dict[str, list[Run]] = {}
    while True:
        page = client.search_runs([experiment], wanted, max_results=1000, page_token=token)
        for run in page:
            runs.setdefault(run.data.tags.get(KEY, ""), []).append(run)
        token = page.token
        if not token:
            break
    for same in runs.values():
        same.sort(key=lambda run: (run.info.start_time, run.info.run_id))
    return runs
