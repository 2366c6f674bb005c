"""A record counts only whole, with its files, all of them inside of its folder."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tunebench.records import Result, TrainingCost, Trial
from tunebench.store.record_file import digest
from tunebench.store.store import Store

CELL = "reviews-lora-seed0-1"


@pytest.fixture
def store(tmp_path) -> Store:
    """A folder with one cell and one trial."""
    out = tmp_path / "runs"
    for folder, name in (("adapters", f"{CELL}.safetensors"), ("predictions", f"{CELL}.parquet")):
        (out / folder).mkdir(parents=True)
        (out / folder / name).write_text(folder)
    store = Store(out)
    adapter, predictions = f"adapters/{CELL}.safetensors", f"predictions/{CELL}.parquet"
    store.put_result(
        Result(
            CELL,
            "study",
            "reviews",
            "lora",
            0,
            "complete",
            score=0.5,
            adapter=adapter,
            predictions=predictions,
        )
    )
    store.put_trial(Trial("study", 0, "complete", {"lr": 0.1}, 0.5, 1.0))
    return store


def edit(store: Store, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the cell's record, its own digest made to fit."""
    path = store.out / "cells" / f"{CELL}.json"
    content = json.loads(path.read_text())
    change(content)
    content["sha256"] = digest(content["record"], content["files"])
    path.write_text(json.dumps(content))


def test_a_record_is_read_back_as_it_was_put(store):
    result, trial = store.result(CELL), store.trial("study", 0)
    assert (result.score, result.adapter) == (0.5, f"adapters/{CELL}.safetensors")
    assert trial == Trial("study", 0, "complete", {"lr": 0.1}, 0.5, 1.0)
    assert store.damaged() == []


def test_a_record_that_names_a_file_outside_of_its_folder_does_not_count(store):
    secret = store.out.parent / "secret"
    secret.write_text("password")
    digest = hashlib.sha256(b"password").hexdigest()
    edit(
        store,
        lambda content: (
            content["record"].update(adapter="../secret"),
            content["files"].update({"../secret": digest}),
        ),
    )
    assert store.result(CELL) is None
    assert store.damaged() == [f"cells/{CELL}.json"]


def test_a_link_out_of_the_folder_does_not_count_either(store):
    adapter = store.out / "adapters" / f"{CELL}.safetensors"
    outside = store.out.parent / "outside"
    outside.write_bytes(adapter.read_bytes())
    adapter.unlink()
    adapter.symlink_to(outside)
    assert store.result(CELL) is None


def test_a_file_that_a_records_digests_do_not_cover_does_not_count(store):
    edit(store, lambda content: content["files"].clear())
    assert store.result(CELL) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"record": ' * 50_000,
        "[]",
        "null",
        "",
        '{"files": [], "record": {}, "sha256": ""}',
    ],
)
def test_a_garbled_record_is_damaged_and_nothing_else(store, text):
    (store.out / "cells" / f"{CELL}.json").write_text(text)
    assert store.result(CELL) is None
    assert store.damaged() == [f"cells/{CELL}.json"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"../../secret", b"", b"a/b", b"not-there"])
def test_a_garbled_latest_is_no_comparison(store, content):
    (store.out / "latest").write_bytes(content)
    assert store.plan() is None


def test_what_is_put_is_for_its_owner_only(store):
    paths: list[Path] = [*store.out.glob("cells/*"), *store.out.glob("trials/*/*")]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}


def test_a_record_from_before_costs_were_kept_is_read_without_them(store):
    edit(store, lambda content: content["record"].pop("cost"))
    record = store.result(CELL)
    assert record.score == 0.5
    assert record.cost == TrainingCost()
