"""The order in which rows are learned: new in every epoch, all rows once, the same for a seed."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from tunebench.backbone.layout import Layout
from tunebench.data.text.batches import Batch, Batches, BatchSpans, Pooled, PooledBatches
from tunebench.data.text.tokens import Encoded, TemplateSpans

ROWS = 50


def loader(seed: int | None) -> Batches:
    """Rows of which each has its own number as its one token."""
    ids = tuple((row,) for row in range(ROWS))
    return Batches(
        Encoded(ids, ((0,),) * ROWS, 0),
        lambda rows: torch.tensor(list(rows)),
        batch_size=8,
        shuffle_seed=seed,
    )


@pytest.mark.parametrize("micro_batch", [None, 1, 2, 5])
@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
def test_processes_that_share_batches_weight_each_row_as_one_process_does(
    world_size: int, micro_batch: int | None
) -> None:
    """The mean over processes of their weighted means is the batch's, a short last one too."""
    batches = [
        Batches(
            Encoded(((0,),) * ROWS, ((0,),) * ROWS, 0),
            batch_size=8,
            shuffle_seed=3,
            micro_batch=micro_batch,
            rank=rank,
            world_size=world_size,
        )
        for rank in range(world_size)
    ]
    whole, accumulate, steps = loader(3), batches[0].accumulate, list(loader(3).passing())
    assert [list(map(len, steps)), len(whole)] == [[8] * 6 + [2], 7]
    parts = [list(one.passes()) for one in batches]
    assert {len(one) for one in parts} == {len(one) for one in batches}
    assert sum(len(rows) * (weight > 0) for one in parts for rows, weight in one) == ROWS
    seen: list[dict[int, float]] = [{} for _ in steps]
    for one in parts:
        for number, (rows, weight) in enumerate(one):
            assert 0 < len(rows) <= batches[0].micro_batch
            for row in rows:
                share = weight / len(rows) / accumulate / world_size
                known = seen[number // accumulate]
                known[row] = known.get(row, 0.0) + share
    for step, weights in zip(steps, seen, strict=True):
        assert weights == pytest.approx(dict.fromkeys(step, 1 / len(step)))


def epochs(batches: Batches, count: int) -> list[list[int]]:
    """The rows of so many passes, in the order in which they are read."""
    return [[n for batch in batches for n in batch.labels.tolist()] for _ in range(count)]


@pytest.mark.parametrize("pooled", [False, True])
def test_every_epoch_has_all_rows_in_an_order_of_its_own(pooled: bool) -> None:
    batches = loader(3)
    if pooled:
        batches = PooledBatches(batches, torch.arange(ROWS)[:, None].float())
    orders = epochs(batches, 5)
    assert all(sorted(order) == list(range(ROWS)) for order in orders)
    assert len({tuple(order) for order in [*orders, list(range(ROWS))]}) == 6


def test_a_seed_gives_the_same_orders_again_and_another_seed_others() -> None:
    first = epochs(loader(3), 3)
    assert epochs(loader(3), 3) == first
    other = epochs(loader(4), 3)
    assert all(order not in first for order in other)


def test_without_a_seed_the_file_s_order_stays() -> None:
    assert epochs(loader(None), 2) == [list(range(ROWS))] * 2


def test_a_batch_s_tokens_are_those_of_its_labels() -> None:
    for batch in loader(1):
        assert batch.ids.tolist() == batch.labels.tolist()


def test_rows_without_targets_have_no_labels() -> None:
    rows = Batches(Encoded(((1,), (2,)), ((0,), (0,)), 0), None, batch_size=2, shuffle_seed=None)
    (batch,) = rows
    assert batch.labels.shape == (0,)


def test_vectors_and_labels_are_copied_as_lightning_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def to(self: torch.Tensor, device: str, non_blocking: bool = False) -> torch.Tensor:
        asked.append((device, non_blocking))
        return self

    monkeypatch.setattr(torch.Tensor, "to", to)
    pooled = Pooled(torch.ones(2, 3), torch.ones(2), weight=0.5)
    for non_blocking in (True, False):
        assert pooled.to("cpu", non_blocking).weight == 0.5
        assert asked == [("cpu", non_blocking)] * 2
        asked.clear()


def test_places_in_a_row_are_places_in_a_batch_from_where_the_row_begins() -> None:
    layout = Layout.from_lengths([4, 2, 5])
    begins = (0, 4, 6)
    rows = [TemplateSpans((0, 2), 3), TemplateSpans((0, 1), 1), TemplateSpans((1, 4), 0)]
    spans = BatchSpans.of(rows, layout)
    assert spans is not None
    assert spans.soft_token_positions is not None
    assert spans.read.tolist() == [b + row.read for b, row in zip(begins, rows, strict=True)]
    assert spans.soft_token_positions.tolist() == [
        [b + place for place in row.soft_token_positions]
        for b, row in zip(begins, rows, strict=True)
    ]
    assert BatchSpans.of([], layout) is None


class Moved(torch.Tensor):
    """A tensor that keeps how it was moved."""

    asked: ClassVar[list[tuple[object, bool]]] = []

    def to(self, device: object, non_blocking: bool = False) -> torch.Tensor:  # type: ignore[override]
        self.asked.append((device, non_blocking))
        return self.as_subclass(torch.Tensor)


@pytest.mark.parametrize("waits", [False, True])
def test_all_of_a_batch_moves_as_lightning_asks(waits: bool) -> None:
    def moved(*values: int) -> torch.Tensor:
        return torch.tensor(values).as_subclass(Moved)

    Moved.asked.clear()
    layout = Layout.from_lengths([2, 1])
    spans = BatchSpans(moved(0, 2)[:, None], moved(1, 2))
    batch = Batch(moved(5, 6, 7), layout, moved(0, 0, 0), moved(0, 1), spans, 0.5)
    there = batch.to("cpu", non_blocking=not waits)
    assert Moved.asked == [("cpu", not waits)] * 5
    assert (there.weight, there.ids.tolist()) == (0.5, [5, 6, 7])
    Moved.asked.clear()
    Pooled(moved(1, 2), moved(0, 1), 0.5).to("cpu", non_blocking=not waits)
    assert Moved.asked == [("cpu", not waits)] * 2
