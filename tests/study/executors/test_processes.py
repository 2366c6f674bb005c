"""Several processes: who gets which job, what is timed alone, and processes that are lost."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tunebench.config import Experiment, TrainSettings
from tunebench.errors import CannotWrite, UserError
from tunebench.files import busy, file_lock
from tunebench.progress import Quiet
from tunebench.records import Trial
from tunebench.study.execution import Execution
from tunebench.study.executors import processes
from tunebench.study.executors.processes import Processes
from tunebench.study.jobs import Job

WAIT = 60
"""Seconds after which a test gives up on another process."""


class Heard(Quiet):
    """Keeps what a reader would see."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.events: list[tuple[Any, ...]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def phase(self, *what: object) -> None:
        self.events.append(("phase", *what))

    def over(self, *what: object) -> None:
        self.events.append(("over", *what))

    def step(self, *what: object) -> None:
        self.events.append(("step", *what))


class Stub(Execution):
    """An execution whose jobs are functions of the test."""

    def __init__(self, do: Callable[[Job, Any], Any], progress: Any = None) -> None:
        progress = progress or Heard()
        context = SimpleNamespace(progress=progress, experiment=Experiment())
        run = SimpleNamespace(context=context, origin=lambda *_: {})
        for name, value in {"do": do, "progress": progress, "run": run}.items():
            object.__setattr__(self, name, value)

    do: Callable[[Job, Any], Any]
    progress: Any

    @property
    def can_be_forked(self) -> bool:
        return True

    def beside_others(self, progress: Any) -> Stub:
        return Stub(self.do, progress)

    def lost(self, job: Job, reason: str) -> Trial:
        return Trial(job.study, 0, "error", {}, None, 0.0, reason)

    def __call__(self, job: Job) -> Trial:
        value = self.do(job, self.progress)
        return Trial(job.study, 0, "complete", {"value": value}, None, 0.0)


def job(name: str, kind: Any = "trial", **settings: Any) -> Job:
    return Job(kind=kind, name=name, task="sst2", method=name, study="study", number=0, **settings)


def run(jobs: list[Job], stub: Stub, workers: int = 2) -> dict[str, Any]:
    """Runs jobs that need nothing; each record by its job's name."""
    records: dict[str, Any] = {}

    def ready() -> Iterator[Job]:
        return (one for one in jobs if one.name not in records)

    executor = Processes(workers)
    try:
        for pair in executor.run(ready, stub):
            if pair is None:  # nothing has ended yet
                continue
            one, record = pair
            assert one.name not in records
            assert isinstance(record, Trial)
            ended = record.status == "complete"
            records[one.name] = record.params["value"] if ended else record
    finally:
        executor.close()
    return records


