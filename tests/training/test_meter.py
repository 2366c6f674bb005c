"""What a training read and took, beside the tokenizer's lengths and the batches that came."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tunebench.data.text.batches import Batch
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study.prepare_run import PreparedRun, prepare_run
from tunebench.training import fit as fitting
from tunebench.training.classifier import Classifier
from tunebench.training.fit import Fitted

from tests import small
from tests.training.interrupting import Asked, place, train


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("checkpoint") / "tiny-bert")


@pytest.fixture(scope="module")
def run(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedRun:
    out = tmp_path_factory.mktemp("out")
    return prepare_run(small.experiment(checkpoint, out), Store(out), Quiet())


def lengths(run: PreparedRun, checkpoint: Path) -> list[int]:
    """Of the texts that train, by the tokenizer's own file."""
    (prepared,) = run.tasks.values()
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.enable_truncation(32)
    with (checkpoint / "reviews.tsv").open() as file:
        texts = {row["text"] for row in csv.DictReader(file, delimiter="\t")}
    train = [text for (text,) in prepared.fit.rows.texts]
    assert set(train) <= texts
    return [len(tokenizer.encode(text).ids) for text in train]


def read(run: PreparedRun, name: str, **settings: Any) -> tuple[Fitted, list[list[int]]]:
    """A training, and the lengths of the texts of each batch that went through the network."""
    seen: list[list[int]] = []
    encode, inner = Classifier.pooled, Classifier.training_step

    def pooled(self: Classifier, batch: Batch) -> Any:
        seen.append(batch.layout.cu_seqlens.diff().tolist())
        return encode(self, batch)

    def step(self: Classifier, batch: Any, number: int) -> Any:
        if isinstance(batch, Batch):
            seen.append(batch.layout.cu_seqlens.diff().tolist())
        return inner(self, batch, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", step)
        if name == "head":
            patch.setattr(Classifier, "pooled", pooled)
        return train(run, get_method(name)(), by_epoch=False, **settings), seen


@pytest.mark.parametrize("micro_batch", [None, 3])
def test_tokens_are_the_tokenizer_s_and_padding_that_of_the_batches_that_came(
    run: PreparedRun, checkpoint: Path, micro_batch: int | None
) -> None:
    fitted, seen = read(run, "lora", epochs=3, micro_batch=micro_batch)
    assert fitted.cost.tokens == 3 * sum(lengths(run, checkpoint)) == sum(map(sum, seen))
    assert fitted.cost.padded_tokens == sum(max(batch) * len(batch) for batch in seen)
    assert fitted.cost.padded_tokens > fitted.cost.tokens


def test_a_frozen_backbone_reads_each_text_once_whatever_the_epochs(
    run: PreparedRun, checkpoint: Path
) -> None:
    fitted, seen = read(run, "head", epochs=3)
    assert fitted.cost.tokens == sum(lengths(run, checkpoint)) == sum(map(sum, seen))
    assert fitted.cost.padded_tokens == sum(max(batch) * len(batch) for batch in seen)


def test_seconds_rise_with_the_curve_and_are_part_of_the_training_s(run: PreparedRun) -> None:
    fitted = train(run, get_method("lora")())
    cost, curve = fitted.cost, fitted.curve
    assert len(cost.seconds) == len(curve.steps)
    assert list(cost.seconds) == sorted(set(cost.seconds))
    assert 0 < cost.seconds[0] < cost.seconds[-1] < fitted.seconds
    assert len(cost.epoch_seconds) == len(curve.validation) == 2
    at = dict(zip(curve.steps, cost.seconds, strict=True))
    for step, seconds in zip(curve.epochs, cost.epoch_seconds, strict=True):
        assert at[step] <= seconds < at[step + 1]
    assert cost.joules == {}


def test_judging_and_reading_beforehand_are_kept_apart(
    run: PreparedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A judgement of half a second each is no training; a head's one reading of the texts is."""
    judge, pool_once = fitting.judge, fitting.pool_once

    def slow(*arguments: Any) -> Any:
        time.sleep(0.5)
        return judge(*arguments)

    def slow_reading(*arguments: Any) -> Any:
        time.sleep(0.5)
        return pool_once(*arguments)

    monkeypatch.setattr(fitting, "judge", slow)
    begin = time.perf_counter()
    fitted = train(run, get_method("lora")())
    assert fitted.cost.seconds[-1] <= time.perf_counter() - begin - 1.0
    monkeypatch.setattr(fitting, "pool_once", slow_reading)
    assert train(run, get_method("head")(), by_epoch=False).cost.seconds[0] > 0.5


@pytest.mark.parametrize("name", ["lora", "head"])
def test_what_goes_on_counts_on(run: PreparedRun, tmp_path: Path, name: str) -> None:
    whole = train(run, get_method(name)())
    unfinished = place(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(run, get_method(name)(), unfinished, progress=Asked(4))
    unfinished.open()
    assert unfinished.position is not None
    fitted = train(run, get_method(name)(), unfinished)
    assert fitted.curve == whole.curve
    assert (fitted.cost.tokens, fitted.cost.padded_tokens) == (
        whole.cost.tokens,
        whole.cost.padded_tokens,
    )
    assert len(fitted.cost.seconds) == len(fitted.curve.steps)
    assert list(fitted.cost.seconds) == sorted(set(fitted.cost.seconds))
    assert len(fitted.cost.epoch_seconds) == len(fitted.curve.validation)
