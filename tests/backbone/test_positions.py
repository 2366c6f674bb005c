"""Position schemes against their closed forms."""

import dataclasses
import math

import pytest
import torch
from tunebench.backbone.positions import Learned, Positions, Rotary, Sinusoidal

from tests.tiny import DECODER, ENCODER, FAMILIES
from tests.tiny import backbone as random_backbone


def test_sinusoidal_positions_are_the_closed_form():
    cfg = dataclasses.replace(ENCODER, positions="sinusoidal")
    scheme, places = Sinusoidal(cfg), torch.tensor([0, 1, 7, 63])
    added = scheme.add(torch.zeros(4, cfg.width), places)
    for row, place in zip(added.tolist(), places.tolist(), strict=True):
        for column, value in enumerate(row):
            angle = place / 10_000 ** (2 * (column // 2) / cfg.width)
            wanted = math.cos(angle) if column % 2 else math.sin(angle)
            assert value == pytest.approx(wanted, abs=2e-5)


def test_learned_positions_are_rows_of_the_table():
    scheme = Learned(ENCODER)
    x, places = torch.randn(3, ENCODER.width), torch.tensor([5, 0, 5])
    assert torch.equal(scheme.add(x, places), x + scheme.table.weight[[5, 0, 5]])


def test_the_gradient_of_learned_positions_is_the_same_every_time(two_threads: None) -> None:
    """Every text has the first positions: summed as threads come, the last bits would change."""
    scheme = Learned(dataclasses.replace(ENCODER, width=384, context=80))
    places = torch.cat([torch.arange(n) for n in torch.randint(20, 80, (16,)).tolist()])
    x, towards = torch.zeros(len(places), 384), torch.randn(len(places), 384)
    gradients = []
    for _ in range(20):
        scheme.zero_grad()
        (scheme.add(x, places) * towards).sum().backward()
        gradients.append(scheme.table.weight.grad)
    assert all(torch.equal(gradients[0], each) for each in gradients)


def test_rotary_attention_depends_on_distances_alone():
    scheme, size = Rotary(DECODER), DECODER.head_size
    q, k = torch.randn(1, 4, size), torch.randn(1, 2, size)

    def product(place_q, place_k):
        rotated_q, _ = scheme.apply_rotary(q, k, torch.tensor([place_q]))
        _, rotated_k = scheme.apply_rotary(q, k, torch.tensor([place_k]))
        return (rotated_q[0, :2].double() * rotated_k[0].double()).sum(-1)

    for distance in (0, 1, 5, 20):
        products = torch.stack([product(start + distance, start) for start in (0, 3, 30)])
        assert torch.allclose(products, products[:1].expand_as(products), rtol=0, atol=1e-5)
    assert not torch.allclose(product(1, 0), product(0, 1), atol=1e-3)


def test_rotary_turns_pairs_of_halves_by_their_angle():
    scheme, half = Rotary(DECODER), DECODER.head_size // 2
    q, k = torch.randn(2, 4, 2 * half), torch.randn(2, 2, 2 * half)
    rotated, _ = scheme.apply_rotary(q, k, torch.tensor([0, 11]))
    assert torch.equal(rotated[0], q[0])
    as_complex = torch.complex(q[1, :, :half].double(), q[1, :, half:].double())
    for pair in range(half):
        angle = 11 * DECODER.rope_theta ** (-pair / half)
        wanted = as_complex[:, pair] * complex(math.cos(angle), math.sin(angle))
        assert torch.allclose(rotated[1, :, pair].double(), wanted.real, atol=1e-5)
        assert torch.allclose(rotated[1, :, pair + half].double(), wanted.imag, atol=1e-5)


def test_rotary_keeps_lengths_and_its_input():
    scheme = Rotary(DECODER)
    q, k = torch.randn(6, 4, 8), torch.randn(6, 2, 8)
    q_before, k_before = q.clone(), k.clone()
    rotated_q, rotated_k = scheme.apply_rotary(q, k, torch.arange(6))
    assert torch.allclose(rotated_q.norm(dim=-1), q.norm(dim=-1), rtol=1e-5)
    assert torch.allclose(rotated_k.norm(dim=-1), k.norm(dim=-1), rtol=1e-5)
    assert torch.equal(q, q_before)
    assert torch.equal(k, k_before)


def test_each_scheme_leaves_the_other_place_alone():
    x, q, k = torch.randn(2, 32), torch.randn(2, 4, 8), torch.randn(2, 2, 8)
    places = torch.arange(2)
    assert torch.equal(Rotary(DECODER).add(x, places), x)
    for scheme in (Positions(), Learned(ENCODER)):
        rotated = scheme.apply_rotary(q, k, places)
        assert torch.equal(rotated[0], q)
        assert torch.equal(rotated[1], k)


def test_heads_of_odd_size_cannot_rotate():
    with pytest.raises(ValueError, match="`head_size` must be even to rotate, but got 7"):
        dataclasses.replace(DECODER, head_size=7)


WAVES = dataclasses.replace(ENCODER, positions="sinusoidal")


@pytest.mark.parametrize("cfg", [DECODER, FAMILIES["modernbert"], WAVES], ids=range(3))
def test_tables_stay_in_fp32_whatever_the_weights_become(cfg):
    backbone = random_backbone(cfg)
    before = {name: table.clone() for name, table in backbone.positions.named_buffers()}
    backbone.bfloat16()
    assert backbone.embedding.weight.dtype == torch.bfloat16
    assert before
    for name, table in backbone.positions.named_buffers():
        assert torch.equal(table, before[name])
