"""A comparison that is complete is answered from its records: nothing heavy is started."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from tunebench.config import DataSettings, Experiment
from tunebench.data.load import load_tasks
from tunebench.store.store import Plan
from tunebench.study import completed
from tunebench.study.compare import compare
from tunebench.study.completed import MARK, find_completed, inputs_of

from tests import small
from tests.records import comparison

HEAVY = ("torch", "lightning", "optuna", "mlflow", "matplotlib", "tokenizers", "pandas")
AGAIN = """
import sys, pickle
from tunebench.study.compare import compare
experiment = pickle.loads(bytes.fromhex(sys.argv[1]))
comparison = compare(experiment, command="tunebench compare again")
print(*(name for name in {heavy} if name in sys.modules), end="|")
print(comparison.id, *(row.status for row in comparison.results))
"""


@pytest.fixture
def complete(checkpoint, out, tmp_path) -> Experiment:
    """An experiment whose comparison was run, on a copy of the data that a test may edit."""
    for name in ("reviews.tsv", "reviews-test.tsv"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    experiment = small.experiment(
        checkpoint,
        out,
        tasks=(str(tmp_path / "reviews.tsv"),),
        data=DataSettings(test=str(tmp_path / "reviews-test.tsv"), max_length=32),
    )
    compare(experiment, command="tunebench compare first")
    return experiment


def is_found(experiment: Experiment) -> bool:
    data = load_tasks(experiment.tasks, experiment.data, say=lambda line: None)
    return find_completed(experiment, data) is not None


def content(out: Path) -> dict[str, bytes]:
    """Every file but the lock, which says who held it last."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def test_the_same_command_again_imports_nothing_heavy_and_changes_no_byte(complete):
    import pickle

    out = Path(complete.out)
    before = content(out)
    done = subprocess.run(
        [sys.executable, "-c", AGAIN.format(heavy=HEAVY), pickle.dumps(complete).hex()],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy, _, rest = done.stdout.partition("|")
    assert heavy == ""
    assert rest.split()[1:] == ["complete"] * 2
    assert content(out) == before


def test_where_and_how_a_run_goes_is_not_what_it_asks_for(complete):
    data = load_tasks(complete.tasks, complete.data, say=lambda line: None)
    other = dataclasses.replace(
        complete,
        out="elsewhere",
        executor="ray",
        train=dataclasses.replace(complete.train, threads=7),
    )
    assert inputs_of(other, data) == inputs_of(complete, data)


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def first(out: Path, pattern: str) -> Path:
    return sorted(out.glob(pattern))[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda out: append(out / "report.md", "edited"),
        lambda out: (out / "results.csv").unlink(),
        lambda out: append(out / "analysis.json", " "),
        lambda out: (out / "optuna.db").unlink(),
        lambda out: (out / "mlflow.db").write_bytes(b"another"),
        lambda out: first(out, "adapters/*").write_bytes(b""),
        lambda out: first(out, "cells/*").unlink(),
        lambda out: first(out, "trials/*/*").unlink(),
        lambda out: first(out, "untrained/*").write_text("{}"),
        lambda out: (out / MARK).write_text("[" * 100_000),
        lambda out: (out / MARK).write_text("{}"),
        lambda out: (out / "latest").write_bytes(b"\xff\xfe"),
        lambda out: (out / "latest").write_text("../../secret"),
        lambda out: append(out.parent / "reviews.tsv", "a film\tpositive\n"),
    ],
)
def test_whatever_differs_leads_to_a_run_as_ever(complete, change: Callable[[Path], object]):
    assert is_found(complete)
    change(Path(complete.out))
    assert not is_found(complete)


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": (0, 1)},
        {"methods": {"head": {}}},
        {"methods": {"head": {"lr": 0.01}, "lora": {}}},
        {"search": small.SearchSettings(trials=2, trial_epochs=1, epochs=1)},
        {"tracking_uri": "http://127.0.0.1:9"},
    ],
)
def test_another_question_is_not_answered_by_it(complete, changes):
    assert not is_found(dataclasses.replace(complete, **changes))


def test_the_mark_holds_no_address_since_it_may_have_a_password(complete):
    text = (Path(complete.out) / MARK).read_text()
    assert set(json.loads(text)) == {"inputs", "records", "tracking", "reports", "databases"}
    assert "sqlite" not in text


@pytest.mark.parametrize(
    ("status", "failure", "planned", "marked"),
    [
        ("complete", "", True, True),
        ("error", "", True, False),
        ("complete", "transient", True, False),
        ("complete", "deterministic", True, True),
        ("complete", "", False, False),
    ],
)
def test_only_what_is_complete_is_marked(tmp_path, monkeypatch, status, failure, planned, marked):
    monkeypatch.setattr(completed, "_mark", lambda *arguments: {"inputs": "", "records": {}})
    made = comparison(("sst2",), ("lora",), (0,), status={("sst2", "lora", 0): status})
    tried = dataclasses.replace(made.trials[0], status="error", failure=failure)
    made = dataclasses.replace(made, trials=(tried,) if failure else made.trials)
    experiment = Experiment(tasks=("sst2",), out=str(tmp_path))
    completed.mark_completed(
        made, Mock(spec=Plan, cells=made.results if planned else ()), experiment
    )
    assert (tmp_path / MARK).exists() == marked
