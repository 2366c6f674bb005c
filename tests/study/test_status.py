"""Who does what, in numbers of the folder; and as a reader has it."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.__main__ import main
from tunebench.errors import UserError
from tunebench.files import file_lock
from tunebench.records import Study
from tunebench.store.leases import Attempt, Leases
from tunebench.store.store import Plan, PlannedCell, Store
from tunebench.store.workers import Process, Workers
from tunebench.study.status import status

from tests.records import result

CELLS = tuple(PlannedCell(f"cell{seed}", "study", "sst2", "lora", seed) for seed in range(4))


@pytest.fixture
def out(tmp_path) -> Path:
    """A comparison of four cells, of which one is there and one runs."""
    plan = Plan(
        id="comparison-1",
        experiment={},
        tasks=("sst2",),
        methods=("lora",),
        seeds=(0, 1, 2, 3),
        trials=2,
        sources={},
        notes={},
        cells=CELLS,
        studies=(Study("study", "sst2", "lora", trials=2),),
        references=(),
        command="tunebench compare sst2",
        created="",
    )
    store, leases, workers = Store(tmp_path), Leases(tmp_path), Workers(tmp_path)
    store.put_plan(plan)
    row = replace(result("sst2", "lora", 0), cell="cell0", adapter="", predictions="")
    store.put_result(row)
    leases.prepare()
    workers.prepare()
    workers.lead({"comparison": plan.id, "runner": "leader"})
    workers.join("helper", 3)
    lease = leases.claim(Attempt("cell1", 1), "leader", "sst2 lora: seed 1")
    leases.claim(Attempt("cell2", 2), "helper", "sst2 lora: seed 2")
    leases.offer(Attempt("cell3", 1), "")
    now = workers.now()
    os.utime(leases.path(lease.attempt), (now - 30, now - 30))
    return tmp_path


def test_a_status_counts_what_is_there_and_says_who_runs_the_rest(out):
    there = status(out)
    assert (there.comparison, there.cells, there.done) == ("comparison-1", 4, 1)
    assert (there.trials, there.trials_done, there.offers, there.waiting) == (2, 0, 1, 0)
    first, second = there.jobs
    assert (first.what, first.leads, second.leads) == ("sst2 lora: seed 1", True, False)
    assert first.process == os.getpid()
    assert first.renewed == pytest.approx(30, abs=5)
    assert second.renewed == pytest.approx(0, abs=5)
    (helper,) = there.helpers
    assert (helper.workers, helper.process) == (3, os.getpid())
    assert not there.running
    with file_lock(out):
        assert status(out).running


def test_the_command_prints_it_for_readers_and_as_one_object(out, capsys):
    assert main(["status", "--out", str(out), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["jobs"][0]["what"] == "sst2 lora: seed 1"
    assert main(["status", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "1 of 4 cells and 0 of 2 trials have a record; 3 cells to go" in text
    assert f"{Process.this()}, which led, is gone" in text
    assert "with 3 workers" in text
    assert "one job on offer, 0 records to store" in text
    assert "to go on: tunebench compare sst2" in text
    with file_lock(out):
        assert main(["status", "--out", str(out)]) == 0
    assert f"led by {Process.this()}" in capsys.readouterr().out


def test_garbage_in_the_folder_is_passed_over(out):
    Leases(out).path(Attempt("cell1", 1)).write_text("garbage")
    Workers(out).file("helper").write_text("garbage")
    Workers(out).run_file.write_text("garbage")
    there = status(out)
    assert [one.what for one in there.jobs] == ["sst2 lora: seed 2"]
    assert (there.helpers, there.leader) == ((), "")


def test_a_folder_without_a_comparison_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no comparison in"):
        status(tmp_path)
    assert list(tmp_path.iterdir()) == []
