"""A store that does not answer, is spoilt, or has a password in its address."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tunebench.analysis import analyse
from tunebench.tracking import Tracker, TrackingError

from tests.records import comparison
from tests.tracking.mirrored import content, sync

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")

CANARY = "canary-d41d8cd9"


def test_no_password_reaches_messages_runs_or_logs(
    out: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    uri = f"http://someone:{CANARY}@127.0.0.1:9"
    whole = comparison(tasks=("sst2",), methods=("lora",))
    whole = dataclasses.replace(
        whole,
        experiment={**whole.experiment, "tracking_uri": uri},
        command=f"tunebench compare sst2 --tracking-uri {uri}",
        notes={"sst2": (f"see {uri}",)},
    )
    with pytest.raises(TrackingError) as caught:
        sync(Tracker(uri, out), whole)
    assert caught.value.__suppress_context__
    sync(Tracker(None, out), whole)
    shown = [str(caught.value), caplog.text, *capfd.readouterr(), str(content(out))]
    shown += [path.read_text() for path in (out / "mlartifacts").rglob("*.json")]
    assert not [text for text in shown if CANARY in text]
    assert CANARY.encode() not in (out / "mlflow.db").read_bytes()
    assert "***@127.0.0.1:9" in str(caught.value)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_never_answers_is_given_up(
    silent: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    tracker = Tracker(silent, out)
    with pytest.raises(TrackingError, match="is not reachable or not writable"):
        tracker.prepare()
    assert sync(tracker, comparison(), status="running") == {}


def test_a_failed_store_is_left_alone_until_the_end(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparison(tasks=("sst2",), methods=("lora",))
    tracker = Tracker("http://127.0.0.1:9", out)
    with pytest.raises(TrackingError):
        sync(tracker, whole, status="running")
    assert sync(tracker, whole, status="running") == {}
    with pytest.raises(TrackingError):
        sync(tracker, whole)


def test_a_database_that_stops_being_one_during_a_run_is_made_again(out: Path) -> None:
    (out / "mlflow.db").write_bytes(b"not a database" * 100)
    tracker = Tracker(None, out)
    assert sync(tracker, comparison())
    (note,) = tracker.notes
    assert note.startswith("mlflow.db cannot be used (")
    assert note.endswith("set aside as mlflow.db.damaged-1, made again")
    assert tracker.check(analyse(comparison())) == []
