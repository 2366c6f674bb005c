"""Packed sequences: where they begin and end, and back to padded batches."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from tunebench.backbone.layout import Layout, pack

LENGTHS = st.lists(st.integers(0, 7), min_size=1, max_size=6)
MASKS = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: st.lists(
        st.lists(st.booleans(), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)


@given(LENGTHS)
def test_rows_and_positions_count_each_sequence_from_0(lengths):
    layout, tokens = Layout.from_lengths(lengths), sum(lengths)
    assert layout.lengths.tolist() == lengths
    assert (layout.sequences, layout.max_seqlen) == (len(lengths), max(lengths))
    assert layout.sequence_ids(tokens).tolist() == [
        row for row, n in enumerate(lengths) for _ in range(n)
    ]
    assert layout.positions(tokens).tolist() == [place for n in lengths for place in range(n)]


@given(LENGTHS, st.integers(0, 5))
def test_longer_adds_to_every_sequence(lengths, by):
    more = Layout.from_lengths(lengths).extended(by)
    assert more.lengths.tolist() == [n + by for n in lengths]
    assert more.max_seqlen == max(lengths) + by


@given(MASKS)
def test_packing_keeps_every_real_token_in_order_and_knows_its_column(rows):
    mask = torch.tensor(rows)
    layout, places, columns = pack(mask)
    assert layout.lengths.tolist() == [sum(row) for row in rows]
    wanted = [(r, c) for r, row in enumerate(rows) for c, real in enumerate(row) if real]
    width = mask.shape[1]
    assert places.tolist() == [r * width + c for r, c in wanted]
    assert columns.tolist() == [c for _, c in wanted]
    assert layout.sequence_ids(len(wanted)).tolist() == [r for r, _ in wanted]


@given(MASKS)
def test_unpacking_puts_every_token_back_where_it_stood(rows):
    mask = torch.tensor(rows)
    values = torch.arange(mask.numel()) + 1
    _, places, _ = pack(mask)
    back = torch.zeros_like(values).index_copy(0, places, values[places])
    assert torch.equal(back.view_as(mask), values.view_as(mask) * mask)
