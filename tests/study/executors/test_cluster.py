"""Ray itself: a driver and a node are lost, and the table is that of one process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tunebench.progress import Quiet
from tunebench.reachability import grpc_unreachable
from tunebench.records import Result
from tunebench.store.store import Store
from tunebench.study.compare import compare
from tunebench.study.doctor import examine

from tests import ray_cluster, small
from tests.study.killing_workers import experiment
from tests.study.test_workers import table

pytestmark = [pytest.mark.slow, ray_cluster.needs_ray]
SEEDS = tuple(range(6))
CELLS = 12
WAIT = 300.0
"""Seconds until what is waited for never comes."""


class Killing(Quiet):
    """Kills a node of the cluster in the middle of a job, when some cells are there.

    It keeps the cells that end, and the lines. The driver goes on handing out jobs meanwhile.
    """

    def __init__(self, cluster: Any, after: int) -> None:
        self.cluster, self.after = cluster, after
        self.ended: list[str] = []
        self.notes: list[str] = []
        self.killed = False
        self.killer = threading.Thread(target=self._kill)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finished(self, result: Result) -> None:
        self.ended.append(result.cell)
        if len(self.ended) == self.after:
            self.killer.start()

    def _kill(self) -> None:
        (node,) = self.cluster.worker_nodes
        process = stopped_in_a_job(node)
        self.cluster.remove_node(node, allow_graceful=False)
        with contextlib.suppress(ProcessLookupError):  # it may have gone with its node
            os.kill(process, signal.SIGKILL)
        self.killed = True


def stopped_in_a_job(node: Any) -> int:
    """A process of a node that runs a job, stopped in it, so that the job cannot end any more."""
    end = time.monotonic() + WAIT
    while True:
        for process in ray_cluster.at_work(node):
            os.kill(process, signal.SIGSTOP)
            if process in ray_cluster.at_work(node):
                return process
            os.kill(process, signal.SIGCONT)
        assert time.monotonic() < end, "the node never runs a job"
        time.sleep(0.01)


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def killed_driver(checkpoint: Path, out: Path, settings: dict[str, Any]) -> list[str]:
    """A driver that is killed once some cells are there; their names."""
    line = {"role": "compare", "checkpoint": str(checkpoint), "out": str(out), "workers": 0}
    command = [
        sys.executable,
        "-m",
        "tests.study.working",
        json.dumps(line | {"changes": settings}),
    ]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as driver:
        end = time.monotonic() + WAIT
        while len(list(out.glob("cells/*.json"))) < 3:
            assert driver.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        os.kill(driver.pid, signal.SIGKILL)
    return [path.stem for path in out.glob("cells/*.json")]


@pytest.mark.usefixtures("records_only")
def test_a_lost_driver_and_a_lost_node_change_no_figure(checkpoint: Path, make_out: Any) -> None:
    expected = compare(
        experiment(str(checkpoint), str(make_out("expected")), workers=1, seeds=SEEDS)
    )
    out = make_out("ray")
    with ray_cluster.running() as cluster:
        host, _, port = cluster.address.rpartition(":")
        assert grpc_unreachable(host, int(port)) == ""
        settings = {"seeds": SEEDS, "executor": "ray", "address": cluster.address}
        before = killed_driver(checkpoint, out, settings)
        progress = Killing(cluster, after=2)
        # The same again: it goes on.
        comparison = compare(
            experiment(str(checkpoint), str(out), workers=0, **settings), progress=progress
        )
        progress.killer.join()
    assert progress.killed
    assert table(comparison) == table(expected)
    names = sorted(row.cell for row in expected.results)
    assert sorted([*before, *progress.ended]) == names
    assert len(names) == CELLS
    lost = [line for line in progress.notes if "lost" in line]
    assert len(lost) == 1, progress.notes
    assert lost[0].endswith("; another takes it over")
    assert all(row.latency_ms for row in comparison.results)
    assert examine(out) == []
    assert Store(out).damaged() == []


def test_the_program_starts_a_cluster_and_prints_what_it_prints_without_one(
    checkpoint: Path, out: Path
) -> None:
    """Ray has a lot to say on standard output; there must be nothing but JSON."""
    settings = small.experiment(checkpoint, out)
    line = [
        *(sys.executable, "-m", "tunebench", "compare", settings.tasks[0], "--json"),
        *("--methods=head", f"--backbone={checkpoint}", f"--test={settings.data.test}"),
        *("--search.trials=1", "--executor=ray", "--address=local", "--workers=1"),
        f"--out={out}",
    ]
    run = subprocess.run(line, env=environment(), capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["rows"][0]["method"] == "head"
    assert "Ray: room for" in run.stderr
    assert "raylet" not in run.stderr.lower()
    assert "Traceback" not in run.stderr
