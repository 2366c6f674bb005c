"""The chosen adapter as MLflow's model: it answers as the comparison did, and is no pickle."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from tunebench.__main__ import main
from tunebench.records import Result
from tunebench.store.runs import find_run
from tunebench.study import serving
from tunebench.tracking.address import VARIABLE

from tests import small, steady
from tests.study.answering import Compared, reviews, run_comparison

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),
    # And infers a type from hints of its own, when it is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.usefixtures("short_latency"),
]

NAME = "review mood"


@pytest.fixture(scope="module")
def short_latency() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "latency", steady.latency)
        patch.setattr(serving, "LATENCY_BATCHES", (1, 4))
        yield


@pytest.fixture(scope="module")
def compared(
    tmp_path_factory: pytest.TempPathFactory, fresh: Path, short_latency: None
) -> Compared:
    """Two methods on a tiny encoder, published in MLflow, the winner registered."""
    home = tmp_path_factory.mktemp("compared")
    out = home / "runs"
    out.mkdir()
    (out / "mlflow.db").write_bytes(fresh.read_bytes())
    backbone = small.make_folder(home / "backbone")
    flags = ("--backbone", str(backbone), "--methods=head,lora", f"--register={NAME}")
    before = Path.cwd()
    try:
        return run_comparison(home / "data", out, reviews, "body", "mood", *flags)
    finally:
        os.chdir(before)


def winner_of(compared: Compared) -> Result:
    return find_run(compared.out, "best").result


def frame_of(compared: Compared) -> pandas.DataFrame:
    return pandas.DataFrame({"body": [row["body"] for row in compared.rows]})


def assert_as_stored(answers: pandas.DataFrame, compared: Compared) -> None:
    stored = pandas.DataFrame(compared.stored(winner_of(compared)))
    assert list(answers["label"]) == list(stored["prediction"])
    names = [name for name in stored if name.startswith("probability_")]
    assert list(answers)[1:] == [name.removeprefix("probability_") for name in names]
    for name in names:
        column = answers[name.removeprefix("probability_")]
        assert list(column) == pytest.approx(list(stored[name]), abs=1e-6, rel=0)


@pytest.fixture
def client(compared: Compared) -> Iterator[MlflowClient]:
    uri, before = f"sqlite:///{compared.out}/mlflow.db", os.environ.get(VARIABLE)
    mlflow.set_tracking_uri(uri)
    yield MlflowClient(uri)
    # MLflow keeps the address in the environment too, where later tests would look.
    mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # none makes it forget the address


@pytest.fixture
def loaded(client: MlflowClient) -> Any:
    return mlflow.pyfunc.load_model(f"models:/{NAME}@champion")


def models_of(client: MlflowClient) -> list[Any]:
    ids = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_logged_models(ids))


def test_the_registered_winner_gives_the_stored_predictions(
    compared: Compared, client: MlflowClient, loaded: Any
) -> None:
    assert_as_stored(loaded.predict(frame_of(compared)), compared)
    (logged,) = models_of(client)
    again = mlflow.pyfunc.load_model(f"models:/{logged.model_id}").predict(frame_of(compared))
    assert_as_stored(again, compared)


def test_other_columns_are_passed_over_and_a_frame_keeps_its_index(
    compared: Compared, loaded: Any
) -> None:
    frame = frame_of(compared).assign(nr=1)[["nr", "body"]].iloc[5:8]
    answers = loaded.predict(frame)
    assert list(answers.index) == [5, 6, 7]
    pandas.testing.assert_frame_equal(
        answers.reset_index(drop=True),
        loaded.predict(frame_of(compared)).iloc[5:8].reset_index(drop=True),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"text": ["a film"]}, "body"),
        ({"body": ["a film", " "]}, "row 2: the text is empty"),
        ({"body": ["a film", None]}, "body|empty"),
    ],
)
def test_a_frame_that_cannot_be_answered_is_refused(
    frame: dict[str, list[str]], reason: str, loaded: Any
) -> None:
    with pytest.raises(MlflowException, match=reason):
        loaded.predict(pandas.DataFrame(frame))


def test_nothing_under_the_artifacts_is_a_pickle(compared: Compared) -> None:
    files = [path for path in (compared.out / "mlartifacts").rglob("*") if path.is_file()]
    assert any(path.name == "adapter.safetensors" for path in files)
    assert any(path.name == "model.py" for path in files)
    for path in files:
        start = path.read_bytes()[:2]
        # Pickles of protocol 2 on, archives such as torch's, and what is compressed.
        assert start[:1] != b"\x80", path
        assert start not in (b"PK", b"\x1f\x8b"), path
        assert path.suffix not in (".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"), path


def test_only_the_winner_is_a_model_and_its_adapter_is_the_store_s_file(
    compared: Compared, client: MlflowClient
) -> None:
    (logged,) = models_of(client)
    winner = winner_of(compared)
    assert logged.tags["cell"] == winner.cell
    assert logged.params["method"] == winner.method
    run = client.get_run(logged.source_run_id)
    assert run.data.tags["seed"] == str(winner.seed)
    assert [output.model_id for output in run.outputs.model_outputs] == [logged.model_id]
    assert {m.key: m.value for m in logged.metrics}["score"] == winner.score
    assert len(client.get_metric_history(run.info.run_id, "score")) == 1
    place = Path(logged.artifact_location.removeprefix("file://"))
    assert (place / "artifacts/adapter.safetensors").samefile(compared.out / winner.adapter)


def test_the_winner_is_marked_and_leads_to_the_line_that_loads_it(
    compared: Compared, client: MlflowClient
) -> None:
    ids = [each.experiment_id for each in client.search_experiments()]
    marked = client.search_runs(ids, "tags.winner = 'questions'")
    assert {run.data.tags["kind"] for run in marked} == {"study", "cell"}
    assert {run.data.tags["method"] for run in marked} == {winner_of(compared).method}
    for run in marked:
        note = run.data.tags["mlflow.note.content"]
        uri = re.search(r'set_tracking_uri\("(.+)"\)', note)
        model = re.search(r'load_model\("(.+)"\)', note)
        assert uri is not None
        assert model is not None
        mlflow.set_tracking_uri(uri[1])
        assert_as_stored(mlflow.pyfunc.load_model(model[1]).predict(frame_of(compared)), compared)
        linked = re.search(r"#/experiments/(\d+)/runs/(\w+)/artifacts", note)
        assert linked is not None
        cell = client.get_run(linked[2])
        assert cell.info.experiment_id == linked[1]
        assert cell.data.tags["seed"] == str(winner_of(compared).seed)
        assert [one.path for one in client.list_artifacts(linked[2], "adapter")]
        assert f"tunebench predict {winner_of(compared).cell}" in note


def test_a_folder_that_was_moved_still_loads(
    compared: Compared, tmp_path: Path, client: MlflowClient
) -> None:
    # MLflow keeps what its client is set to in the environment too, where we would look.
    del os.environ[VARIABLE]
    moved = tmp_path / "moved"
    shutil.copytree(compared.out, moved)
    hidden = compared.out.with_name("hidden")
    (compared.out / "mlartifacts").rename(hidden)
    try:
        # Whatever opens the folder next mends what MLflow remembers of places.
        assert main(["report", "--out", str(moved)]) == 0
        mlflow.set_tracking_uri(f"sqlite:///{moved}/mlflow.db")
        for name in (f"models:/{NAME}@champion", f"models:/{models_of(client)[0].model_id}"):
            assert_as_stored(mlflow.pyfunc.load_model(name).predict(frame_of(compared)), compared)
    finally:
        hidden.rename(compared.out / "mlartifacts")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def served(compared: Compared, tmp_path: Path) -> Iterator[str]:
    """The address of `mlflow models serve` on the registered model."""
    port = free_port()
    # MLflow looks for this program, which must be that of this very environment.
    program = tmp_path / "programs" / "uvicorn"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m uvicorn "$@"\n')
    program.chmod(0o755)
    line = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{NAME}@champion"]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{compared.out}/mlflow.db",
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }
    log = tmp_path / "served.txt"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [*line, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert running.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"{url}/ping", timeout=5):
                    break
            except OSError:
                time.sleep(0.5)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        running.wait(timeout=30)


def post(url: str, content: Any) -> Any:
    request = urllib.request.Request(
        f"{url}/invocations", json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def test_a_served_model_answers_posts_as_the_comparison_did(
    compared: Compared, served: str
) -> None:
    rows = frame_of(compared).to_dict(orient="records")
    answers = post(served, {"dataframe_records": rows})["predictions"]
    assert_as_stored(pandas.DataFrame(answers), compared)
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(served, {"dataframe_records": [{"body": " "}]})
    assert refused.value.code == 400
    assert "row 1: the text is empty" in refused.value.read().decode()
