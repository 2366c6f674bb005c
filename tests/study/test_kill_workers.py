"""Workers and runners that are killed at random moments: every cell once, the same table."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tunebench.store.store import Store
from tunebench.study.compare import compare
from tunebench.study.doctor import examine

from tests.study.killing_workers import experiment
from tests.study.test_workers import table


def kill(checkpoint: Path, out: Path, kills: int, seed: int) -> dict[str, int]:
    line = {"checkpoint": str(checkpoint), "out": str(out), "kills": kills, "seed": seed}
    run = subprocess.run(
        [sys.executable, "-m", "tests.study.killing_workers", json.dumps(line)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, int] = json.loads(run.stdout.splitlines()[-1])
    return answer


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(8, marks=pytest.mark.slow),
        pytest.param(40, marks=pytest.mark.soak),
    ],
)
def test_a_comparison_whose_processes_are_killed_is_the_same(
    checkpoint: Path, make_out: Any, kills: int
) -> None:
    expected = compare(experiment(str(checkpoint), str(make_out("expected")), workers=1))
    out = make_out("killed")
    dead = kill(checkpoint, out, kills, seed=0)
    print(f"killed {dead['runners']} runners and {dead['workers']} workers")
    assert dead["runners"] + dead["workers"] == kills
    assert dead["status"] == 0
    # A job that loses two workers in one run is a row that says so, and complete in the next one.
    comparison = compare(experiment(str(checkpoint), str(out)))
    assert len(comparison.results) == 24
    assert table(comparison) == table(expected)
    assert all(row.latency_ms for row in comparison.results)
    assert examine(out) == []
    assert Store(out).damaged() == []
