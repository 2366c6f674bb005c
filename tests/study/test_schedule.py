"""What may start when: against a plain search through the jobs, in any order of their ends."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tunebench.methods import get_method
from tunebench.records import Result, Trial
from tunebench.store.store import PlannedCell, Store
from tunebench.study import schedule
from tunebench.study.jobs import RANDOM_TRIALS, Job, cell_job, trial_jobs
from tunebench.study.optuna_database import OptunaDatabase
from tunebench.study.schedule import Schedule
from tunebench.study.space import space

from tests.records import result

SPACES = {method: space(get_method(method), {}) for method in ("lora", "head")}


class Memory(Store):
    """A store that is a dictionary."""

    def __init__(self):
        self.of_trials, self.of_cells = {}, {}

    def trial(self, study, number):
        return self.of_trials.get((study, number))

    def trials(self, study, count):
        numbers = [n for n in range(count) if (study, n) in self.of_trials]
        return tuple(self.of_trials[study, n] for n in numbers)

    def put_trial(self, record):
        self.of_trials[record.study, record.number] = record

    def result(self, cell):
        return self.of_cells.get(cell)

    def put_result(self, record):
        self.of_cells[record.cell] = record

    def unfinished(self):
        return ()

    def drop_unfinished(self, record):
        pass


class Database(OptunaDatabase):
    """Optuna's side, which notes what it is asked."""

    def __init__(self, enqueued=()):
        self.enqueued, self.asked, self.added = list(enqueued), [], []

    def reconcile(self, study, space, numbers):
        self.asked.append((study, space, set(numbers)))
        return self.enqueued

    def add(self, study, space, record):
        self.added.append((study, space, record.number))


@pytest.fixture(autouse=True)
def draw(monkeypatch):
    """A draw that says what it was drawn from."""

    def draw(study, space, trials, number, fixed):
        seen = [trial.number for trial in trials]
        return {
            "space": str(space is SPACES["lora"]),
            "seen": seen,
            "number": number,
            "fixed": fixed,
        }

    monkeypatch.setattr(schedule, "draw", draw)


def study(method, count, seeds=(0,)):
    """A study's trials, and the cells that take its best one."""
    trials = tuple(trial_jobs(f"s-{method}", "task", method, 0, count))
    cells = [
        cell_job(
            PlannedCell(
                cell=f"c-{method}-{seed}",
                task="task",
                method=method,
                seed=seed,
                study=f"s-{method}",
            ),
            trials,
        )
        for seed in seeds
    ]
    return [*trials, *cells]


def ended(name, number, score=0.5, status="complete", **more):
    return Trial(name, number, status, {"rank": number}, score, 0.0, **more)


def row(cell, best_trial, status="complete"):
    made = result("sst2", "lora", 0, status)
    values = {**vars(made), "cell": cell, "best_trial": best_trial}
    return Result(**values)


def record(job):
    return row(job.name, job.number) if job.kind == "cell" else ended(job.study, job.number)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.integers(1, 7), st.integers(1, 6), st.data())
def test_a_job_is_ready_when_all_it_needs_is_done_whatever_ends_first(lora, head, data):
    jobs = [*study("lora", lora, (0, 1)), *study("head", head)]
    store, done = Memory(), set()
    for job in jobs:
        if job.kind == "trial" and data.draw(st.booleans()):
            store.put_trial(ended(job.study, job.number))
            done.add(job.name)
    plan = Schedule(jobs, store, SPACES, Database())
    while len(done) < len(jobs):
        ready = list(plan.ready())
        wanted = [j.name for j in jobs if j.name not in done and done.issuperset(j.needs)]
        assert [job.name for job in ready] == wanted
        chosen = data.draw(st.sampled_from(ready))
        plan.finish(chosen, record(chosen))
        done.add(chosen.name)
    assert list(plan.ready()) == []


def test_a_draw_sees_the_trials_before_it_once_it_is_not_random():
    store, database = Memory(), Database()
    plan = Schedule(study("lora", RANDOM_TRIALS + 2), store, SPACES, database)
    drawn, came_from = {}, []
    while (job := next(plan.ready())).kind == "trial":
        drawn[job.number] = job.hyperparameters
        came_from.append(job.draw)
        plan.finish(job, record(job))
    for number, settings_of_it in drawn.items():
        assert settings_of_it == {
            "space": "True",
            "seen": list(range(number)) if number >= RANDOM_TRIALS else [],
            "number": number,
            "fixed": None,
        }
    assert came_from == ["defaults", "random", "random", "random", "TPE", "TPE"]
    assert database.asked == [("s-lora", SPACES["lora"], set(range(RANDOM_TRIALS + 2)))]
    assert database.added == [("s-lora", SPACES["lora"], n) for n in range(RANDOM_TRIALS + 2)]


