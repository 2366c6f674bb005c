"""Which jobs a cluster gets, and what becomes of them: on made-up nodes, without Ray."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tunebench.config import SearchSettings
from tunebench.errors import UserError
from tunebench.progress import Quiet
from tunebench.records import Comparison
from tunebench.store.leases import Attempt, Leases, key_of
from tunebench.store.store import Store
from tunebench.study import remote
from tunebench.study.compare import compare
from tunebench.study.executors import ray
from tunebench.study.executors._cluster import Cluster, Lost, capacity_of
from tunebench.study.jobs import Job
from tunebench.study.remote import Returned, Setup, run_there

from tests import small
from tests.study.test_workers import table

Outcome = Callable[[int, Job], Returned | Lost | None]
"""By the handle and the job; none runs the job."""


class MadeUp(Cluster):
    """Nodes without the output folder; of the jobs that run the last one ends first."""

    def __init__(self, outcome: Outcome = lambda *_: None, capacity: Sequence[int] = (2,)) -> None:
        super().__init__(None)
        self.sent: list[tuple[Job, Any]] = []
        self.running: list[int] = []
        self.most = 0
        self.interrupted: list[int] = []
        self.closed = False
        self._outcome, self._capacity = outcome, list(capacity)

    def connect(self, setup: Setup, *, cpus: float, gpus: float) -> None:
        # The runner is another one, so that its folder is not taken for the sender's.
        self.setup = pickle.loads(pickle.dumps(dataclasses.replace(setup, runner="")))
        self.share = (cpus, gpus)

    def capacity(self) -> int:
        return self._capacity.pop(0) if len(self._capacity) > 1 else self._capacity[0]

    def submit(self, job: Job, kept: Any) -> int:
        self.sent.append((job, kept))
        self.running.append(len(self.sent) - 1)
        self.most = max(self.most, len(self.running))
        return self.running[-1]

    def wait(self, handles: Sequence[Any], seconds: float) -> list[Any]:
        assert sorted(handles) == sorted(self.running)
        return [self.running.pop()]

    def outcome(self, handle: Any) -> Returned | Lost:
        job, kept = self.sent[handle]
        made = self._outcome(handle, job)
        if made is None:
            made = run_there("run", lambda: self.setup, job, kept)
        copy: Returned | Lost = pickle.loads(pickle.dumps(made))
        return copy

    def interrupt(self, handle: Any) -> None:
        self.interrupted.append(handle)

    def close(self) -> None:
        self.closed = True


class Heard(Quiet):
    """Keeps the lines, and which jobs began and ended."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.under_way: set[tuple[str, ...]] = set()

    def note(self, text: str) -> None:
        self.lines.append(text)

    def phase(self, *what: str) -> None:
        assert what not in self.under_way
        self.under_way.add(what)

    def over(self, *what: str) -> None:
        self.under_way.remove(what)


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch, ray_is_here: None) -> None:
    monkeypatch.setattr(remote, "_prepared", {})
    monkeypatch.setattr(ray, "COUNTS_APART", 0.0)
    monkeypatch.setenv("SLURM_JOB_NAME", "none")  # what a node sets is taken back
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> Callable[..., Comparison]:
    """Runs a comparison on made-up nodes, or without any in this process."""

    def on(
        cluster: MadeUp | None, out: Path, progress: Quiet | None = None, **changes: Any
    ) -> Comparison:
        monkeypatch.setattr(ray, "Cluster", lambda address: cluster)
        name = "in_process" if cluster is None else "ray"
        settings = {"executor": name, "workers": 0, "methods": {"head": {}}, "seeds": (0, 1)}
        experiment = small.experiment(checkpoint, out, **(settings | changes))
        return compare(experiment, progress=progress or Quiet())

    return on


@pytest.mark.usefixtures("records_only")
def test_the_table_is_that_of_one_process_and_no_node_gets_more_than_it_can_run(
    make_out, on
) -> None:
    search = SearchSettings(trials=6, trial_epochs=1, epochs=1)
    expected = on(None, make_out("expected"), search=search)
    out, cluster, heard = make_out("ray"), MadeUp(capacity=(1, 3, 2)), Heard()
    comparison = on(cluster, out, heard, search=search)
    assert table(comparison) == table(expected)
    names = [job.name for job, _ in cluster.sent]
    assert len(set(names)) == len(names) == 6 + 2
    assert {job.kind for job, _ in cluster.sent} == {"trial", "cell"}
    assert all(row.latency_ms for row in comparison.results)  # measured here, once nothing runs
    assert cluster.most == 3
    assert cluster.share == (1, 0)
    assert cluster.closed
    assert not heard.under_way
    assert Store(out).damaged() == []
    assert not list((out / "work" / "leases").iterdir())


@pytest.mark.usefixtures("records_only")
def test_as_many_run_as_were_asked_for_whatever_the_nodes_can(make_out, on) -> None:
    """An autoscaler sees by what waits that more nodes are wanted."""
    cluster = MadeUp(capacity=(0,))
    comparison = on(cluster, make_out(), workers=2)
    assert {row.status for row in comparison.results} == {"complete"}
    assert cluster.most == 2


