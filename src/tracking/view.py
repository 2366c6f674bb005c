"""The experiment of a comparison, and the view of it that `tunebench ui` opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..records import Comparison
from .origin import title

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

VIEW = "tunebench"
"""The name of the view in the page's address, `?viewStateShareKey=tunebench`."""

WIDTHS = {
    "attributes.`Run Name`": 250,
    "runDateAndNestInfo": 150,
    "duration": 90,
    "metrics.`accuracy`": 95,
    "metrics.`score`": 95,
    "metrics.`trainable_params`": 145,
    "metrics.`latency_ms`": 105,
    "metrics.`train_seconds`": 120,
}
"""The columns of the page in their order, in points."""

# MLflow's page reads shared views from tags of the experiment. Runs stand in the order of their
# start, since only then does it draw the tree; the first runs are the comparison and its studies.
TAGS = {
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
            "selectedColumns": [column for column in WIDTHS if column.startswith("metrics.")],
            "columnOrder": list(WIDTHS),
            "columnWidths": WIDTHS,
        }
    ),
}


def name(comparison: Comparison) -> str:
    """The experiment's name; MLflow's pages head it with what follows the last slash."""
    return f"tunebench/{comparison.id}/{title(comparison)}"


def find(client: MlflowClient, comparison: Comparison) -> str | None:
    """The experiment's id, if it is there and not deleted."""
    found = client.get_experiment_by_name(name(comparison))
    if found is None or found.lifecycle_stage != "active":
        return None
    return str(found.experiment_id)


def experiment(client: MlflowClient, comparison: Comparison, artifacts: Path | None) -> str:
    """The experiment's id; it is made, or taken back from the deleted ones, where it is not."""
    from mlflow.exceptions import MlflowException

    there = client.get_experiment_by_name(name(comparison))
    if there is not None:
        if there.lifecycle_stage != "active":
            client.restore_experiment(there.experiment_id)
        return str(there.experiment_id)
    root = None if artifacts is None else (artifacts / comparison.id).as_uri()
    try:
        return str(client.create_experiment(name(comparison), root, dict(TAGS)))
    except MlflowException:
        # Another process may have made it in between.
        there = client.get_experiment_by_name(name(comparison))
        if there is None:
            raise
        return str(there.experiment_id)


def address(server: str, experiment_id: str) -> str:
    """The page of an experiment, with the tree of runs and the columns chosen."""
    query = f"viewStateShareKey={VIEW}&workflowType=machine_learning"
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?{query}"
