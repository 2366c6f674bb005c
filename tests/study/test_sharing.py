"""The leader's side: every job counts once, and what is late, lost or garbage changes nothing."""

from dataclasses import replace

import pytest
from tunebench.store.leases import Attempt
from tunebench.store.store import PlannedCell
from tunebench.store.workers import EXPIRY
from tunebench.study import schedule
from tunebench.study.execution import Execution
from tunebench.study.executors.in_process import InProcess
from tunebench.study.jobs import Elsewhere, measurement_job
from tunebench.study.member import attempt_of
from tunebench.study.parcel import seal, terms_of
from tunebench.study.sharing import STOCK

from tests.study.simulated import RUN, Crew, by_one_process, draw, jobs, on_host, trained


@pytest.fixture(autouse=True)
def draws(monkeypatch):
    monkeypatch.setattr(schedule, "draw", draw)


@pytest.fixture
def crew(tmp_path):
    return Crew(tmp_path, jobs(studies=2, seeds=3, trials=6))


def same_records(crew: Crew) -> bool:
    expected = by_one_process(crew.jobs)
    store = crew.store
    return (store.of_trials, store.of_cells) == (expected.of_trials, expected.of_cells)


def offered(crew: Crew):
    """The first job that is offered, as a worker reads it."""
    return next(crew.helpers[0].joined.offers())


def claim(crew: Crew, host: str = "far"):
    """A job that a worker of another host has taken and runs."""
    job = offered(crew)
    with on_host(host):
        return job, crew.leases.claim(attempt_of(job), "runner of " + host, job.what)


def hand_in(crew: Crew, job, lease, **changes) -> bool:
    return crew.leases.hand_in(lease, seal(terms_of(RUN), job, replace(trained(job), **changes)))


@pytest.mark.parametrize("workers", [1, 4])
def test_what_workers_make_is_what_one_process_makes_and_each_job_counts_once(crew, workers):
    crew.add(workers)
    crew.run()
    assert same_records(crew)
    assert set(crew.store.puts.values()) == {1}
    assert set(crew.steps.values()) == {1}
    assert crew.notes == []
    assert sorted(crew.stored) == sorted(job.name for job in crew.jobs)


def test_when_all_is_done_nothing_is_left_of_the_jobs(crew):
    crew.add(3)
    crew.run()
    leases = crew.leases
    assert (leases.offers(), leases.held(), list(leases.handed())) == ([], [], [])
    assert list((leases.folder / "made").iterdir()) == []


def test_without_workers_nothing_is_offered_and_with_them_twice_as_much_as_they_run(crew):
    crew.look()
    assert crew.leases.offers() == []
    crew.add(1)
    crew.look()
    assert len(crew.leases.offers()) == STOCK


def test_a_worker_that_says_nothing_any_more_loses_its_job_to_another(crew):
    crew.add(2)
    crew.run(until=lambda: crew.helpers[0].lease is not None)
    crew.helpers[0].gone = True
    lost = crew.helpers[0].job
    begin = crew.time
    crew.run()
    assert same_records(crew)
    assert set(crew.store.puts.values()) == {1}
    assert crew.time - begin > EXPIRY
    assert [note for note in crew.notes if "was lost; another takes the job over" in note] == [
        f"{lost.what}: process 1 on host0 was lost; another takes the job over"
    ]


def test_who_comes_back_after_the_job_was_taken_over_changes_nothing(crew):
    crew.add(1)
    crew.look()
    job, lease = claim(crew)
    crew.look()
    crew.time += EXPIRY + 20
    crew.helpers[0].joined._renew()
    crew.look()
    assert "was lost" in crew.notes[0]
    assert not hand_in(crew, job, lease, score=0.123)
    # One that looked at its lease in the moment before it was lost is late all the same.
    folder = crew.leases.folder / "handed" / crew.leases.made(lease).name
    folder.mkdir()
    text = seal(terms_of(RUN), job, replace(trained(job), score=0.123))
    (folder / "record.json").write_text(text)
    crew.run()
    assert same_records(crew)
    assert set(crew.store.puts.values()) == {1}
    assert not folder.exists()
    assert crew.notes[1:] == [f"{job.what}: what came in is late and does not count"]


def test_a_job_that_was_let_go_is_offered_again_as_another_attempt(crew):
    crew.add(1)
    crew.look()
    job, lease = claim(crew)
    crew.look()
    crew.leases.release(lease.attempt)
    crew.time += 1
    crew.look()
    again = [one for one in crew.leases.offers() if one.key == lease.attempt.key]
    assert again == [] or again == [Attempt(lease.attempt.key, 2)]
    crew.run()
    assert same_records(crew)
    assert not hand_in(crew, job, lease)


def test_a_lease_that_is_garbage_is_set_aside_with_a_line_and_the_job_runs_again(crew):
    crew.add(1)
    crew.look()
    job, lease = claim(crew)
    crew.leases.path(lease.attempt).write_text("garbage")
    crew.look()
    assert crew.notes == []  # it may be half written
    crew.time += 1
    crew.look()
    (note,) = crew.notes
    assert "cannot be read: set aside as work/" in note
    assert (crew.leases.folder / note.rpartition("/")[2]).read_text() == "garbage"
    crew.run()
    assert same_records(crew)
    assert not hand_in(crew, job, lease)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"terms": 1, "job": "{}", "record": null}'])
