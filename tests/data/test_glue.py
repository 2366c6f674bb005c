"""GLUE's official layout, small files of our own and the real ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tunebench.data.digest import rows_digest
from tunebench.data.glue import OFFICIAL_SOURCE, read_glue
from tunebench.data.official import OFFICIAL
from tunebench.data.tasks import GLUE, Task, TaskData
from tunebench.errors import UserError

Write = Callable[..., Path]
REAL = pytest.mark.skipif("GLUE_DIR" not in os.environ, reason="$GLUE_DIR is not set")
EXPECTED_LABELS = {"STS-B": (4.75, 0.0), "MNLI": (0.0, 1.0, 2.0), "QNLI": (0.0, 1.0)}
EXPECTED_LABELS |= {"RTE": (0.0, 1.0)}


@pytest.mark.parametrize("task", GLUE.values(), ids=str)
def test_every_layout_gives_its_texts_and_label_numbers(
    write_glue: Write, tmp_path: Path, task: Task
) -> None:
    data = _read(write_glue, tmp_path, task)
    folder = data.task.folder
    assert data.train.labels == EXPECTED_LABELS.get(folder, (1.0, 0.0))
    assert len(data.test) == len(data.train)
    assert all(len(texts) == len(data.task.text) for texts in data.train.texts)
    assert data.train.ids[0] == f"{data.task.name}-train-0"
    assert data.source == f"GLUE format, {len(data.train)} rows, not the official split"


def test_quotes_and_trailing_spaces_are_part_of_the_text(write_glue: Write, tmp_path: Path) -> None:
    assert _read(write_glue, tmp_path, GLUE["mrpc"]).train.texts[0] == (
        'He said " yes .',
        "He agreed .",
    )
    assert _read(write_glue, tmp_path, GLUE["sst2"]).train.texts[0] == ("so good ",)


@pytest.mark.parametrize("folder", ["MRPC", "CoLA"])
def test_a_byte_order_mark_or_crlf_does_not_change_the_digest(
    write_glue: Write, tmp_path: Path, folder: str
) -> None:
    task = next(task for task in GLUE.values() if task.folder == folder)
    digests = set()
    for number, (end, mark) in enumerate([("\n", False), ("\r\n", False), ("\n", True)]):
        write_glue(tmp_path / str(number), folder, end=end, mark=mark)
        digests.add(read_glue(tmp_path / str(number), task).digest)
    assert len(digests) == 1


def test_one_changed_letter_changes_the_digest(write_glue: Write, tmp_path: Path) -> None:
    first = _read(write_glue, tmp_path, GLUE["rte"]).digest
    path = tmp_path / "RTE" / "train.tsv"
    path.write_text(path.read_text().replace("Ann sat", "Ann sit"))
    assert read_glue(tmp_path, GLUE["rte"]).digest != first


def test_a_missing_mismatched_set_is_a_note_and_a_present_one_is_read(
    write_glue: Write, tmp_path: Path
) -> None:
    data = _read(write_glue, tmp_path, GLUE["mnli"])
    assert not data.extra_tests
    assert "MNLI/dev_mismatched.tsv is missing: no mismatched test set" in data.notes
    matched = tmp_path / "MNLI" / "dev_matched.tsv"
    (tmp_path / "MNLI" / "dev_mismatched.tsv").write_bytes(matched.read_bytes())
    data = read_glue(tmp_path, GLUE["mnli"])
    assert data.extra_tests["mismatched"].texts == data.test.texts
    assert data.extra_tests["mismatched"].ids[0] == "mnli-mismatched-0"


def test_inputs_that_stand_in_both_splits_are_counted(write_glue: Write, tmp_path: Path) -> None:
    assert (
        "2 of 2 test inputs also occur in train" in _read(write_glue, tmp_path, GLUE["rte"]).notes
    )


def test_a_few_torn_quora_lines_are_left_out_and_counted(write_glue: Write, tmp_path: Path) -> None:
    folder = write_glue(tmp_path, "QQP")
    path = folder / "train.tsv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, "7\t\t\tHow", "so?\tWhy?\t0", *rows * 1000]) + "\n")
    data = read_glue(tmp_path, GLUE["qqp"])
    assert len(data.train) == 2000
    assert data.train.lines == tuple(range(4, 2004))
    assert "train.tsv: 2 torn lines left out (a line break inside a question)" in data.notes


@pytest.mark.parametrize("folder", ["RTE", "CoLA", "MRPC", "STS-B", "MNLI"])
def test_a_few_short_lines_are_left_out_and_counted_in_every_task(
    write_glue: Write, tmp_path: Path, folder: str
) -> None:
    task = next(task for task in GLUE.values() if task.folder == folder)
    path = write_glue(tmp_path, folder) / "train.tsv"
    rows = path.read_text().splitlines()
    head = [] if folder == "CoLA" else [rows.pop(0)]
    short = rows[0].rpartition("\t")[0]
    path.write_text("\n".join([*head, *rows * 10, short, "", *rows * 10]) + "\n")
    data = read_glue(tmp_path, task)
    assert len(data.train) == 20 * len(rows)
    assert "train.tsv: 2 lines with too few fields left out" in data.notes
    last = len(head) + 20 * len(rows) + 2
    assert data.train.lines[-1] == last
    path.write_text("\n".join([*head, *rows * 20, rows[0] + "\tmore"]) + "\n")
    with pytest.raises(UserError, match=r"train\.tsv:\d+: every line must have"):
        read_glue(tmp_path, task)


def _mrpc(folder: Path, rows: list[str], dev: list[str]) -> None:
    """MRPC as its authors gave it out, with GLUE's list of the ids of dev rows."""
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    folder.mkdir(parents=True, exist_ok=True)
    whole = "\n".join([header, *rows]) + "\n"
    (folder / "msr_paraphrase_train.txt").write_bytes(b"\xef\xbb\xbf" + whole.encode())
    (folder / "msr_paraphrase_test.txt").write_text(whole)
    (folder / "dev_ids.tsv").write_text("".join(line + "\n" for line in dev))


