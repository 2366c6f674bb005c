"""`tunebench latency` on a checkpoint of a few thousand weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tunebench.__main__ import main
from tunebench.analysis.format import to_digit
from tunebench.analysis.lab import read_lab
from tunebench.cli import latency
from tunebench.cli.latency_table import NOISY_HERE, as_text
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
    assert run(folder, tmp_path, "--half-width=3%") == 0
    out = capsys.readouterr().out
    assert "2 real, " in out
    assert "not measured: classify, 2 × 99 (lora, head): beyond the context of 64" in out
    content = json.loads((tmp_path / "latency.json").read_text("utf-8"))
    assert len(content["points"]) == 2 * 3 * 3
    assert content["methods"]["lora"]["rank"] == 8
    assert content["grid"]["lengths"] == [4, "texts", 99]
    assert content["grid"]["half_width"] == pytest.approx(0.03)
    assert content["backbone_digest"]
    timed = [point for point in content["points"] if point["timing"]]
    assert len(timed) == 2 * 2 * 3
    shown = read_lab(tmp_path, {content["backbone_digest"]})
    assert shown.problems == ()
    assert shown.latency is not None
    assert len(shown.latency.points) == len(content["points"])


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
    assert lines["lora"].count(NOISY_HERE) == lines["ia3"].count(NOISY_HERE) == 1
    assert "500" in lines["ia3"]  # texts a second
    assert "end what else runs" in text.lower()


def test_without_a_row_there_is_nothing_to_explain(tmp_path: Path) -> None:
    point = Point("classify", 1, 99, "lora", "folded", reason="beyond the context of 64")
    text = as_text([point], {"backbone": "tiny", "device": "CPU"}, tmp_path / "latency.json")
    assert "not measured: classify, 1 × 99 (lora): beyond the context of 64" in text
    assert "timed in turn" not in text


def test_real_texts_say_what_packing_saves_them_and_others_save_nothing(tmp_path: Path) -> None:
    timing = Timing(40, None, 2.0, 2.0)
    rows = [
        Point("classify", 4, "texts", "lora", "folded", 80, padding, timing)
        for padding in (0.25, 0.0)
    ]
    rows.append(Point("classify", 4, 20, "lora", "folded", 80, 0.25, timing))
    text = as_text(rows, {"backbone": "tiny", "device": "CPU"}, tmp_path / "latency.json")
    shapes = [line.split("lora")[0] for line in text.splitlines() if line.startswith("classify")]
    assert [shape.removeprefix("classify").strip() for shape in shapes] == [
        "4 real, 20 each, 25 % padding saved",
        "4 real, 20 each",
        "4 × 20",
    ]


def test_a_figure_that_is_no_number_is_written_nowhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No reader of JSON but Python's takes NaN."""
    monkeypatch.setattr(latency, "as_json", lambda point: {"ratio": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        run(folder, tmp_path)
    assert not (tmp_path / "latency.json").exists()
