"""What a cell's record says of its training, its test and its serving."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pytest
import torch
from tunebench.methods import get_method
from tunebench.study.cell import device_name, versions
from tunebench.study.once import run_once

from tests import small


def test_a_complete_record_holds_all_that_was_measured(checkpoint: Path, tmp_path: Path) -> None:
    search = small.SearchSettings(trials=1, trial_epochs=1, epochs=2)
    experiment = small.experiment(checkpoint, tmp_path / "unused", search=search)
    (task,) = experiment.tasks
    row = run_once(task, get_method("lora")(rank=2), experiment=experiment, out=tmp_path, seed=3)
    assert (row.status, row.reason, row.failure, row.micro_batch) == ("complete", "", "", None)
    assert (row.task, row.method, row.seed) == ("reviews", "lora", 3)
    # One text and four, as the tests have it; what is shown is the one text.
    assert [one.batch for one in row.latency] == [1, 4]
    assert row.latency_ms == row.latency[0].median_ms > 0
    # Of 40 rows, 16 in a batch, two epochs; the validation rows train too.
    assert row.curve.steps[-1] == 2 * 3
    assert len(row.curve.loss) == len(row.curve.steps)
    assert row.train_seconds is not None
    assert row.train_seconds > 0
    assert row.peak_memory_mib is None or row.peak_memory_mib > 0
    assert row.train_examples + row.validation_examples == 40
    assert row.test_examples == 30
    assert datetime.fromisoformat(row.finished).utcoffset() is not None
    assert (tmp_path / row.adapter).is_file()
    assert (tmp_path / row.predictions).is_file()
    assert row.versions == versions()
    assert row.device == device_name(torch.device("cpu"))
    # Rank 2 on maps of the backbone, and a head of two classes beside it.
    assert row.trainable_params_with_head == row.trainable_params + 2 * 32 + 2
    empty = [name for name, value in asdict(row).items() if value in ("", (), {}, None)]
    assert {*empty} <= {
        *("reason", "failure", "micro_batch", "best_trial", "validation_score"),
        *("peak_memory_mib", "template", "truncated"),
    }


def test_a_device_is_named_by_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_name(torch.device("cpu")).startswith("CPU (")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card {device.index}")
    assert device_name(torch.device("cuda", 1)) == "Card 1"
