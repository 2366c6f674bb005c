"""MLflow's own server with one addition: a browser that is new to a comparison opens its view.

MLflow keeps the columns of its table in the browser. A view that is named in an address is shown
once and never kept: it is gone after F5, Back, or a click beside the table. So the server's first
page loads a script that puts the view where MLflow looks for what a person has chosen, for each
comparison of which that browser knows nothing yet. What a person changes afterwards stays theirs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import view

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SCRIPT = "/tunebench-views.js"
KEPT = "MLflowLocalStorage-1.1-ExperimentPage-{}-ReactComponentState"
"""MLflow's name, in the browser's storage, of what its page of an experiment shows."""
CODE = """(() => {
  const views = %s;
  try {
    for (const [name, wanted] of Object.entries(views)) {
      const kept = JSON.parse(localStorage.getItem(name) || "null");
      const state = kept || wanted;
      // The tree of a comparison is unfolded once, unless somebody folded it.
      state.runsExpanded = {...wanted.runsExpanded, ...state.runsExpanded};
      localStorage.setItem(name, JSON.stringify(state));
    }
    // The assistant would open over a quarter of the page.
    const panel = "mlflow.assistant.panelOpen_v1";
    if (localStorage.getItem(panel) === null) {
      localStorage.setItem(panel, "false");
      localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
    }
  } catch (error) {
    // Without storage MLflow shows its own columns.
  }
})();
"""


def script(client: MlflowClient) -> str:
    """The script for the comparisons of a store."""
    # Inside a script element of a page, and of older browsers', these would end something.
    content = json.dumps(dict(_views(client))).replace("<", "\\u003c")
    return CODE % content


def _views(client: MlflowClient) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name in the browser's storage → what the page of a comparison shows."""
    experiments = client.search_experiments(filter_string="name LIKE 'tunebench/%'")
    states = {
        str(one.experiment_id): state
        for one in experiments
        if (state := view.state_of(one.tags)) is not None
    }
    tops: dict[str, dict[str, bool]] = {}
    if states:
        runs = client.search_runs(list(states), "tags.kind = 'comparison'", max_results=1000)
        for run in runs:
            tops.setdefault(run.info.experiment_id, {})[run.info.run_id] = True
    for identity, state in states.items():
        yield (
            KEPT.format(json.dumps([identity])),
            {**state, "runsExpanded": tops.get(identity, {})},
        )


def serve(host: str, port: int) -> None:
    """Serve MLflow's pages on the store that the environment names, until a signal comes."""
    from mlflow.server import constants

    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = os.environ["MLFLOW_BACKEND_STORE_URI"]
    if root := os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT"):
        os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = root
    import uvicorn
    from mlflow.server.fastapi_app import app

    add_script()
    uvicorn.run(app, host=host, port=port, log_level="error")


def add_script() -> None:
    """Add the script to MLflow's first page, and the address under which it is found."""
    from flask import Response
    from mlflow.server import app
    from mlflow.tracking import MlflowClient

    client = MlflowClient(os.environ["MLFLOW_BACKEND_STORE_URI"])
    index = app.view_functions["serve"]

    def page() -> Any:
        response = index()
        if isinstance(response, Response) and response.mimetype == "text/html":
            response.direct_passthrough = False
            added = f'<head><script src="{SCRIPT}"></script>'
            response.set_data(response.get_data(as_text=True).replace("<head>", added, 1))
            # The same text for every browser would be another one for a newer version.
            response.headers["Cache-Control"] = "no-store"
        return response

    def views() -> Response:
        return Response(
            script(client), mimetype="text/javascript", headers={"Cache-Control": "no-store"}
        )

    app.view_functions["serve"] = page
    app.add_url_rule(SCRIPT, "tunebench_views", views)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
