"""A seed fixes the head's start and the order of the data whatever the method is, and the answers.

Each row has a value of its own, so that the targets of the batches that reach the product's own
training step say which rows came when.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
import torch
from tunebench.config import SearchSettings
from tunebench.data.digest import digest
from tunebench.data.load import load_task
from tunebench.data.tasks import Examples, Task, TaskData
from tunebench.methods import get_method, names
from tunebench.progress import Quiet
from tunebench.records import Latency, Result
from tunebench.store.store import PlannedCell, Store
from tunebench.study.jobs import cell_job, execute, plain
from tunebench.study.prepare_run import PreparedRun, prepare_run
from tunebench.training.classifier import Classifier

from tests import small
from tests.contract import fits

SMALL: dict[str, dict[str, Any]] = {"adapter": {"bottleneck": 8}}
"""Settings without which a method does not fit a backbone of 32 channels."""


TIMED = Latency(batch=1, tokens=8, median_ms=1.0, p95_ms=1.0, ratio=1.0, repeats=1)
"""Nothing is timed here."""


class Seen(NamedTuple):
    """What a run trained on and from, and what it answered."""

    order: list[tuple[float, ...]]
    """The targets of each batch."""
    head: dict[str, torch.Tensor]
    """The head when the first batch came."""
    answers: dict[str, Sequence[Any]]
    micro_batch: int | None


def rows(examples: Examples, count: int) -> Examples:
    """Reviews whose label is their number."""
    taken = examples.take(list(range(count)))
    return dataclasses.replace(taken, labels=tuple(map(float, range(count))))


@pytest.fixture(scope="module", params=["encoder", "decoder"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PreparedRun:
    """Forty numbered reviews on a tiny backbone, with every method that it can have."""
    folder = tmp_path_factory.mktemp(request.param)
    (small.make_folder if request.param == "encoder" else small.make_decoder)(folder / "tiny")
    source = load_task(str(folder / "tiny" / "reviews.tsv"))
    task = Task("numbers", ("text",), "number", (), ("pearson",), "", objective="regression")
    train, test = rows(source.train, 32), rows(source.test, 8)
    data = TaskData(task, train, test, "made up", digest(task, train, test, {}), {})
    search = SearchSettings(trials=1, trial_epochs=1, epochs=2)
    experiment = small.experiment(folder / "tiny", folder / "runs", search=search)
    made = [get_method(name)(**SMALL.get(name, {})) for name in names()]
    store, quiet = Store(folder / "runs"), Quiet()
    one = [get_method("head")()]
    cfg = prepare_run(experiment, store, quiet, data=[data], methods=one).context.base_model.cfg
    fitting = [method for method in made if fits(method, cfg)]
    return prepare_run(experiment, store, quiet, data=[data], methods=fitting)


def watch(run: PreparedRun, method: str, seed: int, patch: pytest.MonkeyPatch) -> Seen:
    """Train a cell, and note what reaches the training step."""
    order: list[tuple[float, ...]] = []
    head: dict[str, torch.Tensor] = {}
    inner = Classifier.training_step

    def step(classifier: Classifier, batch: Any, batch_idx: int = 0) -> Any:
        if not order:
            state = classifier.head.state_dict()
            head.update({name: tensor.clone() for name, tensor in state.items()})
        order.append(tuple(batch.labels.flatten().tolist()))
        return inner(classifier, batch, batch_idx)

    settings = get_method(method)(**SMALL.get(method, {})).hyperparameters()
    planned = PlannedCell(f"numbers-{method}-seed{seed}", "study", "numbers", method, seed)
    job = dataclasses.replace(cell_job(planned, ()), hyperparameters=plain(settings))
    with patch.context() as inside:
        inside.setattr(Classifier, "training_step", step)
        inside.setattr("tunebench.study.cell.serve", lambda *arguments: (TIMED,))
        record = execute(job, run)
    assert isinstance(record, Result)
    assert record.status == "complete", record.reason
    answers = pq.read_table(run.context.store.out / record.predictions).to_pydict()
    return Seen(order, head, answers, record.micro_batch)


@pytest.fixture(scope="module")
def seen(run: PreparedRun) -> dict[str, Seen]:
    """What each method saw with seed 0."""
    with pytest.MonkeyPatch.context() as patch:
        return {name: watch(run, name, 0, patch) for name in run.classes}


def same_head(a: Seen, b: Seen) -> bool:
    return a.head.keys() == b.head.keys() and all(
        torch.equal(a.head[name], b.head[name]) for name in a.head
    )


def test_the_method_alone_changes_neither_order_nor_head(
    run: PreparedRun, seen: dict[str, Seen]
) -> None:
    assert len(seen) >= len(names()) - 1
    reference = seen["full"]
    # Two epochs over all rows, each in an order of its own.
    half = len(reference.order) // 2
    first, second = (
        tuple(row for batch in part for row in batch)
        for part in (reference.order[:half], reference.order[half:])
    )
    assert sorted(first) == sorted(second)
    assert len({*first}) == len(first) == 32
    assert first not in (second, tuple(sorted(first)))
    for name, one in seen.items():
        assert one.order == reference.order, name
        assert same_head(one, reference), name
        assert one.micro_batch is None


def test_another_seed_changes_both(
    run: PreparedRun, seen: dict[str, Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = watch(run, "head", 1, monkeypatch)
    assert other.order != seen["head"].order
    assert not same_head(other, seen["head"])
    assert other.answers["prediction"] != seen["head"].answers["prediction"]


def test_two_runs_with_equal_seeds_answer_alike_and_two_methods_do_not(
    run: PreparedRun, seen: dict[str, Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, one in seen.items():
        assert watch(run, name, 0, monkeypatch).answers == one.answers, name
    different = {tuple(one.answers["prediction"]) for one in seen.values()}
    assert len(different) == len(seen)
