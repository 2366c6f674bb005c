"""Writes one run through MLflow's client, in few calls and in an order that may break off.

The tag with the digest goes last but for the status: a run without it, or with another status
than planned, is seen as unfinished and is written again.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..files import write_whole
from . import curves
from .differ import CURVES, DIGEST, KEY, LONGEST_PARAM, LONGEST_TAG, OWNER, mendable
from .marks import Mark
from .planned_run import PlannedRun

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run
    from mlflow.tracking import MlflowClient

PARENT = "mlflow.parentRunId"
BATCH = 800
"""Metrics in one call; MLflow takes a thousand entries of all sorts."""


@dataclass(frozen=True)
class Writer:
    """Writes runs of one experiment; files are found relative to `out`."""

    client: MlflowClient
    experiment: str
    out: Path

    def write(self, planned: PlannedRun, run_id: str, parent: str, digest: str) -> str:
        """Creates or completes a run and returns its id, another one if it had to be replaced."""
        run = self.client.get_run(run_id) if run_id else self._create(planned, parent)
        if run_id and not mendable(planned, run):
            self.remove(run_id)
            run = self._create(planned, parent)
        self._artifacts(planned, run)
        self._data(planned, run)
        self._values(planned, run, parent, digest)
        self._close(planned, run)
        return str(run.info.run_id)

    def remove(self, run_id: str) -> None:
        """Takes a run out of sight; MLflow keeps it among the deleted ones."""
        self.client.delete_run(run_id)

    def mark(self, run_id: str, mark: Mark) -> None:
        """Sets tags and metrics of a run, and takes tags away whose text is empty."""
        from mlflow.entities import Metric, RunTag

        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, value, now, 0) for name, value in mark.metrics.items()]
        kept = [RunTag(tag, text[:LONGEST_TAG]) for tag, text in mark.tags.items() if text]
        if kept or metrics:
            self.client.log_batch(run_id, metrics=metrics, tags=kept)
        for tag in (tag for tag, text in mark.tags.items() if not text):
            self.client.delete_tag(run_id, tag)

    def _create(self, planned: PlannedRun, parent: str) -> Run:
        return self.client.create_run(
            self.experiment,
            start_time=planned.start_ms,
            tags=self._marks(planned, parent),
            run_name=planned.name,
        )

    def _marks(self, planned: PlannedRun, parent: str) -> dict[str, str]:
        """The tags by which a run is found again and hung into the tree."""
        owner = planned.key.partition("/")[0]
        marks = {KEY: planned.key, OWNER: owner, CURVES: planned.curve_digest}
        if parent:
            marks[PARENT] = parent
        if planned.kind == "study":
            # MLflow's page unfolds the parents of runs of this type when it opens.
            marks["mlflow.runType"] = "evaluation"
        return marks

    def _values(self, planned: PlannedRun, run: Run, parent: str, digest: str) -> None:
        """All numbers and texts in one call, unless the curves are very long."""
        from mlflow.entities import Param, RunTag

        points = self._points(planned, run)
        batch = list(islice(points, BATCH))
        while following := list(islice(points, BATCH)):
            self.client.log_batch(run.info.run_id, metrics=batch)
            batch = following
        held = run.data.params
        if "reason" in run.data.tags and "reason" not in planned.tags:
            self.client.delete_tag(run.info.run_id, "reason")
        params = [
            Param(name, text[:LONGEST_PARAM])
            for name, text in planned.params.items()
            if name not in held
        ]
        for start in range(100, len(params), 100):
            self.client.log_batch(run.info.run_id, params=params[start : start + 100])
        tags = {**planned.tags, **self._marks(planned, parent), DIGEST: digest}
        self.client.log_batch(
            run.info.run_id,
            metrics=batch,
            params=params[:100],
            tags=[RunTag(name, text[:LONGEST_TAG]) for name, text in tags.items()],
        )

    def _points(self, planned: PlannedRun, run: Run) -> Iterator[Metric]:
        """The metrics that are new, stamped now, and all points of curves, stamped by the plan.

        MLflow shows the latest value of a name, and drops a point that it has already.
        """
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        for name, value in planned.metrics.items():
            if run.data.metrics.get(name) != value:
                yield Metric(name, value, now, 0)
        for name, points in planned.curves.items():
            for step, value in points:
                yield Metric(name, value, planned.start_ms + step, step)
        for name, samples in planned.system.items():
            for step, (passed, value) in enumerate(samples):
                yield Metric(name, value, planned.start_ms + passed, step)

    def _artifacts(self, planned: PlannedRun, run: Run) -> None:
        """Files, texts and the picture of the learning curves."""
        for folder, name, _ in planned.files:
            self._file(run, self.out / name, folder)
        texts = dict(planned.texts)
        if planned.plot:
            texts["learning_curves.svg"] = curves.draw(planned.plot)
        for name, text in texts.items():
            self._text(run, text, name)

    def _file(self, run: Run, source: Path, folder: str) -> None:
        """Stores a file; on the same disk by a hard link, which takes neither time nor room."""
        place = _local(run)
        if place is None:
            self.client.log_artifact(run.info.run_id, str(source), folder or None)
            return
        link_or_copy(source, place / folder / source.name)

    def _text(self, run: Run, text: str, name: str) -> None:
        """Stores a text; the client would remember where a folder lay that has moved since."""
        place = _local(run)
        if place is None:
            self.client.log_text(run.info.run_id, text, name)
        else:
            write_whole(place / name, text.encode())

    def _data(self, planned: PlannedRun, run: Run) -> None:
        """Names the data sets that the run was made from."""
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

        if not planned.data or (run.inputs and run.inputs.dataset_inputs):
            return
        inputs = [
            DatasetInput(
                Dataset(
                    one.name,
                    one.digest,
                    "code",  # what has no address that MLflow could load it from
                    json.dumps({"tags": {"source": one.source}}),
                    profile=json.dumps({"num_rows": one.rows}) if one.rows else None,
                ),
                [InputTag(MLFLOW_DATASET_CONTEXT, one.context)] if one.context else [],
            )
            for one in planned.data
        ]
        self.client.log_inputs(run.info.run_id, inputs)

    def _close(self, planned: PlannedRun, run: Run) -> None:
        """Gives the run its status; one that goes on is opened again."""
        if planned.end_ms is not None:
            self.client.set_terminated(run.info.run_id, planned.status, planned.end_ms)
        elif run.info.status != planned.status:
            self.client.update_run(run.info.run_id, planned.status)


def link_or_copy(source: Path, target: Path) -> None:
    """Put a file where another name is wanted, whole or not at all: by a hard link if that goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.fresh")
    fresh.unlink(missing_ok=True)
    try:
        os.link(source, fresh)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, fresh)
    fresh.replace(target)


def local_folder(address: str) -> Path | None:
    """The folder that an address of artifacts means; none where a server keeps them."""
    root = urlsplit(address)
    return Path(unquote(root.path)) if root.scheme in ("", "file") else None


def _local(run: Run) -> Path | None:
    """The folder of a run's artifacts; none where a server keeps them."""
    return local_folder(str(run.info.artifact_uri))
