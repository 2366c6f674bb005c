"""Runs that go on until everything is decided: who is trained at which look, and how they stop."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tunebench.analysis import analyse, read_from
from tunebench.analysis.verdict import Sequential, verdict
from tunebench.config import Experiment, SearchSettings
from tunebench.errors import UserError
from tunebench.progress import Quiet
from tunebench.records import Comparison, Result
from tunebench.store.store import Store
from tunebench.study import cell, execution, runner, until
from tunebench.study.checks import check_settings_of
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.until import Deadline

from tests import small


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every training of a cell as (method, seed), in order."""
    calls: list[tuple[str, int]] = []
    inner = cell.fit

    def spy(base_model: Any, method: Any, *arguments: Any, epochs: int, seed: int, **named: Any):
        if named.get("final", epochs == EPOCHS):
            calls.append((method.name, seed))
        return inner(base_model, method, *arguments, epochs=epochs, seed=seed, **named)

    monkeypatch.setattr(cell, "fit", spy)
    return calls


EPOCHS = 2
"""Of a cell; a trial has one."""


def experiment(checkpoint: Path, out: Path, **changes: Any) -> Experiment:
    made = small.experiment(checkpoint, out, until="decided", **changes)
    search = dataclasses.replace(made.search, epochs=EPOCHS, trial_epochs=1)
    return dataclasses.replace(made, search=search)