def test_mrpc_of_its_authors_is_cut_by_the_list_of_ids(tmp_path: Path) -> None:
    rows = ["1\t7\t8\tA.\tB.", "0\t8\t7\tC.\tD.", "1\t9\t10\tE.\tF.", "0\t7\t9\tG.\tH."]
    _mrpc(tmp_path / "MRPC", rows, ["8\t7"])
    data = read_glue(tmp_path, GLUE["mrpc"])
    assert data.train.texts == (("A.", "B."), ("E.", "F."), ("G.", "H."))
    assert data.test.texts == (("C.", "D."),)
    assert (data.train.lines, data.test.lines) == ((2, 4, 5), (3,))
    assert data.test.ids == ("mrpc-test-0",)
    assert "msr_paraphrase_train.txt cut into train and dev by dev_ids.tsv" in data.notes
    (tmp_path / "MRPC" / "dev_ids.tsv").unlink()
    with pytest.raises(UserError, match=r"msr_paraphrase_train\.txt: GLUE cuts .* dev_ids\.tsv"):
        read_glue(tmp_path, GLUE["mrpc"])


@REAL
def test_mrpc_cut_by_the_list_of_ids_is_the_official_split(tmp_path: Path) -> None:
    real = Path(os.environ["GLUE_DIR"]) / "MRPC"
    train, dev = (
        (real / name).read_text("utf-8-sig").split("\n")[1:-1] for name in ("train.tsv", "dev.tsv")
    )
    mixed = [line for i, line in enumerate(train) for line in (*dev[i : i + 1], line)]
    _mrpc(tmp_path / "MRPC", mixed, ["\t".join(line.split("\t")[1:3]) for line in dev])
    data = read_glue(tmp_path, GLUE["mrpc"])
    assert data.source == OFFICIAL_SOURCE
    assert data.digest == _real("mrpc").digest


