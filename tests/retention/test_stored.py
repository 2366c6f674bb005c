"""`tunebench retention` on the runs of a folder: stored beside them, and shown with them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.__main__ import main
from tunebench.retention import measure
from tunebench.store.store import Store
from tunebench.study import publish
from tunebench.study.compare import compare

from tests import small

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of two methods on a tiny decoder."""
    folder = tmp_path_factory.mktemp("decoder")
    decoder = small.make_decoder(folder / "tiny-llama")
    compare(small.experiment(decoder, folder / "runs", methods={"head": {}, "lora": {}}))
    (folder / "plain.txt").write_text("a fine film\nthe plot is dull\nthe cast is fine\nlong\n")
    return folder


def line(runs: Path, *more: str) -> list[str]:
    return ["retention", "--out", str(runs / "runs"), "--text", str(runs / "plain.txt"), *more]


def columns(runs: Path) -> dict[str, dict[str, str]]:
    """The rows of results.csv by method."""
    with (runs / "runs" / "results.csv").open(newline="") as file:
        return {row["method"]: row for row in csv.DictReader(file)}


def test_what_was_measured_is_stored_and_shown_and_not_measured_again(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert columns(runs)["lora"]["retention_change"] == ""
    assert main(line(runs, "--json")) == 0
    out, err = capsys.readouterr()
    assert err.count("tunebench: reviews-") == 2
    printed = {row["method"]: row["retention"] for row in json.loads(out)}
    shown = columns(runs)
    for method, one in printed.items():
        ends = ("retention_change", "retention_ci95_low", "retention_ci95_high")
        expected = [one["folded"][name] for name in ("change", "low", "high")]
        assert [float(shown[method][name]) for name in ends] == pytest.approx(expected, abs=1e-9)
        assert shown[method]["retention_texts"] == "plain.txt"
    assert printed["head"]["folded"]["change"] == 0
    assert printed["lora"]["folded"]["change"] != 0
    page = (runs / "runs" / "report.html").read_text()
    assert "forgets</th>" in page
    assert Store(runs / "runs").damaged() == []

    monkeypatch.setattr(measure.Untuned, "__init__", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(publish, "rebuild", lambda *_, **__: pytest.fail("written again"))
    assert main(line(runs, "--json")) == 0
    again, err = capsys.readouterr()
    assert (again, err) == (out, "")


def test_another_training_of_a_cell_is_measured_anew(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(runs / "runs")
    assert main(line(runs)) == 0
    cell = next(one for one in store.plan().cells if one.method == "lora")  # type: ignore[union-attr]
    result = store.result(cell.cell)
    assert result is not None
    store.put_result(replace(result, finished="2027-01-01T00:00:00+00:00"))
    capsys.readouterr()
    assert main(line(runs)) == 0
    assert capsys.readouterr().err.startswith(f"tunebench: {cell.cell}\n")
    (stored,) = store.retention([cell.cell])
    assert stored.trained == "2027-01-01T00:00:00+00:00"


def test_other_texts_or_lengths_are_another_question(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(runs / "runs")
    assert main(line(runs)) == 0
    cells = [one.cell for one in store.plan().cells]  # type: ignore[union-attr]
    there = len(store.retention(cells))
    capsys.readouterr()
    assert main(line(runs, "--max-length", "3")) == 0
    assert capsys.readouterr().err.count("tunebench: reviews-") == 2
    assert len(store.retention(cells)) == there + 2