def test_a_record_that_is_garbage_costs_a_line_and_the_job_runs_again(crew, text):
    crew.add(1)
    crew.look()
    _, lease = claim(crew)
    assert crew.leases.hand_in(lease, text)
    crew.run()
    assert same_records(crew)
    assert [note for note in crew.notes if "cannot be read; it runs again" in note] == crew.notes
    assert list(crew.leases.handed()) == []


def test_a_record_of_other_settings_does_not_count(crew):
    """Somebody enqueued settings, or a record before it was made again."""
    crew.add(1)
    crew.look()
    job, lease = claim(crew)
    other = replace(job, hyperparameters={**job.hyperparameters, "rank": 1})
    assert hand_in(crew, other, lease)
    crew.run()
    assert same_records(crew)


def test_a_record_made_by_other_code_does_not_count(crew):
    crew.schedule.origins = {"s0": {"code": "a"}, "s1": {"code": "a"}}
    crew.add(1)
    crew.look()
    job, lease = claim(crew)
    assert hand_in(crew, job, lease, origin={"code": "b"})
    crew.look()
    crew.time += 1
    crew.look()
    assert crew.stored == []
    assert list(crew.leases.handed()) == []


def test_what_came_in_for_another_comparison_stays_where_it_is_and_holds_nobody_up(crew):
    other = replace(crew.jobs[0], name="other/0", study="other", number=0)
    with on_host("far"):
        lease = crew.leases.claim(attempt_of(other), "runner", other.what)
    other = replace(other, hyperparameters={"rank": 1})
    assert crew.leases.hand_in(lease, seal("other terms", other, trained(other)))
    crew.add(1)
    crew.run()
    assert same_records(crew)
    assert len(list(crew.leases.handed())) == 1
    assert crew.leases.held() == [lease.attempt]
    assert not crew.sharing._elsewhere


def test_what_was_made_under_other_terms_does_not_count(crew):
    """A worker of a run before, whose settings differed in what no name tells."""
    crew.add(1)
    crew.look()
    job, lease = claim(crew)
    assert crew.leases.hand_in(lease, seal("other terms", job, trained(job)))
    crew.run()
    assert same_records(crew)
    assert crew.notes == [
        f"{job.what}: what came in by process 1 on far is late and does not count"
    ]


def test_a_leader_that_comes_after_one_that_was_killed_stores_what_came_in_meanwhile(crew):
    crew.add(2)
    crew.look()
    job, lease = claim(crew)
    assert hand_in(crew, job, lease)
    running, held = claim(crew, "far away")
    crew.begin()
    crew.look()
    assert crew.stored == [job.name]
    assert hand_in(crew, running, held)
    crew.run()
    assert same_records(crew)
    assert crew.notes == []


def test_numbers_go_on_after_a_leader_was_killed(crew):
    crew.add(1)
    crew.look()
    job = offered(crew)
    crew.leases.withdraw(attempt_of(job))
    crew.leases.offer(attempt_of(replace(job, attempt=7)), seal(terms_of(RUN), job))
    crew.begin()
    crew.look()
    assert Attempt(attempt_of(job).key, 7) in crew.leases.offers()


class Busy:
    """Runs jobs in this process, but for those that `taken` names."""

    def __init__(self, taken):
        self.taken, self.asked = taken, []

    def __call__(self, job):
        self.asked.append(job.name)
        return Elsewhere() if job.name in self.taken else trained(job)


def test_what_is_timed_waits_for_a_neighbour_and_not_for_who_is_far(crew):
    crew.add(1)
    crew.look()
    job, _ = claim(crew)
    crew.look()
    timed = measurement_job(PlannedCell("c0-0", "s0", "task0", "lora", 0))
    assert list(crew.sharing._for_us(lambda: iter([timed, job]))) == [timed]
    near = offered(crew)
    assert crew.leases.claim(attempt_of(near), "near", near.what) is not None
    crew.time += 1
    crew.look()
    assert list(crew.sharing._for_us(lambda: iter([timed, job]))) == []


def test_what_another_process_has_is_waited_for_and_all_else_is_run_here(crew):
    crew.add(1)
    crew.look()
    job, lease = claim(crew)
    execute = Busy({job.name})
    pauses = []

    def sleep(seconds):
        crew.time += seconds
        pauses.append(seconds)
        if len(pauses) == 3:
            assert hand_in(crew, job, lease)

    crew.sharing._sleep = sleep
    leader = crew.leader

    class Claiming(Execution):
        def __init__(self):
            pass

        def __call__(self, job):
            record = execute(job)
            if not isinstance(record, Elsewhere):
                crew.leases.claim(attempt_of(job), leader.runner, "")
            return record

    crew.leader.leases.prepare()
    pairs = list(crew.sharing.records(InProcess(), crew.schedule, crew.schedule.ready, Claiming()))
    assert same_records(crew)
    assert sorted(job.name for job, _ in pairs) == sorted(job.name for job in crew.jobs)
    assert execute.asked.count(job.name) <= 1
    assert len(pauses) >= 3