def follow(script: Mapping[int, Mapping[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the looks ask for what a script says: seeds that are there → seeds that are wanted."""

    def scripted(
        cells: Any, task: str, methods: Any, margin: float, budgets: Mapping[str, str]
    ) -> Sequential:
        there = [c for c in cells if c.result.status == "complete"]
        wanted = dict.fromkeys(methods, 1)
        while all(
            sum(c.result.method == method for c in there) >= count
            for method, count in wanted.items()
        ):
            following = script.get(max(wanted.values()))
            if following is None:
                return Sequential(verdict([], task), 9, wanted, ended=True)
            wanted = {**wanted, **following}
        return Sequential(verdict([], task), 0, wanted, ended=False)

    monkeypatch.setattr(until, "LOOKS", (1, 2, 3))
    monkeypatch.setattr(until, "sequential", scripted)


def seeds(comparison: Comparison) -> dict[str, list[int]]:
    looks: dict[str, list[int]] = {}
    for row in comparison.results:
        assert row.status == "complete"
        looks.setdefault(row.method, []).append(row.seed)
    return looks


def test_only_methods_that_are_asked_for_get_more_seeds_and_nothing_is_trained_twice(
    checkpoint: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: list[tuple[str, int]],
) -> None:
    follow({1: {"head": 2, "lora": 2}, 2: {"lora": 3}}, monkeypatch)
    wanted = experiment(checkpoint, out)
    comparison = compare(wanted, command="tunebench compare")
    assert seeds(comparison) == {"head": [0, 1], "lora": [0, 1, 2]}
    assert sorted(trained) == [("head", 0), ("head", 1), ("lora", 0), ("lora", 1), ("lora", 2)]
    assert examine(out) == []
    trained.clear()
    (out / "completed.json").unlink()
    again = compare(wanted, command="tunebench compare")
    assert trained == []
    assert again == comparison


def test_a_run_that_was_stopped_goes_on_at_its_look(
    checkpoint: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: list[tuple[str, int]],
) -> None:
    follow({1: {"lora": 3}}, monkeypatch)
    wanted = experiment(checkpoint, out)
    inner = execution.execute

    def interrupted(job: Any, run: Any) -> Any:
        if job.kind == "cell" and job.seed == 2:
            raise KeyboardInterrupt
        return inner(job, run)

    monkeypatch.setattr(execution, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(wanted)
    assert sorted(trained) == [("head", 0), ("lora", 0), ("lora", 1)]
    assert not (out / "completed.json").exists()
    monkeypatch.setattr(execution, "execute", inner)
    trained.clear()
    assert seeds(compare(wanted)) == {"head": [0], "lora": [0, 1, 2]}
    assert trained == [("lora", 2)]


class Clock:
    """Time that passes by one second for each cell."""

    def __init__(self, trained: list[tuple[str, int]]) -> None:
        self.trained = trained

    def __call__(self) -> float:
        return float(len(self.trained))


def test_when_time_is_up_in_a_look_all_that_is_there_is_shown_and_counts(
    checkpoint: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: list[tuple[str, int]],
) -> None:
    follow({1: {"head": 3, "lora": 3}}, monkeypatch)
    monkeypatch.setattr(
        runner,
        "Deadline",
        lambda hours, workers: Deadline(hours, Clock(trained)) if hours else Deadline(None),
    )
    monkeypatch.setattr(Deadline, "allows", lambda self, plan, store: True)
    wanted = experiment(checkpoint, out, hours=4 / 3600)
    comparison = compare(wanted)
    assert seeds(comparison) == {"head": [0, 1, 2], "lora": [0]}
    assert len(trained) == 4
    assert not (out / "completed.json").exists()
    assert examine(out) == []
    trained.clear()
    whole = compare(dataclasses.replace(wanted, hours=None))
    assert seeds(whole) == {"head": [0, 1, 2], "lora": [0, 1, 2]}
    assert len(trained) == 2


def test_time_that_is_up_with_the_last_cell_of_the_last_look_ends_nothing_early(
    checkpoint: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: list[tuple[str, int]],
) -> None:
    """Every trained cell is reported to whoever watches, and the run counts as complete."""
    follow({}, monkeypatch)
    monkeypatch.setattr(runner, "Deadline", lambda hours, workers: Deadline(hours, Clock(trained)))
    watching = Watching()
    compare(experiment(checkpoint, out, hours=2 / 3600), progress=watching)
    assert watching.cells == ["head", "lora"]
    assert (out / "completed.json").exists()


class Watching(Quiet):
    """Remembers the method of each cell that ended."""

    def __init__(self) -> None:
        self.cells: list[str] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finished(self, result: Result) -> None:
        self.cells.append(result.method)


def test_time_that_is_up_before_the_first_look_is_named(
    checkpoint: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: list[tuple[str, int]],
) -> None:
    follow({}, monkeypatch)
    monkeypatch.setattr(runner, "Deadline", lambda hours, workers: Deadline(hours, Clock(trained)))
    watching = Watching()
    comparison = compare(experiment(checkpoint, out, hours=1 / 3600), progress=watching)
    assert {row.status for row in comparison.results} == {"complete", "missing"}
    (note,) = (text for text in watching.notes if text.startswith("time is up"))
    assert note == "time is up before the first look, at one seed; the same command goes on"


def test_a_look_that_does_not_fit_is_not_begun(
    checkpoint: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: list[tuple[str, int]],
) -> None:
    follow({1: {"head": 3, "lora": 3}}, monkeypatch)
    monkeypatch.setattr(Deadline, "allows", lambda self, plan, store: len(plan.cells) < 3)
    assert seeds(compare(experiment(checkpoint, out, hours=9))) == {"head": [0], "lora": [0]}
    assert len(trained) == 2
    assert not (out / "completed.json").exists()


def test_a_deadline_counts_from_its_start_and_estimates_by_the_trainings_so_far(
    checkpoint: Path, out: Path
) -> None:
    compare(small.experiment(checkpoint, out))
    store = Store(out)
    plan = store.plan()
    assert plan is not None
    times = [store.result(each.cell).train_seconds for each in plan.cells]  # type: ignore[union-attr]
    mean = sum(filter(None, times)) / len(times)
    absent = dataclasses.replace(plan.cells[0], cell="sentiment-head-seed7-0", seed=7)
    more = dataclasses.replace(plan, cells=(*plan.cells, absent, absent))
    now = 100.0
    deadline = Deadline(10 * mean / 3600, lambda: now)
    assert deadline.allows(more, store)
    now += 7.9 * mean
    assert deadline.allows(more, store)
    now += 0.2 * mean
    assert not deadline.allows(more, store)
    assert deadline.allows(plan, store)
    assert not deadline.passed
    now += 2 * mean
    assert deadline.passed
    assert not Deadline(None, lambda: now).passed
    assert Deadline(None).allows(more, store)


def test_real_looks_end_with_every_pair_decided_or_without_a_chance(
    checkpoint: Path, out: Path
) -> None:
    """30 test examples and a margin of half the scale: the first look shows equivalence."""
    wanted = experiment(checkpoint, out, margin=0.6)
    comparison = compare(wanted)
    assert seeds(comparison) == {"head": [0, 1, 2], "lora": [0, 1, 2]}
    (task,) = analyse(comparison, read_from(out)).tasks
    assert task.judged is not None
    (pair,) = task.judged.verdict.pairs
    assert pair.verdict == "equivalent"
    assert task.judged.progress == "Every pair was decided by 3 seeds."
    narrower = compare(dataclasses.replace(wanted, margin=0.001))
    assert narrower.id != comparison.id


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (0, 1)}, "seeds: not with until=decided"),
        ({"methods": {"lora": {}}}, "until: two methods at least must be compared, but got lora"),
        ({"search": SearchSettings(studies=2)}, "search.studies: must be 1 with until=decided"),
        ({"until": None, "hours": 2.0}, "hours: is for until=decided"),
        ({"margin": 0.0}, "margin: must be > 0"),
        ({"hours": 0.0}, "hours: must be > 0"),
    ],
)
def test_settings_that_contradict_it_are_refused(
    checkpoint: Path, out: Path, changes: dict[str, Any], message: str
) -> None:
    wanted = dataclasses.replace(experiment(checkpoint, out), **changes)
    with pytest.raises(UserError, match=f"^{message}"):
        check_settings_of(wanted)