def until(condition: Callable[[], bool]) -> None:
    """Waits for another process."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "another process did not do what was waited for"
        time.sleep(0.01)


def test_jobs_run_side_by_side_in_processes_of_their_own(tmp_path: Path) -> None:
    def meets_the_other(one: Job, _: Any) -> int:
        (tmp_path / one.name).touch()
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        return os.getpid()

    records = run([job("a"), job("b")], Stub(meets_the_other))
    assert len({*records.values(), os.getpid()}) == 3


def test_every_job_is_run_once_however_many_workers_there_are(tmp_path: Path) -> None:
    def counted(one: Job, _: Any) -> str:
        with (tmp_path / one.name).open("a") as file:
            file.write("x")
        return one.name

    jobs = [job(f"job{number}") for number in range(12)]
    for workers in (1, 2, 5):
        assert run(jobs, Stub(counted), workers) == {one.name: one.name for one in jobs}
    assert {path.read_text() for path in tmp_path.iterdir()} == {"xxx"}


def test_a_job_that_waited_for_a_record_is_handed_out_after_it() -> None:
    records: dict[str, Any] = {}
    jobs = [job("a"), job("b"), job("after", needs=("a", "b"))]

    def ready() -> Iterator[Job]:
        return (j for j in jobs if j.name not in records and set(j.needs) <= records.keys())

    executor = Processes(2)
    for ended in executor.run(ready, Stub(lambda one, _: one.name)):
        if ended is not None:
            records[ended[0].name] = ended[1]
    executor.close()
    assert list(records)[-1] == "after"


def test_what_is_timed_has_the_machine_to_itself(tmp_path: Path) -> None:
    """Measurements stand first in the plan, and run last, one at a time."""

    def noted(one: Job, _: Any) -> tuple[float, float]:
        begin = time.monotonic()
        time.sleep(0.05)
        return begin, time.monotonic()

    timed = [job(f"timed{number}", "measurement", needs=("x",)) for number in range(2)]
    trained = [job(f"trained{number}") for number in range(3)]
    records = run([timed[0], *trained, timed[1]], Stub(noted), workers=3)
    for one in timed:
        begin, end = records[one.name]
        others = [span for name, span in records.items() if name != one.name]
        assert all(last <= begin or first >= end for first, last in others)
    assert max(records[one.name][1] for one in trained) <= min(records[t.name][0] for t in timed)


def test_a_lost_process_is_replaced_and_its_job_run_again(tmp_path: Path) -> None:
    def dies_once(one: Job, _: Any) -> str:
        if one.name == "a" and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return one.name

    stub = Stub(dies_once)
    assert run([job("a"), job("b"), job("c")], stub) == {"a": "a", "b": "b", "c": "c"}
    (note,) = stub.progress.notes
    assert (
        note == "sst2 a: the process that ran it ended by signal 9; another process takes it over"
    )


def test_a_job_that_loses_every_process_is_a_row_and_the_others_run() -> None:
    def dies(one: Job, _: Any) -> str:
        if one.name == "a":
            os._exit(3)
        return one.name

    records = run([job("a"), job("b"), job("c")], Stub(dies))
    assert (records["b"], records["c"]) == ("b", "c")
    assert records["a"].status == "error"
    assert records["a"].reason == "the process that ran it ended with exit code 3, 2 times"


@pytest.mark.parametrize(
    "error", [CannotWrite("cannot write here: full"), OSError(30, "Read-only file system", "here")]
)
def test_where_a_process_cannot_write_the_run_ends_with_its_line(error: Exception) -> None:
    """Another process would find the same folder: the job is not given to one."""
    stub = Stub(lambda job, progress: (_ for _ in ()).throw(error))
    with pytest.raises(UserError) as raised:
        run([job("one"), job("two"), job("three")], stub)
    assert str(raised.value) == str(error)
    assert stub.progress.notes == []


def test_closing_ends_what_still_runs(tmp_path: Path) -> None:
    def sleeps(one: Job, _: Any) -> None:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(WAIT)

    executor = Processes(2)
    records = executor.run(lambda: iter([job("a"), job("b")]), Stub(sleeps))
    child = os.fork()
    if child == 0:  # so that the test itself can look on while the executor waits
        signal.signal(signal.SIGTERM, lambda *_: (executor.close(), os._exit(0)))
        with contextlib.suppress(BaseException):
            for _ in records:
                pass
        os._exit(1)  # whatever happens, the child does not go on as this test
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    os.kill(child, signal.SIGTERM)
    assert os.waitpid(child, 0)[1] == 0
    for path in tmp_path.iterdir():
        until(lambda path=path: not alive(int(path.name)))  # type: ignore[misc]


def test_workers_end_with_the_process_that_started_them_however_it_ends(tmp_path: Path) -> None:
    def sleeps(one: Job, _: Any) -> None:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(WAIT)

    child = os.fork()
    if child == 0:
        run([job("a"), job("b")], Stub(sleeps))
        os._exit(0)
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for path in tmp_path.iterdir():
        until(lambda path=path: not alive(int(path.name)))  # type: ignore[misc]


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody waited for is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_worker_does_not_hold_the_folder_that_its_runner_has_locked(tmp_path: Path) -> None:
    """Else whoever starts again at once, after the runner was killed, would be refused."""

    def open_locks(one: Job, _: Any) -> int:
        links = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return links.count(str(tmp_path / ".lock"))

    with file_lock(tmp_path):
        assert run([job("a")], Stub(open_locks), workers=1) == {"a": 0}
        assert busy(tmp_path)
    assert not busy(tmp_path)


def test_progress_is_shown_by_the_process_that_started_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "STEPS_APART", 0.0)

    def tells(one: Job, progress: Any) -> str:
        progress.phase("sst2", one.name, "seed 0")
        progress.step(1, 2, 0.5)
        progress.note("out of memory; again with 8 examples")
        progress.over("sst2", one.name, "seed 0")
        return one.name

    stub = Stub(tells)
    run([job("a")], stub, workers=1)
    assert stub.progress.notes == ["out of memory; again with 8 examples"]
    assert stub.progress.events == [
        ("phase", "sst2", "a", "seed 0"),
        ("step", 1, 2, 0.5),
        ("over", "sst2", "a", "seed 0"),
    ]


def test_steps_are_sent_no_more_often_than_they_can_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "STEPS_APART", 1000.0)

    def steps(one: Job, progress: Any) -> str:
        progress.phase("sst2", one.name, "seed 0")
        for number in range(50):
            progress.step(number, 50, 0.5)
        return one.name

    stub = Stub(steps)
    run([job("a")], stub, workers=1)
    assert [event for event in stub.progress.events if event[0] == "step"] == [("step", 0, 50, 0.5)]


def test_a_worker_is_deaf_to_an_interrupt_that_reaches_the_whole_terminal() -> None:
    def interrupted(one: Job, _: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return one.name

    assert run([job("a")], Stub(interrupted)) == {"a": "a"}


def test_each_fresh_process_sees_one_gpu_where_there_are_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "CUDA_VISIBLE_DEVICES"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for before, expected in ((None, ["0", "1", "0"]), ("5,7", ["5", "7", "5"])):
        monkeypatch.delenv(name, raising=False)
        if before is not None:
            monkeypatch.setenv(name, before)
        seen = []
        for number in range(3):
            with processes._gpus_of(number, 1, enabled=True):
                seen.append(os.environ.get(name))
        assert seen == expected
        assert os.environ.get(name) == before
        with processes._gpus_of(1, 1, enabled=False):
            assert os.environ.get(name) == before


def test_each_fresh_process_sees_the_gpus_of_its_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Different ones for each training, however many processes there are."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    seen = []
    for number in range(3):
        with processes._gpus_of(number, 2, enabled=True):
            seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert seen == ["4,5", "6,4", "5,6"]


@pytest.mark.parametrize(
    ("threads", "device", "expected"), [(1, "cpu", True), (2, "cpu", False), (1, "meta", False)]
)
def test_only_one_thread_on_a_cpu_survives_a_fork(
    threads: int, device: str, expected: bool
) -> None:
    experiment = Experiment(train=TrainSettings(threads=threads))
    embedding = SimpleNamespace(weight=torch.empty(1, device=device))
    base_model = SimpleNamespace(embedding=embedding)
    context = SimpleNamespace(experiment=experiment, base_model=base_model)
    prepared: Any = SimpleNamespace(context=context)
    assert Execution(prepared, ()).can_be_forked is expected
