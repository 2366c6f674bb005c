"""The one door: which source is taken, what is shown, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tunebench.config import DataSettings
from tunebench.data.digest import digest, rows_digest
from tunebench.data.load import load_task, load_tasks
from tunebench.data.tasks import SUITES, Examples, Task, TaskData
from tunebench.errors import UnknownName, UserError

POCKET = "built-in pocket data, not GLUE"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("GLUE_DIR", raising=False)


def _load(names: list[str], **settings: object) -> tuple[list[TaskData], list[str]]:
    lines: list[str] = []
    return list(load_tasks(names, DataSettings(**settings), say=lines.append)), lines


def test_without_glue_and_hub_the_pocket_stands_in_and_that_is_said() -> None:
    loaded, lines = _load(["glue"])
    assert sorted(data.task.name for data in loaded) == sorted(SUITES["pocket"])
    assert {data.source for data in loaded} == {POCKET}
    first = "no $GLUE_DIR and the hub cannot be reached: built-in pocket data, not GLUE"
    assert lines[0] == f"{first} (HF_HUB_OFFLINE is set)"
    assert "entailment: stands in for mnli, qnli, rte, wnli" in lines


def test_a_task_and_its_stand_in_are_one_task() -> None:
    loaded, _ = _load(["sst2", "sentiment"], source="pocket")
    assert [data.task.name for data in loaded] == ["sentiment"]


def test_a_folder_gives_the_tasks_it_has_and_says_which_it_lacks(
    tmp_path: Path, write_glue: Callable[..., Path]
) -> None:
    write_glue(tmp_path, "RTE")
    write_glue(tmp_path, "CoLA")
    loaded, lines = _load(["glue"], source=str(tmp_path))
    assert [data.task.name for data in loaded] == ["cola", "rte"]
    assert lines[0].endswith("has no folder for sst2, mrpc, qqp, stsb, mnli, qnli, wnli: left out")
    with pytest.raises(UserError, match=r"task 'sst2': no folder .*SST-2 .*holds: CoLA/, RTE/"):
        _load(["sst2"], source=str(tmp_path))
    with pytest.raises(UserError, match="task 'sst2'"):
        _load(["glue", "sst2"], source=str(tmp_path))


def test_glue_dir_is_taken_before_the_hub_and_pocket_tasks_stay_pocket(
    tmp_path: Path, write_glue: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_glue(tmp_path, "RTE")
    monkeypatch.setenv("GLUE_DIR", str(tmp_path))
    loaded, _ = _load(["rte", "similarity"])
    assert [data.source for data in loaded] == [
        "GLUE format, 2 rows, not the official split",
        POCKET,
    ]
    assert [data.source for data in _load(["rte"], source="pocket")[0]] == [POCKET]


def test_a_suite_leaves_out_what_cannot_be_read_and_a_named_task_is_refused(
    tmp_path: Path, write_glue: Callable[..., Path]
) -> None:
    write_glue(tmp_path, "RTE").rename(tmp_path / "rte")
    (write_glue(tmp_path, "MRPC") / "dev.tsv").unlink()
    loaded, lines = _load(["glue"], source=str(tmp_path))
    assert [data.task.name for data in loaded] == ["rte"]
    assert any(line.startswith("mrpc: left out, ") and "dev.tsv" in line for line in lines)
    left_out = load_tasks(
        ["glue"], DataSettings(source=str(tmp_path)), say=lambda line: None
    ).left_out
    assert set(left_out) == set(SUITES["glue"]) - {"rte"}
    assert "dev.tsv" in left_out["mrpc"]
    assert left_out["sst2"] == f"{tmp_path} has no folder SST-2"
    with pytest.raises(UserError, match=r"dev\.tsv: no such file"):
        _load(["glue", "mrpc"], source=str(tmp_path))
    (tmp_path / "rte" / "dev.tsv").unlink()
    with pytest.raises(UserError, match=r"dev\.tsv: no such file"):
        _load(["glue"], source=str(tmp_path))


def test_a_source_that_is_not_there_is_named_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        UserError, match=r"--data: no folder 'pockte'.*auto, pocket, hub, or a fold"
    ):
        _load(["rte"], source="pockte")
    with pytest.raises(UserError, match="task 'cola': no folder"):
        _load(["glue"], source=str(tmp_path))
    monkeypatch.setenv("GLUE_DIR", str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"\$GLUE_DIR: no folder"):
        _load(["rte"])


def test_a_file_of_ones_own_is_a_task_and_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,label\n" + "".join(f"t{n},{'xy'[n % 2]}\n" for n in range(10)))
    loaded, lines = _load([str(path)])
    assert [data.task.name for data in loaded] == ["mine"]
    assert lines[0] == "mine: own file mine.csv, 10 rows, 8 train and 2 test rows"
    with pytest.raises(UserError, match="compared alone"):
        _load([str(path), "cola"])
    with pytest.raises(UserError, match=r"no such file \(did you mean 'mine\.csv'"):
        _load([str(tmp_path / "mien.csv")])


def test_settings_of_a_file_are_refused_for_built_in_tasks() -> None:
    with pytest.raises(UserError, match="--text, --label: only for a file of your own"):
        _load(["rte"], text=("a",), label="b")


def test_a_misspelt_task_is_answered_before_any_data_is_looked_for() -> None:
    with pytest.raises(UnknownName, match="did you mean 'rte'"):
        _load(["rtee"], source="hub")


def test_no_task_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="at least one"):
        _load([])


def test_one_task_can_be_loaded_and_a_suite_cannot() -> None:
    assert load_task("similarity").task.name == "similarity"
    with pytest.raises(UserError, match="'pocket' is a suite; load one of its tasks: acceptab"):
        load_task("pocket")


def test_the_digest_sees_every_part_of_the_data_and_rows_digest_only_the_rows() -> None:
    task = Task("t", ("a",), "l", ("x", "y"), ("accuracy",), "")
    rows = Examples(("1", "2"), (("p q",), ("r",)), (0.0, 1.0))
    reversed_rows = rows.take([1, 0])
    relabelled = Examples(rows.ids, rows.texts, (1.0, 1.0))
    renamed = Examples(("1", "3"), rows.texts, rows.labels)
    changed = [
        digest(task, rows, rows, {}),
        digest(task, reversed_rows, rows, {}),
        digest(task, rows, relabelled, {}),
        digest(task, renamed, rows, {}),
        digest(task, rows, rows, {"more": rows}),
        digest(Task("t", ("a",), "l", ("y", "x"), ("accuracy",), ""), rows, rows, {}),
    ]
    assert len(set(changed)) == len(changed)
    spaced = Examples(rows.ids, (("p  q ",), ("r",)), rows.labels)
    assert rows_digest(rows) == rows_digest(reversed_rows) == rows_digest(spaced)
    assert rows_digest(rows) != rows_digest(relabelled)
