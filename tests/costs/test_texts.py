"""Batches: fixed lengths, real ones from everywhere, and the padding that packing saves."""

import pytest
from tunebench.costs.texts import padding_share, random_batch, served_batch
from tunebench.data.text.tokens import Encoded

from tests import tiny


def test_random_texts_are_the_same_each_time_and_have_one_length():
    one, again = (random_batch(tiny.ENCODER, 3, 7) for _ in range(2))
    assert one.ids.equal(again.ids)
    assert one.layout.lengths.tolist() == [7, 7, 7]
    assert int(one.ids.max()) < tiny.ENCODER.vocabulary
    assert padding_share(one) == 0


def rows(*lengths):
    ids = tuple((n,) * length for n, length in enumerate(lengths))
    return Encoded(ids, tuple((0,) * length for length in lengths), 0)


@pytest.mark.parametrize(
    ("texts", "lengths"), [(1, [5]), (3, [2, 5, 9]), (9, [1, 2, 3, 4, 5, 6, 7, 9, 11])]
)
def test_real_texts_come_from_everywhere_in_their_order_by_length(texts, lengths):
    encoded = rows(9, 1, 5, 2, 7, 3, 11, 4, 6)
    batch = served_batch(encoded, texts)
    assert batch.layout.lengths.tolist() == lengths


def test_more_texts_than_there_are_repeat_some():
    assert len(served_batch(rows(1, 2), 4).ids) == 1 + 1 + 2 + 2


def test_the_padding_share_is_what_the_longest_text_would_ask_of_the_others():
    assert padding_share(served_batch(rows(4, 1), 2)) == pytest.approx(3 / 8)
