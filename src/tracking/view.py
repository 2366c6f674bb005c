"""The experiment of a comparison, and the view of it that `tunebench ui` opens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis import Analysis, Column
from ..records import Comparison
from .origin import title

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

VIEW = "tunebench"
"""The name of the view in the page's address, `?viewStateShareKey=tunebench`."""


def _widths(columns: Sequence[Column]) -> dict[str, int]:
    """The columns of the page in their order, in points."""
    metrics = {f"metrics.`{each.name}`": each.mlflow_width for each in columns}
    shown = {name: width for name, width in metrics.items() if width}
    return {"attributes.`Run Name`": 250, "runDateAndNestInfo": 150, "duration": 90, **shown}


# MLflow's page reads shared views from tags of the experiment. Runs stand in the order of their
# start, since only then does it draw the tree; the first runs are the comparison and its studies.
def _tags(columns: Sequence[Column]) -> dict[str, str]:
    """The experiment's tags, the view of its page among them."""
    widths = _widths(columns)
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{VIEW}": json.dumps(
            {
                "orderByKey": "attributes.start_time",
                "orderByAsc": True,
                "startTime": "ALL",
                "lifecycleFilter": "Active",
                "searchFilter": "",
                "datasetsFilter": [],
                "modelVersionFilter": "All Runs",
                "selectedColumns": [name for name in widths if name.startswith("metrics.")],
                "columnOrder": list(widths),
                "columnWidths": widths,
            }
        ),
    }


def name(comparison: Comparison, owner: str) -> str:
    """The experiment's name; MLflow's pages head it with what follows the last slash.

    The same question has the same comparison everywhere. On a server that several output folders
    share, the owner keeps their runs apart, so that no folder rewrites or removes another's.
    """
    mine = f"{owner}/" if owner else ""
    return f"tunebench/{mine}{comparison.id}/{title(comparison)}"


def find(client: MlflowClient, comparison: Comparison, owner: str) -> str | None:
    """The experiment's id, if it is there and not deleted."""
    experiment = client.get_experiment_by_name(name(comparison, owner))
    if experiment is None or experiment.lifecycle_stage != "active":
        return None
    return str(experiment.experiment_id)


def experiment(client: MlflowClient, analysis: Analysis, owner: str, artifacts: Path | None) -> str:
    """The experiment's id; it is made, or taken back from the deleted ones, where it is not."""
    from mlflow.exceptions import MlflowException

    comparison = analysis.comparison
    there = client.get_experiment_by_name(name(comparison, owner))
    if there is not None:
        if there.lifecycle_stage != "active":
            client.restore_experiment(there.experiment_id)
        return str(there.experiment_id)
    root = None if artifacts is None else (artifacts / comparison.id).as_uri()
    try:
        return str(client.create_experiment(name(comparison, owner), root, _tags(analysis.columns)))
    except MlflowException:
        # Another process may have made it in between.
        there = client.get_experiment_by_name(name(comparison, owner))
        if there is None:
            raise
        return str(there.experiment_id)


def address(server: str, experiment_id: str) -> str:
    """The page of an experiment, with the tree of runs and the columns chosen."""
    query = f"viewStateShareKey={VIEW}&workflowType=machine_learning"
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?{query}"
