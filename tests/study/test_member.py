"""How a process takes a job: renewed from a thread, let go after an error, kept once handed in."""

import threading
import time

import pytest
from tunebench.store.workers import Process
from tunebench.study import member as module
from tunebench.study.jobs import baseline_job, trial_jobs
from tunebench.study.member import Member, attempt_of

(JOB,) = trial_jobs("study", "sst2", "lora", 0, 1)


@pytest.fixture
def member(tmp_path):
    made = Member(tmp_path, leads=True)
    made.workers.prepare()
    made.leases.prepare()
    return made


def test_a_job_is_held_until_its_record_is_stored(member):
    with member.taken(JOB) as lease:
        assert (lease.what, lease.runner) == ("sst2 lora: trial 1", member.runner)
        assert Member(member.out, leads=False).lease_of(JOB) is None
    assert member.lease_of(JOB) == lease
    assert threading.active_count() == 1 or "tunebench lease" not in {
        thread.name for thread in threading.enumerate()
    }


def test_what_another_has_is_not_taken(member):
    other = Member(member.out, leads=False)
    with other.taken(JOB) as lease, member.taken(JOB) as mine:
        assert mine is None
    assert member.leases.lease(attempt_of(JOB)) == lease


def test_a_job_that_a_sibling_was_lost_with_is_taken_again(member):
    with member.taken(JOB) as lost:
        pass
    with member.taken(JOB) as lease:
        assert lease.owner != lost.owner
    assert not member.leases.hand_in(lost, "late")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_error_the_job_is_free_and_its_files_are_gone(member, error):
    def fail() -> None:
        with member.taken(JOB) as lease:
            (member.leases.made(lease)).mkdir()
            raise error

    with pytest.raises(error):
        fail()
    assert member.leases.held() == []
    assert list((member.leases.folder / "made").iterdir()) == []


def test_a_lease_and_its_commands_file_are_renewed_while_the_job_runs(member, monkeypatch):
    monkeypatch.setattr(module, "RENEWAL", 0.01)
    member.workers.lead({})
    renewed = []
    real = type(member.leases).renew
    monkeypatch.setattr(
        type(member.leases), "renew", lambda self, path: renewed.append(path) or real(self, path)
    )
    with member.taken(JOB) as lease:
        while len(renewed) < 4:
            time.sleep(0.01)
    assert set(renewed) == {member.leases.path(lease.attempt), member.workers.run_file}


def test_what_was_handed_in_stays_when_its_command_leaves(member):
    (other,) = trial_jobs("other", "sst2", "lora", 0, 1)
    with member.taken(JOB) as handed, member.taken(other):
        pass
    assert member.leases.hand_in(handed, "record")
    member.let_go()
    assert member.leases.held() == [handed.attempt]


def test_a_neighbour_is_another_command_on_this_host(member, monkeypatch):
    assert not member.has_neighbours
    member.workers.join(member.runner, 1)
    assert not member.has_neighbours
    there = Process("far", 1, "another boot")
    with monkeypatch.context() as patch:
        patch.setattr(Process, "this", classmethod(lambda cls: there))
        member.workers.join("far", 1)
    assert not member.has_neighbours
    member.workers.join("near", 1)
    assert member.has_neighbours


def test_a_job_says_what_it_is():
    assert baseline_job("sst2").what == "sst2: untrained rows"
