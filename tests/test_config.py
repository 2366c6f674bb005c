"""Settings as Python users write them mean what the command line's mean."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.cli.fields import experiment_flags
from tunebench.cli.flags import parse
from tunebench.cli.settings import resolve
from tunebench.config import BUDGETS, Experiment, SearchSettings
from tunebench.errors import UserError
from tunebench.study.compare import compare

LOOSE = """
from pathlib import Path
from tunebench import Experiment, compare
from tunebench.config import BackboneSettings, DataSettings, SearchSettings

listed = Experiment(tasks=["rte", "mrpc"], seeds=[0, 1])
print(listed.tasks, listed.seeds)
print(Experiment(tasks="rte").tasks)
data = DataSettings(text="question", label_words=["a", "b"])
print(data.text, data.label_words)
folder = Path("/models/minilm")
forms = Experiment(
    tasks=folder / "mine.csv", methods=["head", "lora"], seeds=range(2), out=folder,
    backbone={"name": folder, "layers": 2}, search={"trials": 4}, data={"source": folder},
)
print(forms == Experiment(
    tasks=("/models/minilm/mine.csv",), methods={"head": {}, "lora": {}}, seeds=(0, 1),
    out="/models/minilm", backbone=BackboneSettings(name="/models/minilm", layers=2),
    search=SearchSettings(trials=4), data=DataSettings(source="/models/minilm"),
))
print(Experiment(methods="lora").methods, Experiment(methods={"lora": None}).methods)
for wrong in ({"search": {"trails": 4}}, {"backbone": "minilm"}, {"seeds": 0}):
    try:
        compare(Experiment(**wrong, out="/dev/null/nothing"))
    except ValueError as error:
        print(error)
try:
    compare(Experiment(budget="quik", out="/dev/null/nothing"))
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_means_the_same_from_python_as_from_the_command_line(budget: str) -> None:
    typed = resolve(parse([f"--budget={budget}"], experiment_flags()))
    made = Experiment(budget=budget)  # type: ignore[arg-type]
    assert (made.search, made.seeds) == (typed.search, typed.seeds)
    assert replace(Experiment(), budget=budget) == made


def test_what_is_given_beside_a_budget_counts() -> None:
    typed = resolve(parse(["--budget=full", "--search.trials=2", "--seeds=0"], experiment_flags()))
    assert (typed.search.trials, typed.seeds) == (2, (0,))
    made = Experiment(budget="full", search=SearchSettings(trials=4), seeds=(7,))
    assert (made.search, made.seeds) == (SearchSettings(trials=4), (7,))


def test_lists_and_single_texts_are_taken_where_tuples_are_meant() -> None:
    """In a Python of its own, since the tests' own type checker refuses what users may write."""
    done = subprocess.run([sys.executable, "-c", LOOSE], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == [
        "('rte', 'mrpc') (0, 1)",
        "('rte',)",
        "('question',) ('a', 'b')",
        "True",
        "{'lora': {}} {'lora': {}}",
        "search.trails: no such setting (known: trials, studies, random_trials, trial_epochs, "
        "epochs, train_examples, pocket_examples, validation, validation_examples)",
        "backbone: must be a mapping, but got 'minilm'",
        "seeds: must be a list, but got 0",
        "budget: must be one of 'quick', 'standard' or 'full', but got 'quik'; "
        "did you mean 'quick'?",
    ]


def test_home_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    typed = resolve(parse(["rte", "--out=~/my runs"], experiment_flags()))
    assert typed.out == Experiment(out="~/my runs").out == "/home/someone/my runs"


def test_an_experiment_is_shown_on_one_line_by_what_was_changed() -> None:
    assert repr(Experiment()) == "Experiment()"
    changed = Experiment(tasks=("rte",), search=SearchSettings(trials=9))
    assert repr(changed) == "Experiment(tasks=('rte',), search.trials=9)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (1, 1)}, "seeds: no seed may stand twice"),
        ({"seeds": ()}, "seeds: must not be empty"),
        ({"search": SearchSettings(trials=0)}, "search.trials: must be >= 1"),
        ({"methods": {"lroa": {}}}, "unknown method 'lroa'; did you mean 'lora'"),
        ({"methods": {"lora": {"rank": 999}}}, "methods.lora.rank: must be at most 384"),
        ({"tasks": ("sst3",)}, "unknown task"),
    ],
)
def test_a_mistake_in_python_is_refused_as_on_the_command_line(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    experiment = Experiment(out=str(tmp_path / "out"), **changes)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        compare(experiment)


@pytest.mark.parametrize("name", ["run%2Fx", "what?", "a#b", "{}", "100%"])
def test_a_folder_that_no_address_can_hold_is_refused_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="out: the folder's path must have none of"):
        compare(Experiment(tasks=("sst2",), out=str(tmp_path / name)))
    assert list(tmp_path.iterdir()) == []
