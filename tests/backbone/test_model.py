"""No sequence knows what it is packed or padded with."""

import dataclasses
import inspect

import pytest
import torch
from tunebench.backbone.config import BackboneConfig
from tunebench.backbone.layout import Layout
from tunebench.backbone.model import Backbone
from tunebench.errors import UserError
from tunebench.methods import get_method

from tests import tiny

LENGTHS = (5, 1, 9, 3)
SHAPES: dict[str, BackboneConfig] = tiny.CONFIGS | {
    **{name: cfg for name, cfg in tiny.FAMILIES.items() if name != "dynamic"},
    "waves": dataclasses.replace(tiny.ENCODER, positions="sinusoidal", segments=0),
    "gated": dataclasses.replace(
        tiny.ENCODER, norm_place="before", mlp="geglu", embedding_norm=False
    ),
}


@pytest.fixture(params=sorted(SHAPES))
def shape(request) -> BackboneConfig:
    return SHAPES[request.param]


def sequences():
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(0, 50, (n,), generator=generator) for n in LENGTHS]


def near(states, wanted):
    bar = 1e-6 * float(wanted.detach().abs().max())
    return torch.allclose(states, wanted, rtol=1e-6, atol=bar)


def test_a_sequence_packed_with_others_gives_what_it_gives_alone(shape):
    backbone, rows = tiny.backbone(shape), sequences()
    together = backbone.encode(torch.cat(rows), Layout.from_lengths(LENGTHS)).split(LENGTHS)
    for row, states in zip(rows, together, strict=True):
        assert near(states, backbone.encode(row, Layout.from_lengths([len(row)])))


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_padded_batch_gives_what_each_sequence_gives_alone(shape, side):
    backbone, rows, width = tiny.backbone(shape), sequences(), max(LENGTHS) + 2
    ids, mask = torch.full((len(rows), width), 7), torch.zeros(len(rows), width, dtype=torch.int64)
    for number, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(width - len(row), width)
        ids[number, place], mask[number, place] = row, 1
    out = backbone(ids, mask)
    assert torch.equal(out[mask == 0], torch.zeros_like(out[mask == 0]))
    for number, row in enumerate(rows):
        columns = side == "left" and shape.count_padding
        start = width - len(row) if columns else 0
        shift = torch.full((len(row),), start)
        separate = backbone.encode(row, Layout.from_lengths([len(row)]), shift=shift)
        assert near(out[number, mask[number] == 1], separate)


def test_what_stands_in_the_padding_is_never_read(shape):
    backbone = tiny.backbone(shape)
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
    ids = torch.randint(0, 50, (2, 4))
    other = torch.where(mask == 1, ids, (ids + 11) % 50)
    assert torch.equal(backbone(ids, mask), backbone(other, mask))


def test_without_a_mask_every_token_is_real(shape):
    backbone, ids = tiny.backbone(shape), torch.randint(0, 50, (3, 6))
    assert torch.equal(backbone(ids), backbone(ids, torch.ones_like(ids)))


def test_a_decoder_reads_nothing_from_the_future():
    backbone, ids = tiny.backbone(tiny.DECODER), torch.randint(0, 50, (1, 8))
    changed = ids.clone()
    changed[0, 5:] = (changed[0, 5:] + 1) % 50
    one, two = backbone(ids), backbone(changed)
    assert near(one[:, :5], two[:, :5])
    assert not torch.allclose(one[:, 5:], two[:, 5:], atol=1e-3)


def test_segments_are_added_where_they_are_said():
    backbone, ids = tiny.backbone(tiny.ENCODER), torch.randint(0, 50, (2, 5))
    zeros = torch.zeros_like(ids)
    assert torch.allclose(backbone(ids), backbone(ids, token_type_ids=zeros), rtol=0, atol=1e-6)
    ones = zeros.clone()
    ones[:, 3:] = 1
    assert not torch.allclose(backbone(ids), backbone(ids, token_type_ids=ones), atol=1e-3)


def test_more_columns_than_positions_are_refused(shape):
    ids = torch.zeros(1, shape.context + 1, dtype=torch.int64)
    with pytest.raises(ValueError, match="got 65 positions in a context of 64"):
        tiny.backbone(shape)(ids)


@pytest.mark.parametrize("side", ["left", "right"])
def test_columns_that_a_prompt_moves_beyond_the_positions_are_refused(side):
    backbone = tiny.backbone(tiny.ENCODER)
    get_method("prompt")(length=5).attach(backbone)
    ids = torch.zeros(2, tiny.ENCODER.context, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    mask[:, -3:] = 1
    mask = mask if side == "left" else mask.flip(1)
    if side == "right":
        assert backbone(ids, mask).isfinite().all()
    else:
        with pytest.raises(ValueError, match="got 69 positions in a context of 64"):
            backbone(ids, mask)


@pytest.mark.parametrize("name", ["attention_mask", "token_type_ids"])
def test_a_mask_or_segments_of_another_shape_are_refused(name):
    ids = torch.zeros(2, 5, dtype=torch.int64)
    # Unwrapped, since the type checker of these tests would refuse it first.
    encode_padded, backbone = inspect.unwrap(Backbone.encode_padded), tiny.backbone(tiny.ENCODER)
    with pytest.raises(UserError, match=rf"`{name}.shape == input_ids.shape` must hold"):
        encode_padded(backbone, ids, **{name: torch.ones(2, 4, dtype=torch.int64)})


def test_an_empty_row_has_no_states_and_changes_no_other(shape):
    backbone, ids = tiny.backbone(shape), torch.randint(0, 50, (3, 4))
    mask = torch.tensor([[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    out = backbone(ids, mask)
    assert torch.equal(out[1], torch.zeros_like(out[1]))
    assert near(out[[0, 2]], backbone(ids[[0, 2]], mask[[0, 2]]))
