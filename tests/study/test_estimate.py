"""What a comparison will take, held against the comparison itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.__main__ import main
from tunebench.analysis.format import size
from tunebench.cli import comparing
from tunebench.cli.estimating import text
from tunebench.config import Experiment
from tunebench.progress import Quiet
from tunebench.study import estimate as estimating
from tunebench.study import publish, serving
from tunebench.study.compare import compare
from tunebench.study.estimate import RECORDS, Cost, Estimate, estimate

from tests import small, steady
from tests.study.conftest import NoTracker


def contents(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.fixture
def experiment(
    checkpoint: Path, databases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Experiment:
    monkeypatch.setattr(publish, "Tracker", NoTracker)
    monkeypatch.setattr(serving, "latency", steady.latency)
    out = tmp_path / "runs"
    shutil.copytree(databases, out)
    return replace(small.experiment(checkpoint, out), seeds=(0, 1))


def test_it_counts_what_is_missing_and_stored_weights_to_the_byte(experiment: Experiment) -> None:
    out = Path(experiment.out)
    before = contents(out)
    first = estimate(experiment, Quiet())
    assert contents(out) == before  # nothing is left behind
    compared = compare(experiment)
    ran = [trial for trial in compared.trials if trial.status == "complete"]
    assert (first.trials, first.cells) == (len(ran), len(compared.results))
    stored = sum((out / row.adapter).stat().st_size for row in compared.results)
    # A header holds a score more or less, and pads itself to eight bytes.
    assert abs(first.adapter_bytes - stored) < 200 * first.cells
    again = estimate(experiment, Quiet())
    assert (again.trials, again.cells, again.seconds, again.bytes) == (0, 0, 0.0, 0)
    one_more = estimate(replace(experiment, seeds=(0, 1, 2)), Quiet())
    assert one_more.trials == 0
    assert [cost.cells for cost in one_more.costs] == [1, 1]


def timed(once: float, step: float, row: float) -> Callable[..., tuple[float, ...]]:
    return lambda run, prepared, name: (once, step, row, 0.5, 1000)


def test_steps_rows_and_epochs_are_multiplied(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head reads its rows once, whatever the epochs; nobody else does."""
    search = replace(experiment.search, trials=2, trial_epochs=2, epochs=3)
    monkeypatch.setattr(estimating, "_probe", timed(once=1000.0, step=10.0, row=0.001))
    asked = replace(experiment, search=search)
    costs = {cost.method: cost for cost in estimate(asked, Quiet()).costs}
    row = compare(experiment).results[0]
    size = experiment.train.batch_size
    fit, validation = row.train_examples, row.validation_examples
    steps, whole = -(-fit // size), -(-(fit + validation) // size)
    judged, tested = 2 * validation / 1000, row.test_examples / 1000
    assert costs["lora"].trial_seconds == pytest.approx(1000 + 20 * steps + judged)
    assert costs["lora"].cell_seconds == pytest.approx(1000 + 30 * whole + tested)
    assert costs["head"].trial_seconds == pytest.approx(1000 + 10 * steps + judged)
    assert costs["head"].cell_seconds == pytest.approx(1000 + 10 * whole + tested)


def test_until_counts_all_looks(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "_probe", timed(once=1.0, step=0.0, row=0.0))
    looks = estimate(replace(experiment, seeds=(0,), until="decided"), Quiet())
    assert (looks.until, looks.cells) == (True, 2 * 20)
    assert "at most" in text(looks)


def test_workers_share_all_but_latency() -> None:
    cost = Cost("sst2", "lora", 2, 3, 10.0, 20.0, 1.5, 1000)
    whole = Estimate((cost, replace(cost, method="head", cells=0)), workers=4, until=False)
    assert whole.shared_seconds == pytest.approx(2 * 10 + 3 * 20 + 2 * 10)
    assert whole.seconds == pytest.approx(100 / 4 + 3 * 1.5)
    assert whole.bytes == 3 * (1000 + RECORDS)


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 bytes"), (1, "one byte"), (999, "999 bytes"), (1000, "1 kB"),
                         (301_000, "301 kB"), (90_300_000, "90.3 MB"), (3_612_345_678, "3.61 GB")],
)  # fmt: skip
def test_bytes_are_written_in_the_unit_that_fits(count: int, shown: str) -> None:
    assert size(count) == shown


def test_the_switch_prints_text_or_json_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cost = Cost("sst2", "lora", 2, 3, 10.0, 20.0, 1.5, 301_000)
    whole = Estimate((cost,), workers=2, until=False)
    monkeypatch.setattr(estimating, "estimate", lambda experiment, progress: whole)
    monkeypatch.setattr(comparing, "made_folder", None)
    line = ["compare", "sst2", "--methods=lora", "--estimate", "--out", str(tmp_path / "runs")]
    assert main(line) == 0
    shown = capsys.readouterr().out
    assert "2 trials, 3 cells" in shown
    assert "44 s with 2 workers" in shown
    assert main([*line, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["seconds"] == pytest.approx(44.5)
    assert content["costs"][0]["cell_seconds"] == 20.0
    assert not (tmp_path / "runs").exists()
