"""The lab's files as data: what fits is read, what does not is a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tunebench.analysis.lab import LARGEST, Interval, Lab, read_lab, unmeasured

from tests.lab import COSTS, DIGEST, LATENCY, changed


def test_a_folder_without_the_files_has_nothing_and_no_problem(tmp_path: Path) -> None:
    assert read_lab(tmp_path, ()) == Lab()


def test_every_figure_is_read_and_what_the_report_does_not_show_is_left(tmp_path: Path) -> None:
    (tmp_path / "latency.json").write_text(json.dumps(LATENCY))
    (tmp_path / "costs.json").write_text(json.dumps(COSTS))
    lab = read_lab(tmp_path, {DIGEST, "another"})
    assert lab.problems == ()
    assert lab.latency is not None
    assert lab.costs is not None
    assert [point.method for point in lab.latency.points] == [
        point["method"] for point in LATENCY["points"]
    ]
    first, second, *_ = lab.latency.points
    assert first.timing is not None
    assert first.timing.ratio == Interval(1.2, 1.1, 1.3)
    assert second.timing is not None
    assert second.timing.ratio is None
    (lora, head) = lab.costs.costs
    assert lora.memory.counted == 100 + 10 + 20 + 300 + 40
    assert list(lora.memory.parts.values()) == [100, 10, 20, 300, 40]
    assert head.memory.measured is None


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("points", 0, "timing", "ratio", "value"), 0, "points.timing.ratio.value: must be > 0"),
        (("points", 0, "timing", "ratio", "low"), float("nan"), "timing.ratio.low: must be"),
        (("points", 0, "timing", "ratio", "high"), float("inf"), "high: must be <"),
        (("points", 0, "timing", "p50_ms"), "12", "must be a number, but got '12'"),
        (("points", 0, "texts"), 0, "points.texts: must be >= 1"),
        (("points", 0, "texts"), True, "points.texts: must be a whole number"),
        (("points", 0, "kind"), "sleep", "points.kind: must be one of"),
        (("points", 0, "method"), "\ud800", "text that UTF-8 can hold"),
        (("points",), {}, "points: must be a list"),
        (("backbone_digest",), None, "backbone_digest: must be text"),
    ],
)
def test_a_value_that_cannot_be_is_named_in_one_sentence(
    path: tuple[str | int, ...], value: Any, why: str, tmp_path: Path
) -> None:
    (tmp_path / "latency.json").write_text(json.dumps(changed(LATENCY, path, value)))
    lab = read_lab(tmp_path, ())
    assert lab.latency is None
    (line,) = lab.problems
    assert line.startswith("latency.json is damaged or not ours, and not shown: ")
    assert why in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no JSON"),
        (b'{"costs": [', "it is no JSON"),
        (b"\xff\xfe", "it is no JSON"),
        (b"[" * 10**6, "it is no JSON"),
        (b"1" * 10**5, "it is no JSON"),
        (b"[]", "must be a mapping"),
        (b"{}", "field required"),
        (b"7", "must be a mapping"),
    ],
)
def test_what_is_no_file_of_ours_is_one_sentence(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_bytes(content)
    lab = read_lab(tmp_path, ())
    (line,) = lab.problems
    assert lab.costs is None
    assert line.startswith("costs.json is damaged or not ours, and not shown: ")
    assert why in line


def test_a_folder_or_a_huge_file_in_its_place_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "latency.json").mkdir()
    with (tmp_path / "costs.json").open("wb") as file:
        os.truncate(file.fileno(), LARGEST + 1)
    first, second = read_lab(tmp_path, ()).problems
    assert "it is no file" in first
    assert "64 MiB" in second


def test_figures_of_another_backbone_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text(json.dumps(COSTS))
    lab = read_lab(tmp_path, {"another"})
    assert lab.costs is None
    assert lab.problems == (
        "costs.json is of minilm with other weights than this comparison's, and not shown.",
    )
    # A comparison that has no cell yet has no backbone that could be another.
    assert read_lab(tmp_path, ()).costs is not None


def test_methods_of_one_shape_and_reason_share_a_line() -> None:
    entries = [("1 × 2", "lora", "x"), ("1 × 2", "lora", "x"), ("1 × 2", "head", "x")]
    assert unmeasured([*entries, ("1 × 2", "head", "y")]) == [
        "not measured: 1 × 2 (lora, head): x",
        "not measured: 1 × 2 (head): y",
    ]
