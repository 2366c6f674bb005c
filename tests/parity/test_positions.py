"""Positions against transformers' own functions, and against the equations."""

import cmath
import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.distilbert.modeling_distilbert import create_sinusoidal_embeddings
from tunebench.backbone.config import RopeScaling
from tunebench.backbone.positions import Rotary, Sinusoidal
from tunebench.backbone.rope_scaling import scaled_frequencies
from tunebench.checkpoints.families.settings import rope

from tests.tiny import DECODER, ENCODER

TRAINED = 64
SCALINGS = {
    "linear": {"factor": 3.5},
    "dynamic": {"factor": 4.0},
    "llama3": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 24,
    },
}
PLACES = st.integers(0, 60)


@pytest.mark.parametrize("kind", SCALINGS)
@pytest.mark.parametrize("theta", [500.0, 10_000.0, 500_000.0])
@pytest.mark.parametrize("size", [8, 64])
@pytest.mark.parametrize("length", [10, TRAINED, 100, 1000])
def test_stretched_frequencies_are_those_of_transformers(kind, theta, size, length):
    given_rope = {"rope_type": kind, "rope_theta": theta, **SCALINGS[kind]}
    peer = LlamaConfig(
        head_dim=size, max_position_embeddings=TRAINED, rope_parameters=dict(given_rope)
    )
    wanted, factor = ROPE_INIT_FUNCTIONS[kind](peer, None, seq_len=length)
    base, scaling = rope({"rope_parameters": given_rope, "max_position_embeddings": TRAINED})
    assert base == theta
    frequencies = scaled_frequencies(size, base, scaling, length)
    assert factor == 1
    assert frequencies.dtype == torch.float32
    assert torch.allclose(frequencies, wanted, rtol=2e-6, atol=0)


@pytest.mark.parametrize(("positions", "width"), [(512, 96), (64, 32), (5, 6)])
def test_sinusoidal_positions_are_those_of_distilbert(positions, width):
    cfg = dataclasses.replace(ENCODER, positions="sinusoidal", context=positions, width=width)
    wanted = create_sinusoidal_embeddings(positions, width, torch.zeros(positions, width))
    table = Sinusoidal(cfg).table
    assert table.dtype == torch.float32
    assert torch.allclose(table, wanted, rtol=0, atol=2e-7)


@pytest.mark.parametrize("kind", [None, "linear", "dynamic", "llama3"])
def test_rotary_tables_and_turns_are_in_fp32(kind):
    scaling = None if kind is None else RopeScaling(kind, 2.0, 16)
    scheme = Rotary(dataclasses.replace(DECODER, rope_scaling=scaling))
    assert {table.dtype for table in scheme.buffers()} == {torch.float32}
    q = torch.randn(3, 4, DECODER.head_size)
    exact, _ = scheme.apply_rotary(q, q, torch.tensor([0, 7, 40]))
    rounded, _ = scheme.apply_rotary(q.bfloat16(), q.bfloat16(), torch.tensor([0, 7, 40]))
    # Only what goes in and comes out is rounded, a part in 2^8 each; the angles are not.
    assert rounded.dtype == torch.bfloat16
    assert torch.allclose(rounded.float(), exact, rtol=0, atol=float(q.abs().max()) / 64)


@settings(max_examples=40, deadline=None)
@given(m=PLACES, n=PLACES, step=PLACES, seed=st.integers(0, 2**16), local=st.booleans())
def test_a_product_of_turned_vectors_depends_on_the_distance_alone(m, n, step, seed, local):
    scheme = Rotary(dataclasses.replace(DECODER, context=128, local_theta=50.0))
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, 1, 1, DECODER.head_size, generator=generator)

    def product(at, other):
        rotated, _ = scheme.apply_rotary(x, x, torch.tensor([at]), local=local)
        _, against = scheme.apply_rotary(y, y, torch.tensor([other]), local=local)
        return float((rotated.double() * against.double()).sum())

    bar = 1e-4 * float(x.norm() * y.norm())
    assert product(m, n) == pytest.approx(product(m + step, n + step), abs=bar)
    assert product(m, m) == pytest.approx(float((x.double() * y.double()).sum()), abs=bar)


@settings(max_examples=40, deadline=None)
@given(m=PLACES, n=PLACES, seed=st.integers(0, 2**16))
def test_in_two_dimensions_it_is_the_complex_form(m, n, seed):
    scheme = Rotary(dataclasses.replace(DECODER, head_size=2))
    generator = torch.Generator().manual_seed(seed)
    w_q, w_k, x, y = (torch.randn(2, size, generator=generator) for size in (2, 2, 1, 1))
    q, k = (w_q @ x).view(1, 1, 2), (w_k @ y).view(1, 1, 2)
    rotated_q, _ = scheme.apply_rotary(q, q, torch.tensor([m]))
    _, rotated_k = scheme.apply_rotary(k, k, torch.tensor([n]))
    product = float((rotated_q.double() * rotated_k.double()).sum())
    as_q, as_k = complex(*q.flatten().tolist()), complex(*k.flatten().tolist())
    # Of two dimensions there is one frequency, theta^0 = 1.
    wanted = (as_q * as_k.conjugate() * cmath.exp(1j * (m - n))).real
    assert product == pytest.approx(wanted, abs=1e-5 * (1 + abs(as_q * as_k)))
