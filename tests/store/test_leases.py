"""A job is one process's until its lease is gone: claims, renewals, and what comes too late."""

import json
import multiprocessing
import os
import re
import time
from pathlib import Path

import pytest
from tunebench.errors import CannotWrite
from tunebench.store.leases import Attempt, Leases, key_of

JOB = Attempt("sst2-lora-1f2e+0", 1)


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    made = Leases(tmp_path)
    made.prepare()
    return made


def claim_all(out: Path, start: float, jobs: int) -> list[int]:
    """A process's try at every job, in an order of its own."""
    leases, mine = Leases(out), []
    order = sorted(range(jobs), key=lambda number: hash((number, os.getpid())))
    while time.monotonic() < start:
        pass
    for number in order:
        if leases.claim(Attempt(f"job{number}", 1), f"runner {os.getpid()}", "") is not None:
            mine.append(number)
    return mine


def test_a_job_is_taken_by_one_of_many_processes(leases, tmp_path):
    with multiprocessing.get_context("fork").Pool(8) as pool:
        start = time.monotonic() + 0.2
        taken = pool.starmap(claim_all, [(tmp_path, start, 200)] * 8)
    assert sorted(number for mine in taken for number in mine) == list(range(200))


def test_a_lease_says_who_took_what_and_takes_the_offer_away(leases):
    leases.offer(JOB, "the job")
    assert leases.offers() == [JOB]
    assert leases.offer_of(JOB) == "the job"
    lease = leases.claim(JOB, "runner", "sst2 lora: trial 1")
    assert leases.offers() == []
    assert leases.offer_of(JOB) == ""
    assert leases.held() == [JOB]
    assert leases.lease(JOB) == lease
    assert (lease.process.pid, lease.what) == (os.getpid(), "sst2 lora: trial 1")
    assert lease.since == pytest.approx(leases.renewed(JOB), abs=60)
    assert leases.claim(JOB, "another", "") is None
    assert leases.lease(JOB) == lease


def test_a_lease_is_renewed_until_it_is_lost(leases):
    leases.claim(JOB, "runner", "")
    os.utime(leases.path(JOB), (0, 0))
    assert leases.renew(leases.path(JOB))
    assert leases.renewed(JOB) > 1e9
    leases.release(JOB)
    assert not leases.renew(leases.path(JOB))
    assert leases.renewed(JOB) is None
    assert leases.held() == []


def make(leases: Leases, lease) -> None:
    (leases.made(lease) / "adapters").mkdir(parents=True)
    (leases.made(lease) / "adapters" / "weights").write_text("weights")


def test_what_is_handed_in_is_there_whole_with_its_files(leases):
    lease = leases.claim(JOB, "runner", "")
    make(leases, lease)
    assert leases.hand_in(lease, "the record")
    (handed,) = leases.handed()
    assert (handed.attempt, handed.owner, handed.text) == (JOB, lease.owner, "the record")
    assert (handed.folder / "adapters" / "weights").read_text() == "weights"
    assert not leases.made(lease).exists()


def test_a_job_without_files_is_handed_in_too(leases):
    assert leases.hand_in(leases.claim(JOB, "runner", ""), "a trial")
    assert [handed.text for handed in leases.handed()] == ["a trial"]


def test_what_comes_after_the_job_was_taken_over_is_refused_and_its_files_go(leases):
    late = leases.claim(JOB, "first", "")
    make(leases, late)
    leases.release(JOB)
    second = leases.claim(JOB._replace(number=2), "second", "")
    assert not leases.hand_in(late, "late")
    assert list(leases.handed()) == []
    assert not leases.made(late).exists()
    assert leases.hand_in(second, "in time")


