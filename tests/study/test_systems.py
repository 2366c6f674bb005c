"""A comparison runs to its end on systems that lack what Linux has."""

import ctypes
import fcntl
import os
import threading
import types
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from tunebench.study.compare import compare

from tests import small


def without_affinity(monkeypatch):
    """Python on macOS has no `os.sched_getaffinity`."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)


def without_malloc_trim(monkeypatch):
    """Only glibc has `malloc_trim`."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: types.SimpleNamespace())


def without_proc(monkeypatch):
    """MacOS has no /proc."""
    hide(monkeypatch, "/proc/self/clear_refs", "/proc/self/status")


def without_status(monkeypatch):
    """A container may show one file of /proc and not the other."""
    hide(monkeypatch, "/proc/self/status")


def without_links(monkeypatch):
    """Some file systems have no hard links."""
    monkeypatch.setattr(os, "link", refuse)


def without_locks_beside(monkeypatch):
    """A lock of MLflow's tables is refused, though the folder's own is granted."""
    inner = fcntl.flock

    def flock(file, operation):
        if "mlflow" in str(file.name):
            refuse()
        inner(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)


def hide(monkeypatch, *names):
    """Nothing can be read from or written to these paths."""

    def hiding(inner):
        def call(path, *arguments, **named):
            if str(path) in names:
                raise FileNotFoundError(2, "No such file or directory", str(path))
            return inner(path, *arguments, **named)

        return call

    for name in ("read_text", "write_text"):
        monkeypatch.setattr(Path, name, hiding(getattr(Path, name)))


def refuse(*arguments, **named):
    raise OSError(95, "Operation not supported")


SYSTEMS = (
    without_affinity,
    without_malloc_trim,
    without_proc,
    without_status,
    without_links,
    without_locks_beside,
)


@pytest.mark.parametrize("take_away", SYSTEMS, ids=lambda system: system.__name__)
def test_a_comparison_runs_to_its_end_without(take_away, checkpoint, out, monkeypatch):
    take_away(monkeypatch)
    if take_away is without_locks_beside:
        # The lock is taken where the tables are made.
        (out / "mlflow.db").unlink()
    experiment = small.experiment(checkpoint, out, methods={"head": {}})
    comparison = compare(experiment)
    (row,) = comparison.results
    assert (row.status, row.reason) == ("complete", "")
    readable = take_away not in (without_proc, without_status)
    linux = Path("/proc/self/clear_refs").exists()
    assert (row.peak_memory_mib is not None) == (readable and linux)
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    (cell,) = [run for run in runs if run.data.tags["kind"] == "cell"]
    names = {file.path for file in client.list_artifacts(cell.info.run_id)}
    assert names == {"adapter", "predictions"}


def test_a_comparison_runs_outside_the_main_thread(checkpoint, out, records_only):
    """Only the main thread may receive signals."""
    ended = []

    def run():
        experiment = small.experiment(checkpoint, out, methods={"head": {}})
        ended.extend(row.status for row in compare(experiment).results)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ended == ["complete"]


def test_a_notebook_shows_a_line_for_each_cell(checkpoint, out, records_only, monkeypatch, capsys):
    import sys

    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    compare(small.experiment(checkpoint, out))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("[")] == [
        "[1/2] reviews head seed 0",
        "[2/2] reviews lora seed 0",
    ]
