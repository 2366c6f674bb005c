"""Several commands on one folder: all cells once, nothing locked, doubled or lost, however long.

The short form is that of the long run, which has a hundred times as many seeds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tunebench.records import Comparison
from tunebench.store.store import Store
from tunebench.study.compare import compare
from tunebench.study.doctor import examine

from tests import postgresql
from tests.study.killing_workers import experiment
from tests.study.optimizer_steps import needed, taken
from tests.study.test_workers import table
from tests.study.working import process

AMISS = re.compile(r"\block|\b(MLflow|Optuna|late|lost|again)\b|Traceback|Error")
"""What a line says where something went wrong, or a job was lost and run again."""
FEW, MANY = 3, 300
"""Seeds of the short run and of the long one, each with two methods."""


def together(checkpoint: Path, out: Path, commands: int, **changes: Any) -> Comparison:
    """Have a leader and helpers make a comparison; nobody may complain, nor train anything twice.

    Args:
        checkpoint: The backbone.
        out: The folder.
        commands: How many processes train.
        changes: Settings of the comparison, as JSON may have them.
    """
    shared = {"checkpoint": str(checkpoint), "out": str(out), "steps": str(out / "steps")}
    started = [process(role="work", workers=1, **shared) for _ in range(commands - 1)]
    started.append(process(role="compare", workers=1, changes=changes, **shared))
    printed = [one.communicate()[0] for one in started]
    assert [one.returncode for one in started] == [0] * commands, printed
    assert all("joined" in lines for lines in printed[:-1])
    every = [line for lines in printed for line in lines.splitlines()]
    assert [line for line in every if AMISS.search(line)] == []
    comparison = compare(experiment(str(checkpoint), str(out), **changes))
    assert {row.status for row in comparison.results} == {"complete"}
    assert all(row.latency_ms for row in comparison.results)
    assert taken(out / "steps") == needed(comparison)
    assert Store(out).damaged() == []
    return comparison


@pytest.mark.slow
@pytest.mark.usefixtures("records_only")
def test_four_commands_on_one_folder_make_the_table_that_one_makes(checkpoint, make_out):
    expected = compare(experiment(str(checkpoint), str(make_out("expected")), workers=1))
    assert table(together(checkpoint, make_out("shared"), 4)) == table(expected)


@pytest.mark.parametrize(
    "seeds", [pytest.param(FEW, marks=pytest.mark.slow), pytest.param(MANY, marks=pytest.mark.soak)]
)
def test_four_commands_lose_nothing_in_mlflow_and_optuna(checkpoint, make_out, seeds):
    out = make_out()
    comparison = together(checkpoint, out, 4, seeds=list(range(seeds)))
    assert len({row.cell for row in comparison.results}) == 2 * seeds
    assert examine(out) == []


@pytest.mark.slow
@pytest.mark.skipif(bool(postgresql.why_not()), reason=postgresql.why_not())
def test_eight_commands_on_one_folder_lose_nothing_on_a_server(checkpoint, tmp_path):
    (out := tmp_path / "runs").mkdir()
    with postgresql.running() as server:
        runs, trials = server.database("runs"), server.database("trials")
        stores = {"tracking_uri": runs, "optuna_storage": trials}
        comparison = together(checkpoint, out, 8, seeds=list(range(FEW)), **stores)
        assert len({row.cell for row in comparison.results}) == 2 * FEW
        assert examine(out, runs, trials) == []
    assert not list(out.glob("*.db"))
