"""The order in which rows are learned: new in every epoch, all rows once, the same for a seed."""

from __future__ import annotations

import pytest
import torch
from tunebench.data.text.batches import Batches, PooledBatches
from tunebench.data.text.tokens import Encoded

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
