"""A record is read once as long as its files are what they were, and again when one is not."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.records import Trial
from tunebench.store.remembering import RememberingStore
from tunebench.store.store import Store

from tests.file_calls import counted
from tests.records import result

CELL = "sst2-lora-seed0"


@pytest.fixture
def store(tmp_path: Path) -> RememberingStore:
    """A store with a cell and a trial, and nothing remembered."""
    writing = Store(tmp_path)
    writing.put_trial(Trial("study", 0, "complete", {"lr": 0.1}, 0.5, 1.0))
    write(writing, "answers")
    return RememberingStore(tmp_path)


def write(store: Store, answers: str, score: float = 0.5) -> None:
    """A cell's record with its two files."""
    for folder, content in (("adapters", "weights"), ("predictions", answers)):
        (store.out / folder).mkdir(exist_ok=True)
        (store.out / folder / CELL).write_text(content)
    row = replace(result("sst2", "lora", 0), cell=CELL, score=score)
    store.put_result(replace(row, adapter=f"adapters/{CELL}", predictions=f"predictions/{CELL}"))


def opened(store: Store) -> int:
    """How many files are opened to read both records, which must be what another store reads."""
    with counted() as calls:
        records = store.result(CELL), store.trial("study", 0)
    assert records == (Store(store.out).result(CELL), Store(store.out).trial("study", 0))
    return sum(count for (kind, _), count in calls.items() if kind == "open")


def test_a_record_and_its_files_are_read_once(store):
    assert opened(store) == 4
    assert store.result(CELL) is not None
    assert opened(store) == 0
    assert store.trials("study", 5) == (store.trial("study", 0),)


def test_a_record_that_is_written_again_is_read_again(store):
    opened(store)
    write(store, "answers", score=0.75)
    assert opened(store) == 3
    assert store.result(CELL).score == 0.75
    assert opened(store) == 0


def test_a_record_that_changes_while_it_is_read_is_read_again(store, monkeypatch):
    read = Store._get

    def slowly(self, kind, path):
        record = read(self, kind, path)
        write(store, "answers", score=0.75)
        return record

    with monkeypatch.context() as patched:
        patched.setattr(Store, "_get", slowly)
        assert store.result(CELL).score == 0.5
    assert store.result(CELL).score == 0.75


@pytest.mark.parametrize("folder", ["adapters", "predictions", "cells"])
def test_a_file_that_somebody_damaged_is_seen(store, folder):
    (path,) = (store.out / folder).iterdir()
    assert store.result(CELL) is not None
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    os.utime(path, ns=(1, 1))
    assert store.result(CELL) is None
    path.write_bytes(content)
    assert store.result(CELL) is not None
    path.unlink()
    assert store.result(CELL) is None


def test_what_is_not_there_is_not_remembered(tmp_path):
    store = RememberingStore(tmp_path)
    assert store.trial("study", 0) is None
    assert store.plan() is None
    store.put_trial(Trial("study", 0, "complete", {}, 0.5, 1.0))
    assert store.trial("study", 0) is not None
