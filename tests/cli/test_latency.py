"""`tunebench latency` on a checkpoint of a few thousand weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tunebench.__main__ import main
from tunebench.cli.latency_table import NOISY, as_text, to_digit
from tunebench.costs.latency import Point
from tunebench.files import file_lock
from tunebench.measure.ratio import Interval, Timing

from tests import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("backbone"))


def run(folder: Path, out: Path, *more: str) -> int:
    """A quick grid."""
    line = ("--batch=1,2", "--length=4,texts,99", "--seconds=0.01", "--methods=lora,head")
    return main(["latency", f"--backbone={folder}", f"--out={out}", *line, *more])


def test_the_table_and_the_file_have_every_point(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, tmp_path) == 0
    out = capsys.readouterr().out
    assert "2 real, " in out
    assert "not measured: classify, 2 × 99 (lora, head): beyond the context of 64" in out
    content = json.loads((tmp_path / "latency.json").read_text("utf-8"))
    assert len(content["points"]) == 2 * 3 * 3
    assert content["methods"]["lora"]["rank"] == 8
    assert content["grid"]["lengths"] == [4, "texts", 99]
    assert content["backbone_digest"]
    timed = [point for point in content["points"] if point["timing"]]
    assert len(timed) == 2 * 2 * 3


def test_a_script_reads_the_same_from_standard_output(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, tmp_path, "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads((tmp_path / "latency.json").read_text("utf-8"))
    assert "points, about 0.01 s each at most" in captured.err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--batch=0", "--batch: must be whole numbers >= 1, but got '0'"),
        ("--batch=", "--batch: must name one at least"),
        ("--length=8,long", "--length: must be numbers of tokens, context or texts, but got"),
        ("--half-width=0%", "--half-width: must be a number above 0"),
        ("--seconds=soon", "--seconds: must be a number above 0, but got 'soon'"),
        ("--methods=lroa", "unknown method 'lroa'"),
        ("--seeds=1", "unknown flag '--seeds'"),
    ],
)
def test_a_mistake_is_one_line(
    flag: str, message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, tmp_path, flag) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_two_tasks_are_one_too_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "sst2", "rte", f"--out={tmp_path}"]) == 2
    assert "latency takes one task, whose texts are read" in capsys.readouterr().err


def test_nothing_is_timed_while_another_run_works_in_the_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with file_lock(tmp_path):
        assert run(folder, tmp_path) == 2
    assert "another run is working in" in capsys.readouterr().err
    assert not (tmp_path / "latency.json").exists()


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.08321, 0.012, "1.08"),
        (1.08321, 0.004, "1.083"),
        (1.08321, 0.2, "1.1"),
        (1.08321, 0.0, "1.083"),
        (12345.6, 340.0, "12,300"),
        (0.5, 3.0, "0"),
    ],
)
def test_a_number_ends_where_its_error_begins(value: float, error: float, text: str) -> None:
    assert to_digit(value, error) == text


def test_what_was_too_unsteady_has_words_in_the_place_of_numbers(tmp_path: Path) -> None:
    ratio = Interval(1.05, 1.03, 1.07)
    rows = [
        Point("classify", 1, 8, "lora", "folded", 8, 0.0, Timing(40, ratio, None, None)),
        Point("classify", 1, 8, "ia3", "folded", 8, 0.0, Timing(40, None, 2.0, 2.0)),
    ]
    text = as_text(rows, {"backbone": "tiny", "device": "CPU"}, tmp_path / "latency.json")
    lines = {line.split()[4]: line for line in text.splitlines() if line.startswith("classify")}
    assert "1.05" in lines["lora"]
    assert "1.03 – 1.07" in lines["lora"]
    assert "texts/s" not in lines["lora"]
    assert lines["lora"].count(NOISY) == lines["ia3"].count(NOISY) == 1
    assert "500" in lines["ia3"]  # texts a second
    assert "end what else runs" in text.lower()
