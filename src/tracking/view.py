"""The experiment of a comparison, and the view of it that `tunebench ui` opens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis import Analysis, Column
from ..records import Comparison
from .differ import GROUP, SPREAD, WINNER
from .origin import title
from .planned_run import milliseconds

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

VIEW = "tunebench"
"""The name of the view in the page's address, `?viewStateShareKey=tunebench`."""
TITLE = "Score, parameters and latency"
"""The name of the view in MLflow's menu of views."""
STATE = f"mlflow.sharedViewState.{VIEW}"
"""The tag of the experiment that has the view."""
MARKS = {f"tags.`{GROUP}`": 70, f"tags.`{WINNER}`": 80}
"""Columns of what a comparison says of its studies in the end."""
SETTINGS = {"params.`method`": 110, "params.`lr`": 90}
"""Columns of settings, by which trials and cells of a study differ."""


def _widths(columns: Sequence[Column]) -> dict[str, int]:
    """The columns of the page in their order, in points."""
    in_order = sorted(columns, key=lambda column: column.table_place)
    metrics = {f"metrics.`{each.name}`": each.mlflow_width for each in in_order}
    shown: dict[str, int] = {}
    for name, width in metrics.items():
        if width:
            shown[name] = width
        if name == "metrics.`score`":
            shown[f"metrics.`{SPREAD}`"] = 95
        if name == "metrics.`latency_ratio`":
            shown |= MARKS
    return {
        "attributes.`Run Name`": 250,
        "runDateAndNestInfo": 150,
        "duration": 90,
        **shown,
        **SETTINGS,
    }


# Runs stand in the order of their start, since only then does MLflow's page draw the tree; the
# first runs are the comparison and its studies.
def _state(columns: Sequence[Column]) -> dict[str, object]:
    """What MLflow's page of an experiment shows: its filters, its columns, its charts."""
    widths = _widths(columns)
    return {
        "orderByKey": "attributes.start_time",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "searchFilter": "",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [name for name in widths if "`" in name and "Run Name" not in name],
        "columnOrder": list(widths),
        "columnWidths": widths,
        "compareRunSections": [_section("first", "Score, parameters, latency")],
        "compareRunCharts": _charts(),
    }


def _section(identity: str, title: str) -> dict[str, object]:
    return {
        "uuid": identity,
        "name": title,
        "display": True,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
    }


def _charts() -> list[dict[str, object]]:
    """The drawings of MLflow's chart view: the score, and what it costs."""
    common = {"metricSectionId": "first", "deleted": False, "isGenerated": False}
    score = {"key": "score", "type": "METRIC"}
    return [
        {
            **common,
            "uuid": "score",
            "type": "BAR",
            "metricKey": "score",
            "runsCountToCompare": 20,
        },
        *(
            {
                **common,
                "uuid": f"score by {cost}",
                "type": "SCATTER",
                "xaxis": {"key": cost, "type": "METRIC"},
                "yaxis": score,
                "runsCountToCompare": 100,
            }
            for cost in ("trainable_params", "latency_ratio")
        ),
    ]


def _tags(columns: Sequence[Column], created: int) -> dict[str, str]:
    """The experiment's tags, the view of its page among them.

    Args:
        columns: Every column of the comparison.
        created: When it was planned, in milliseconds since 1970.
    """
    view = {
        "name": TITLE,
        "createdAt": created,
        "updatedAt": created,
        "state": json.dumps(_state(columns)),
    }
    return {"mlflow.experimentKind": "custom_model_development", STATE: json.dumps(view)}


def state_of(tags: Mapping[str, str]) -> dict[str, Any] | None:
    """The view that an experiment's tags have; none where it is not read."""
    try:
        state = json.loads(json.loads(tags[STATE])["state"])
    except (LookupError, ValueError, TypeError):
        return None
    return state if isinstance(state, dict) else None


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
    tags = _tags(analysis.columns, milliseconds(comparison.created))
    there = client.get_experiment_by_name(name(comparison, owner))
    if there is not None:
        if there.lifecycle_stage != "active":
            client.restore_experiment(there.experiment_id)
        for tag, text in tags.items():
            if there.tags.get(tag) != text:
                client.set_experiment_tag(there.experiment_id, tag, text)
        return str(there.experiment_id)
    root = None if artifacts is None else (artifacts / comparison.id).as_uri()
    try:
        return str(client.create_experiment(name(comparison, owner), root, tags))
    except MlflowException:
        # Another process may have made it in between.
        there = client.get_experiment_by_name(name(comparison, owner))
        if there is None:
            raise
        return str(there.experiment_id)


def artifacts_page(experiment_id: str, run_id: str) -> str:
    """Where MLflow's pages show a run's files, as a link from any of its pages."""
    return f"#/experiments/{experiment_id}/runs/{run_id}/artifacts"


def address(server: str, experiment_id: str, *, shared: bool) -> str:
    """The page of an experiment; `shared` names the view in it, for servers that are not ours."""
    query = f"viewStateShareKey={VIEW}&" if shared else ""
    page = f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs"
    return f"{page}?{query}workflowType=machine_learning"
