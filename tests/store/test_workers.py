"""Who works in a folder, and who is gone: by the file system's clock, and by process ids."""

import dataclasses
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tunebench.errors import CannotWrite
from tunebench.store import workers as module
from tunebench.store.workers import EXPIRY, Process, Workers


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    made = Workers(tmp_path)
    made.prepare()
    return made


def elsewhere() -> Process:
    """A process of another host."""
    return dataclasses.replace(Process.this(), host="far", place="another boot")


def test_a_worker_is_there_from_when_it_joins_till_it_leaves(workers):
    worker = workers.join("abc", 3)
    assert workers.there() == [worker]
    assert (worker.process.pid, worker.count) == (os.getpid(), 3)
    workers.leave("abc")
    workers.leave("abc")
    assert workers.there() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": {}}', '{"process": {"pid": "1"}}'])
def test_a_worker_whose_file_is_garbage_is_left_out(workers, text):
    worker = workers.join("abc", 3)
    workers.join("def", 1)
    workers.file("def").write_text(text)
    assert workers.there() == [worker]


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_host_whose_clock_is_an_hour_off_loses_nothing_and_keeps_nothing_longer(
    workers, monkeypatch, hours
):
    """Ages are differences of times that the file system wrote."""
    real = time.time
    for name in ("time", "time_ns"):
        factor = 1e9 if name == "time_ns" else 1
        moved = lambda factor=factor: real() * factor + hours * 3600 * factor  # noqa: E731
        monkeypatch.setattr(time, name, moved)
    workers.join("abc", 1)
    now = workers.now()
    assert not workers.is_gone(workers.file("abc"), elsewhere(), now)
    os.utime(workers.file("abc"), (now - EXPIRY - 1, now - EXPIRY - 1))
    assert workers.is_gone(workers.file("abc"), elsewhere(), now)


def test_a_disk_whose_clock_is_an_hour_off_counts_ages_in_its_own_time(tmp_path):
    """The server of a network disk may go wrong too: only its own times meet."""
    hour = 3600.0

    def touch(path: Path) -> None:
        os.utime(path, (time.time() - hour, time.time() - hour))

    workers = Workers(tmp_path, touch)
    workers.prepare()
    workers.join("abc", 1)
    assert not workers.is_gone(workers.file("abc"), elsewhere(), workers.now())
    assert workers.is_gone(workers.file("abc"), elsewhere(), workers.now() + EXPIRY + 5)


def test_who_has_no_file_any_more_is_gone(workers):
    assert workers.is_gone(workers.file("nobody"), elsewhere(), workers.now())


def test_a_process_of_this_host_that_has_ended_is_gone_at_once(workers):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = dataclasses.replace(Process.this(), pid=child.pid, started=module._started(child.pid))
    workers.join("abc", 1)
    assert not workers.is_gone(workers.file("abc"), process, workers.now())
    child.kill()
    child.communicate()
    assert workers.is_gone(workers.file("abc"), process, workers.now())
    # The same number on another host, or in another container, says nothing.
    other = dataclasses.replace(process, place="another boot")
    assert not workers.is_gone(workers.file("abc"), other, workers.now())
    # Where a system has no way to say, age alone counts.
    unknown = dataclasses.replace(process, place="")
    assert not workers.is_gone(workers.file("abc"), unknown, workers.now())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_id_that_is_used_again_is_another_process():
    this = Process.this()
    assert not this.is_dead
    assert dataclasses.replace(this, started="1").is_dead


def test_what_is_run_is_read_by_who_joins_until_it_ends(workers):
    assert workers.run() is None
    workers.lead({"comparison": "c"})
    run, leader = workers.run()
    assert (run["comparison"], leader) == ("c", Process.this())
    assert not workers.is_gone(workers.run_file, elsewhere(), workers.now())
    assert [path.name for path in workers.folder.iterdir() if path.is_file()] == [
        name for name in os.listdir(workers.folder) if name in ("clock", "run.json")
    ]
    workers.end()
    workers.end()
    assert workers.run() is None


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"process": {"host": 1}})])
def test_what_is_run_is_nothing_where_the_file_is_garbage(workers, text):
    workers.run_file.write_text(text)
    assert workers.run() is None


def test_a_timed_job_waits_for_all_others_on_its_host_and_they_for_it(workers):
    (path,) = _host_file(workers)
    with workers.on_this_host(exclusive=False), workers.on_this_host(exclusive=False):
        assert not _free(path, fcntl.LOCK_EX)
        assert _free(path, fcntl.LOCK_SH)
    with workers.on_this_host(exclusive=True):
        assert not _free(path, fcntl.LOCK_SH)
    assert _free(path, fcntl.LOCK_EX)


def _host_file(workers: Workers) -> list[Path]:
    with workers.on_this_host(exclusive=False):
        return list((workers.folder / "hosts").iterdir())


def _free(path: Path, kind: int) -> bool:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "work").write_text("")
    with pytest.raises(CannotWrite, match=r"^cannot write .*work: "):
        Workers(tmp_path).prepare()