def test_what_was_enqueued_is_tried_by_the_first_trials_that_are_open():
    store = Memory()
    store.put_trial(ended("s-lora", 0))
    plan = Schedule(study("lora", 4), store, SPACES, Database([{"rank": 4}, {"rank": 8}]))
    assert [job.draw for job in plan.ready()] == ["enqueued", "enqueued", "random"]
    assert [job.hyperparameters["fixed"] for job in plan.ready()] == [
        {"rank": 4},
        {"rank": 8},
        None,
    ]


def test_a_trial_that_failed_for_want_of_memory_is_open_again_and_one_that_diverged_is_not():
    store = Memory()
    store.put_trial(ended("s-lora", 0, None, "error", failure="transient"))
    store.put_trial(ended("s-lora", 1, None, "diverged", failure="deterministic"))
    plan = Schedule(study("lora", 3), store, SPACES, Database())
    assert [job.number for job in plan.ready()] == [0, 2]


def scored(*scores):
    """A schedule whose trials have ended with these scores."""
    store = Memory()
    for number, score in enumerate(scores):
        status = "diverged" if score is None else "complete"
        reason = "" if score is not None else f"loss is nan in {number}"
        store.put_trial(ended("s-lora", number, score, status, reason=reason))
    return store


def test_a_cell_takes_the_settings_of_the_best_trial_the_earliest_of_equals():
    store = scored(0.3, 0.7, None, 0.7)
    (cell,) = Schedule(study("lora", 4), store, SPACES, Database()).ready()
    assert (cell.number, cell.hyperparameters, cell.validation_score) == (1, {"rank": 1}, 0.7)
    assert (cell.status, cell.reason) == (None, "")


def test_a_cell_without_a_complete_trial_ends_with_their_reasons():
    (cell,) = Schedule(study("lora", 2), scored(None, None), SPACES, Database()).ready()
    assert cell.status == "diverged"
    assert cell.reason == "0 of 2 trials complete: loss is nan in 0; loss is nan in 1"
    store = scored(None, None)
    store.put_trial(ended("s-lora", 1, None, "error", reason="no"))
    (cell,) = Schedule(study("lora", 2), store, SPACES, Database()).ready()
    assert (cell.status, cell.hyperparameters) == ("error", None)


@pytest.mark.parametrize(
    ("stands", "trained_with", "status"),
    [(True, 1, "complete"), (False, 0, "complete"), (False, 1, "error")],
)
def test_a_cell_stands_if_it_is_complete_and_of_the_best_trial(stands, trained_with, status):
    store = scored(0.3, 0.7)
    store.put_result(row("c-lora-0", trained_with, status))
    ready = list(Schedule(study("lora", 2), store, SPACES, Database()).ready())
    assert [job.name for job in ready] == [] if stands else ["c-lora-0"]


def test_jobs_are_filled_once():
    plan = Schedule(study("lora", 2), Memory(), SPACES, Database())
    first, again = list(plan.ready()), list(plan.ready())
    assert all(isinstance(job, Job) for job in first)
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_records_of_another_origin_do_not_count_and_are_counted_by_what_differs():
    store, today = Memory(), {"code": "new", "device": "cpu"}
    origins = [today, {**today, "code": "old"}, {**today, "code": "old"}, {**today, "device": "x"}]
    for number, origin in enumerate(origins):
        store.put_trial(ended("s-lora", number, 0.5, origin=origin))
    store.put_trial(ended("s-head", 0, 0.5, origin={**today, "code": "old"}))
    jobs = [*study("lora", 4, ()), *study("head", 1, ())]
    plan = Schedule(jobs, store, SPACES, Database(), {"s-lora": today})
    assert [job.name for job in plan.ready()] == [job.name for job in jobs[1:4]]
    assert sorted(plan.made_otherwise.values()) == [1, 2]
    assert Schedule(jobs, store, SPACES, Database()).made_otherwise == {}
