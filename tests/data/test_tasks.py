"""The tables of tasks: names, suites, labels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tunebench.data import pocket
from tunebench.data.tasks import GLUE, STAND_INS, SUITES, expand, get_task, is_file, task_names
from tunebench.errors import UnknownName

METRICS = {"accuracy", "f1", "mcc", "pearson", "spearman"}


def test_the_pocket_suite_names_what_pocket_makes() -> None:
    assert SUITES["pocket"] == tuple(pocket.TASKS)


def test_every_name_gives_the_task_of_that_name() -> None:
    assert [get_task(name).name for name in task_names()] == list(task_names())
    assert len(set(task_names())) == 14


def test_every_glue_task_has_a_stand_in_of_the_same_kind() -> None:
    assert set(STAND_INS) == set(GLUE)
    for name, stand_in in STAND_INS.items():
        assert get_task(name).objective == get_task(stand_in).objective
        assert len(get_task(name).text) == len(get_task(stand_in).text)


def test_metrics_are_known_and_fit_the_labels() -> None:
    for name in task_names():
        task = get_task(name)
        assert set(task.metrics) <= METRICS
        assert ("pearson" in task.metrics) == (task.objective == "regression")
        assert bool(task.labels) == (task.objective == "classification")


def test_a_suite_is_opened_and_no_task_is_named_twice() -> None:
    assert expand(["rte", "glue"])[0] == "rte"
    assert sorted(expand(["rte", "glue"])) == sorted(GLUE)
    assert expand(["pocket", "sentiment"]) == SUITES["pocket"]


def test_a_misspelt_task_is_answered_with_the_nearest_and_all_known() -> None:
    with pytest.raises(UnknownName, match="did you mean 'sst2'") as caught:
        expand(["sst-2"])
    assert "glue" in str(caught.value)
    assert "similarity" in str(caught.value)


def test_a_suite_is_no_task() -> None:
    with pytest.raises(UnknownName):
        get_task("glue")


@pytest.mark.parametrize("name", ["./x", "my.tsv", "MY.CSV", "folder/data.jsonl", "a/b"])
def test_a_path_means_a_file(name: str) -> None:
    assert is_file(name)


@pytest.mark.parametrize("name", ["cola", "glue", "pocket", "cloa", "x\0y", "n" * 5000])
def test_a_plain_name_means_no_file(name: str) -> None:
    assert not is_file(name)


def test_a_file_without_an_ending_is_a_file_but_never_in_place_of_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cola", "mine"):
        with open(name, "w", encoding="utf-8"):
            pass
    assert is_file("mine")
    assert not is_file("cola")


def test_the_tables_load_without_torch_or_pyarrow() -> None:
    code = (
        "import sys; from tunebench.data.tasks import expand, get_task; expand(['glue', 'pocket']);"
        "get_task('sentiment'); import tunebench.data.load;"
        "sys.exit(bool({'torch', 'lightning', 'pyarrow', 'huggingface_hub'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