@pytest.mark.usefixtures("records_only")
def test_a_lost_node_s_job_runs_again_with_what_was_kept(make_out, on) -> None:
    def lost_once(handle: int, job: Job) -> Lost | None:
        return Lost("its node was lost") if handle == 0 else None

    cluster, heard = MadeUp(lost_once), Heard()
    comparison = on(cluster, make_out(), heard)
    assert {row.status for row in comparison.results} == {"complete"}
    first, again = (job for job, _ in cluster.sent[:2])
    assert first == again
    assert f"{first.what}: its node was lost; another takes it over" in heard.lines


@pytest.mark.usefixtures("records_only")
def test_a_job_that_loses_node_after_node_is_a_row_and_the_next_start_tries_it(
    make_out, on
) -> None:
    def loses(handle: int, job: Job) -> Lost | None:
        return Lost("its node had no memory left") if (job.kind, job.seed) == ("cell", 1) else None

    cluster, out = MadeUp(loses), make_out()
    rows = on(cluster, out).results
    assert [row.status for row in rows] == ["complete", "error"]
    assert rows[1].reason == "its node had no memory left, 4 times"
    assert sum(job.name == rows[1].cell for job, _ in cluster.sent) == ray.ATTEMPTS
    assert {row.status for row in on(MadeUp(), out).results} == {"complete"}


@pytest.mark.usefixtures("records_only")
def test_a_node_that_would_make_something_else_ends_the_run_in_one_line_and_nothing_is_lost(
    make_out, on
) -> None:
    def refuses(handle: int, job: Job) -> Returned | None:
        return Returned("node7", refused="other weights") if job.kind == "cell" else None

    cluster, out = MadeUp(refuses), make_out()
    with pytest.raises(UserError, match=r"^Ray's node node7: other weights$"):
        on(cluster, out)
    assert cluster.closed
    assert not list((out / "work" / "leases").iterdir())
    resumed = MadeUp()
    assert {row.status for row in on(resumed, out).results} == {"complete"}
    assert {job.kind for job, _ in resumed.sent} == {"cell"}


@pytest.mark.usefixtures("records_only")
def test_who_stops_calls_the_jobs_back_and_keeps_what_they_bring(make_out, on) -> None:
    class Stops(Heard):
        def phase(self, *what: str) -> None:
            super().phase(*what)
            if what[2] == "seed 1":
                raise KeyboardInterrupt

    kept = remote.np.frombuffer(b"a training", remote.np.uint8)

    def brings(handle: int, job: Job) -> Returned | None:
        return Returned("node", kept=kept, notes=("stopped",)) if job.kind == "cell" else None

    cluster, out, heard = MadeUp(brings), make_out(), Stops()
    with pytest.raises(KeyboardInterrupt):
        on(cluster, out, heard)
    assert cluster.interrupted == [1]
    ((job, _),) = cluster.sent[1:]
    assert Store(out).unfinished_path(job.writes).read_bytes() == b"a training"
    assert "stopped" in heard.lines
    resumed = MadeUp()
    on(resumed, out)
    assert bytes(next(sent for one, sent in resumed.sent if one.name == job.name)) == b"a training"


@pytest.mark.usefixtures("records_only")
def test_a_job_that_another_command_has_is_not_sent(make_out, on) -> None:
    """Its lease is somebody's on another machine, until it is given up."""
    out = make_out()
    name = on(MadeUp(), make_out("before")).trials[0].study + "/0"
    leases, attempt = Leases(out), Attempt(key_of(name), 1)
    leases.prepare()

    class Taken(MadeUp):
        def connect(self, setup: Setup, **share: float) -> None:
            super().connect(setup, **share)
            leases.claim(attempt, "another command", "a job")

    def given_up(handle: int, job: Job) -> None:
        leases.release(attempt)

    cluster = Taken(given_up)
    comparison = on(cluster, out, methods={"head": {}, "lora": {}})
    assert {row.status for row in comparison.results} == {"complete"}
    assert cluster.sent[0][0].method == "lora"
    (again,) = (job for job, _ in cluster.sent if job.name == name)
    assert again.attempt == 2


@pytest.mark.parametrize(
    ("resources", "cpus", "gpus", "expected"),
    [
        ({"CPU": 8.0}, 1, 0.0, 8),
        ({"CPU": 8.0}, 3, 0.0, 2),
        ({}, 1, 0.0, 0),
        ({"CPU": 8.0}, 1, 1.0, 0),
        ({"CPU": 64.0, "GPU": 8.0}, 4, 1.0, 8),
        ({"CPU": 64.0, "GPU": 8.0}, 16, 1.0, 4),
        ({"CPU": 64.0, "GPU": 2.0}, 1, 0.3, 6),  # three on each, not six and a rest
        ({"CPU": 64.0, "GPU": 2.0}, 1, 0.1, 20),
        ({"CPU": 64.0, "GPU": 2.0}, 1, 0.6, 2),
        ({"CPU": 64.0, "GPU": 7.0}, 1, 2.0, 3),
    ],
)
def test_a_node_has_as_many_places_as_cores_and_gpus_allow(
    resources: dict[str, float], cpus: float, gpus: float, expected: int
) -> None:
    assert capacity_of(resources, cpus, gpus) == expected