MISTAKES = {
    "torn": ("RTE", "2\tAnn.\tentailment", r"train\.tsv:4: .* 4 tab-separated fields, .* has 3"),
    "quora": ("QQP", "2\tHow?\t0", r"train\.tsv:4: .* 6 tab-separated fields, .* has 3"),
    "label": ("RTE", "2\ta\tb\tmaybe", r"train\.tsv:4: unknown label 'maybe' \(labels: entail"),
    "hidden": ("SST-2", "good\t-1", r"train\.tsv:4: unknown label '-1' \(labels: 0, 1\)"),
    "score": ("STS-B", "\t" * 9 + "5.1", r"train\.tsv:4: a score must be .* from 0 to 5.*'5\.1'"),
    "nan": ("STS-B", "\t" * 9 + "nan", "a score must be a number"),
    "cola": ("CoLA", "x\t1\tno mark", r"train\.tsv:3: .* 4 tab-separated fields"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_bad_row_is_named_by_file_and_line(
    write_glue: Write, tmp_path: Path, mistake: str
) -> None:
    folder, row, message = MISTAKES[mistake]
    with (write_glue(tmp_path, folder) / "train.tsv").open("a") as file:
        file.write(row + "\n")
    task = next(task for task in GLUE.values() if task.folder == folder)
    with pytest.raises(UserError, match=message):
        read_glue(tmp_path, task)


def test_a_missing_folder_or_file_lists_what_is_there(write_glue: Write, tmp_path: Path) -> None:
    folder = write_glue(tmp_path, "RTE")
    with pytest.raises(UserError, match=r"SST-2: no such folder .*holds: RTE/"):
        read_glue(tmp_path, GLUE["sst2"])
    (folder / "dev.tsv").unlink()
    with pytest.raises(UserError, match=r"dev\.tsv: no such file .*holds: train\.tsv"):
        read_glue(tmp_path, GLUE["rte"])
    (folder / "dev.tsv").write_text("index\tsentence1\tsentence2\tlabel\n")
    with pytest.raises(UserError, match=r"dev\.tsv: a header and no rows"):
        read_glue(tmp_path, GLUE["rte"])
    (folder / "dev.tsv").write_text("index\tsentence1\tsentence\tlabel\n0\ta\tb\tentailment\n")
    with pytest.raises(UserError, match="no column 'sentence2'; did you mean 'sentence'"):
        read_glue(tmp_path, GLUE["rte"])


@REAL
@pytest.mark.parametrize(
    ("name", "file"),
    [
        pytest.param(*key, marks=pytest.mark.slow if known.rows > 60_000 else ())
        for key, known in OFFICIAL.items()
    ],
)
def test_the_table_of_official_digests_is_that_of_the_real_files(name: str, file: str) -> None:
    known = OFFICIAL[name, file]
    if known.sha256 is None:
        pytest.skip("no digest is known of this file")
    root = Path(os.environ["GLUE_DIR"])
    path = root / GLUE[name].folder / file
    assert hashlib.sha256(path.read_bytes()).hexdigest() == known.sha256
    data = _real(name)
    rows = data.train if file == "train.tsv" else data.test
    assert (len(rows), rows_digest(rows)) == (known.rows, known.rows_sha256)


@REAL
@pytest.mark.parametrize("name", ["cola", "mrpc", "stsb", "rte", "wnli"])
def test_the_real_files_are_official_also_after_a_change_of_line_ends(
    tmp_path: Path, name: str
) -> None:
    root, task = Path(os.environ["GLUE_DIR"]), GLUE[name]
    assert _real(name).source == OFFICIAL_SOURCE
    (tmp_path / task.folder).mkdir()
    for file in ("train.tsv", "dev.tsv"):
        raw = (root / task.folder / file).read_bytes()
        (tmp_path / task.folder / file).write_bytes(raw.replace(b"\n", b"\r\n"))
    changed = read_glue(tmp_path, task)
    assert (changed.source, changed.digest) == (OFFICIAL_SOURCE, _real(name).digest)


@REAL
def test_one_flipped_label_takes_the_official_name_away(tmp_path: Path) -> None:
    root = Path(os.environ["GLUE_DIR"])
    (tmp_path / "WNLI").mkdir()
    (tmp_path / "WNLI" / "dev.tsv").write_bytes((root / "WNLI" / "dev.tsv").read_bytes())
    raw = (root / "WNLI" / "train.tsv").read_bytes()
    (tmp_path / "WNLI" / "train.tsv").write_bytes(raw.replace(b"\t1\n", b"\t0\n", 1))
    data = read_glue(tmp_path, GLUE["wnli"])
    assert data.source == "GLUE format, 635 rows, not the official split"
    assert data.notes == ("WNLI/train.tsv: the rows are not those of the official file",)


@REAL
def test_subsets_of_the_large_tasks_are_not_called_official() -> None:
    for name in ("qqp", "mnli", "qnli"):
        data = _real(name)
        assert data.source == f"GLUE format, {len(data.train)} rows, not the official split"


@cache
def _real(name: str) -> TaskData:
    return read_glue(Path(os.environ["GLUE_DIR"]), GLUE[name])


def _read(write_glue: Write, root: Path, task: Task) -> TaskData:
    write_glue(root, task.folder)
    return read_glue(root, task)