def test_the_number_used_again_is_another_owners_and_the_first_is_late(leases):
    """A leader that was killed may not know that it gave the number out before."""
    late = leases.claim(JOB, "first", "")
    make(leases, late)
    leases.release(JOB)
    assert leases.claim(JOB, "second", "") is not None
    assert not leases.hand_in(late, "late")
    assert list(leases.handed()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"process": {}}',
        '{"process": [], "owner": 1}',
        '{"process": {"host": "h", "pid": "1", "place": ""}, "owner": "", "runner": "", '
        '"what": "", "since": 0}',
        '{"process": {"host": "h", "pid": 1, "place": ""}, "owner": 5, "runner": "", '
        '"what": "", "since": 0}',
        '{"process": {"host": "h", "pid": 1, "place": ""}, "owner": "", "runner": "", '
        '"what": "", "since": "now"}',
        "\ud800",
    ],
)
def test_a_lease_that_is_garbage_has_no_owner_and_can_be_set_aside(leases, text):
    lease = leases.claim(JOB, "runner", "")
    leases.path(JOB).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert leases.lease(JOB) is None
    assert not leases.hand_in(lease, "late")
    name = leases.set_aside(JOB)
    assert leases.held() == []
    assert (leases.folder / name).exists()
    assert leases.claim(JOB._replace(number=2), "another", "") is not None


def test_files_that_are_not_ours_are_no_leases_and_no_records(leases):
    for folder in ("leases", "offers", "handed"):
        for name in ("notes", ".hidden", "x.y", ".7", "job.²"):
            (leases.folder / folder / name).mkdir()
    assert leases.held() == []
    assert leases.offers() == []
    assert list(leases.handed()) == []


def test_what_nobody_makes_any_more_is_cleared_away(leases):
    alive = leases.claim(JOB, "runner", "")
    gone = leases.claim(Attempt("other", 1), "runner", "")
    for lease in (alive, gone):
        make(leases, lease)
    leases.release(gone.attempt)
    leases.clear()
    assert leases.made(alive).exists()
    assert not leases.made(gone).exists()


def test_a_name_of_any_length_is_a_file_and_two_names_are_two_files(leases):
    stem = "n" * 400
    names = [f"{stem}/1", f"{stem}/2", "study/1", "study"]
    keys = {key_of(name) for name in names}
    assert len(keys) == 4
    for key in keys:
        lease = leases.claim(Attempt(key, 12345), "runner", "")
        make(leases, lease)
        assert leases.hand_in(lease, "record")
    assert {handed.attempt.key for handed in leases.handed()} == keys


def test_a_lease_does_not_follow_a_link(leases, tmp_path):
    (tmp_path / "victim").write_text("mine")
    leases.path(JOB).symlink_to(tmp_path / "victim")
    (leases.folder / "offers" / JOB.file).symlink_to(tmp_path / "victim")
    assert leases.claim(JOB, "runner", "") is None
    with pytest.raises(CannotWrite, match="symbolic links"):
        leases.offer(JOB, "text")
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "work").write_text("")
    with pytest.raises(CannotWrite, match=r"^cannot write .*work: "):
        Leases(tmp_path).prepare()


def test_folders_that_are_there_and_cannot_be_written_are_one_line(tmp_path):
    def full(path):
        raise OSError(28, "No space left on device")

    Leases(tmp_path).prepare()
    with pytest.raises(CannotWrite, match=r"^cannot write .*work/clock: No space left on device"):
        Leases(tmp_path, full).prepare()


def test_a_job_whose_lease_cannot_be_written_is_nobody_s(leases):
    """As where the disk is full: a lease without an owner would be garbage to the next leader."""

    def full(path):
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotWrite, match=re.escape(f"{leases.path(JOB)}: No space left")):
        Leases(leases.folder.parent, full).claim(JOB, "runner", "a job")
    assert leases.held() == []
    assert leases.claim(JOB, "runner", "a job") is not None


def test_nothing_is_there_before_anything_was_written(tmp_path):
    empty = Leases(tmp_path)
    assert (empty.offers(), empty.held(), list(empty.handed())) == ([], [], [])
    empty.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_lease_is_plain_json(leases):
    leases.claim(JOB, "runner", "what")
    content = json.loads(leases.path(JOB).read_text())
    assert set(content) == {"owner", "runner", "process", "what", "since"}
