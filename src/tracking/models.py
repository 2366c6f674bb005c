"""The chosen adapter of each task as MLflow's Logged Model: made once, when a comparison ends.

Only a winner becomes a model: a comparison has dozens of cells, and a model for each would cost as
much as its run does. Its adapter is the file that the store holds, by a hard link where that is
possible. A model is found again by its tags, as runs are; one of an earlier winner is deleted, but
for those that are in the registry.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis import Analysis
from ..analysis.columns import metrics_in_view
from ..analysis.winners import Winner, winners
from ..errors import UserError
from ..files import resolved
from ..methods._metadata import AdapterMetadata, read_metadata
from .differ import DIGEST, KEY, OWNER
from .model_files import ADAPTER, CODE, write_description
from .values import flat
from .writer import link_or_copy, local_folder

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.tracking import MlflowClient

REGISTERED = "tunebench.registered"
"""The tag of a model that is in the registry: it stays when another run wins."""
FIGURES = ("score", "accuracy", "trainable_params", "latency_ratio", "latency_ms", "ece")
"""The metrics that a model shows of its run."""
UNFIT = re.compile(r"""[/:.%"'\s]+""")
"""What MLflow has no place for in a Logged Model's name."""


@dataclass(frozen=True)
class PlannedModel:
    """A model as MLflow should hold it."""

    winner: Winner
    adapter: Path
    metadata: AdapterMetadata
    key: str
    run_id: str
    """The run of the cell that trained it."""

    @property
    def name(self) -> str:
        """What people see: the task and the method."""
        return UNFIT.sub("-", f"{self.winner.task}-{self.winner.cell.result.method}")[:200]

    @property
    def digest(self) -> str:
        """Changes when the model has to be made again."""
        row = self.winner.cell.result
        content = json.dumps([row.cell, row.finished, self.run_id, CODE])
        return hashlib.sha256(content.encode()).hexdigest()[:32]


def planned_models(
    analysis: Analysis, out: Path, run_ids: dict[str, str]
) -> Iterator[PlannedModel]:
    """The model of each task whose winner has an adapter that can be read.

    Args:
        analysis: The comparison.
        out: The folder in which the adapters are.
        run_ids: Cell → its run.
    """
    for winner in winners(analysis):
        row = winner.cell.result
        adapter = resolved(out / row.adapter)
        if row.cell not in run_ids or not adapter.is_relative_to(resolved(out)):
            continue
        try:
            metadata, _ = read_metadata(adapter)
        except UserError:
            continue
        if metadata.text:
            key = f"{analysis.comparison.id}/model/{winner.task}"
            yield PlannedModel(winner, adapter, metadata, key, run_ids[row.cell])


@dataclass(frozen=True)
class ModelWriter:
    """Brings the models of one comparison into its experiment."""

    client: MlflowClient
    experiment: str

    def bring(self, analysis: Analysis, planned: Sequence[PlannedModel]) -> dict[str, str]:
        """Make the models that are missing, and delete those that are no winner's any more.

        Returns:
            Task → the model's id.
        """
        there = self._there(analysis.comparison.id)
        wanted = {(one.key, one.digest): one for one in planned}
        ids: dict[str, str] = {}
        for model in there:
            place = (model.tags.get(KEY, ""), model.tags.get(DIGEST, ""))
            one = wanted.get(place)
            if one is not None and str(model.status) == "READY" and one.winner.task not in ids:
                ids[one.winner.task] = str(model.model_id)
            elif REGISTERED not in model.tags:
                self.client.delete_logged_model(model.model_id)
        for one in planned:
            if one.winner.task not in ids:
                ids[one.winner.task] = self._make(analysis, one)
        return {one.winner.task: ids[one.winner.task] for one in planned}

    def _there(self, comparison: str) -> list[LoggedModel]:
        """The comparison's models, whatever became of them."""
        models: list[LoggedModel] = []
        token = None
        while True:
            page = self.client.search_logged_models([self.experiment], page_token=token)
            models += [model for model in page if model.tags.get(OWNER) == comparison]
            token = page.token
            if not token:
                return models

    def _make(self, analysis: Analysis, planned: PlannedModel) -> str:
        """Make a model; one that breaks off on the way is never ready, and deleted the next time.

        The tag with the digest comes first here: what says that a model is whole is its status.
        """
        from mlflow.entities import LoggedModelOutput

        row = planned.winner.cell.result
        tags = {
            KEY: planned.key,
            OWNER: analysis.comparison.id,
            DIGEST: planned.digest,
            "task": planned.winner.task,
            "method": row.method,
            "cell": row.cell,
        }
        model = self.client.create_logged_model(
            self.experiment,
            name=planned.name,
            source_run_id=planned.run_id,
            tags=tags,
            params={"method": row.method, "backbone": row.backbone, **flat(row.hyperparameters)},
            model_type="regressor" if not planned.metadata.labels else "classifier",
        )
        self._files(planned, model)
        self._figures(analysis, planned, model)
        self.client.log_outputs(planned.run_id, [LoggedModelOutput(model.model_id, 0)])
        self.client.finalize_logged_model(model.model_id, "READY")
        return str(model.model_id)

    def _files(self, planned: PlannedModel, model: LoggedModel) -> None:
        """The model's folder, in its place where that is on this machine."""
        place = local_folder(model.artifact_location)
        if place is not None:
            link_or_copy(planned.adapter, place / ADAPTER)
            write_description(place, model, planned.metadata)
            return
        with tempfile.TemporaryDirectory() as folder:
            link_or_copy(planned.adapter, Path(folder) / ADAPTER)
            write_description(Path(folder), model, planned.metadata)
            self.client.log_model_artifacts(model.model_id, folder)

    def _figures(self, analysis: Analysis, planned: PlannedModel, model: LoggedModel) -> None:
        """What the run scored and cost, with the run's own times: its points are not doubled."""
        from mlflow.entities import Metric

        shown = metrics_in_view(analysis.columns, planned.winner.cell, "cell_metric")
        figures = []
        for name in (name for name in FIGURES if name in shown):
            for point in self.client.get_metric_history(planned.run_id, name)[-1:]:
                figures.append(
                    Metric(
                        name,
                        point.value,
                        point.timestamp,
                        point.step,
                        model_id=model.model_id,
                        run_id=planned.run_id,
                    )
                )
        if figures:
            self.client.log_batch(planned.run_id, metrics=figures)
