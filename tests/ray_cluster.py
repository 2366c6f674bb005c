"""A Ray cluster of the tests' own: two nodes with a core each on this machine, gone afterwards."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not here: make setup-test"
)
STORE = 80 * 2**20
"""Bytes of a node's object store, the least that Ray takes."""
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
"""A node that is lost is missed within seconds."""


def at_work(node: Any) -> list[int]:
    """The processes of a node that run a task: Ray gives them its name as their title."""
    (raylet,) = node.all_processes["raylet"]
    parent = raylet.process.pid
    there = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    titles = {int(pid): Path(f"/proc/{pid}/cmdline") for pid in there}
    return [pid for pid, file in titles.items() if _text(file).startswith("ray::_run")]


def _text(file: Path) -> str:
    """What a file of the system says; nothing where its process is gone."""
    try:
        return file.read_text()
    except OSError:
        return ""


@contextlib.contextmanager
def running(nodes: int = 2) -> Iterator[Any]:
    """The cluster: `address`, and `remove_node(node, allow_graceful=False)` for its `nodes`."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    settings = {"num_cpus": 1, "object_store_memory": STORE}
    head = settings | {"include_dashboard": False, "_system_config": QUICK}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes - 1):
            cluster.add_node(**settings)
        yield cluster
    finally:
        cluster.shutdown()
