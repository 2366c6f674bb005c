"""The script that brings a comparison's view to a browser that knows nothing of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from tunebench.tracking.pages import KEPT, script

from tests.records import comparison
from tests.tracking.folders import publish

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


def test_the_script_has_each_comparison_s_columns_and_its_tree_unfolded(
    tmp_path: Path, fresh: Path
) -> None:
    (tmp_path / "mlflow.db").write_bytes(fresh.read_bytes())
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert json.loads(views_in(script(client))) == {}
    publish(tmp_path, None, comparison(("sst2",), ("lora",), (0,)))
    client.create_experiment("somebody else's")
    (experiment,) = client.search_experiments(filter_string="name LIKE 'tunebench/%'")
    views = json.loads(views_in(script(client)))
    assert list(views) == [KEPT.format(f'["{experiment.experiment_id}"]')]
    (state,) = views.values()
    metrics = ["score", "trainable_params", "latency_ratio", "validation_score"]
    places = [state["selectedColumns"].index(f"metrics.`{name}`") for name in metrics]
    assert places == sorted(places)
    assert "params.`method`" in state["selectedColumns"]
    (top,) = client.search_runs([experiment.experiment_id], "tags.kind = 'comparison'")
    assert state["runsExpanded"] == {top.info.run_id: True}
    # A view that somebody damaged is passed over, and no text ends the script element.
    client.set_experiment_tag(experiment.experiment_id, "mlflow.sharedViewState.tunebench", "{")
    assert json.loads(views_in(script(client))) == {}


def views_in(text: str) -> str:
    views = re.search(r"const views = (.*);$", text, re.MULTILINE)
    assert views is not None
    return views[1]
