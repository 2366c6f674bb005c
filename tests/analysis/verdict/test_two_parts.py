"""The distribution of an error of two parts, against scipy's integration and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from scipy.stats import t as student
from tunebench.analysis.verdict.two_parts import Parts, quantile, upper

SHAPES = [
    Parts(0.25, 2, 0.75, 871),
    Parts(0.75, 2, 0.25, 871),
    Parts(0.25, 4, 0.75, 60),
    Parts(0.5, 19, 0.5, 30),
    Parts(0.25, 1, 0.75, 50),
    Parts(0.999, 2, 0.001, 400),
    Parts(0.001, 4, 0.999, 400),
]


def integrated(x: float, parts: Parts) -> float:
    """The same chance by adaptive quadrature over the first part."""
    first, second = np.sqrt(parts.first), np.sqrt(parts.second)
    large = parts.second_degrees >= 200
    known = norm if large else student(parts.second_degrees)

    def at(value: float) -> float:
        return student.pdf(value, parts.first_degrees) * known.sf((x - first * value) / second)

    return quad(at, -np.inf, np.inf, limit=500, epsabs=1e-13)[0]


@pytest.mark.parametrize("parts", SHAPES)
@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0, 2.0, 4.0])
def test_it_is_the_integral_over_one_part(parts, x):
    assert upper(x, parts) == pytest.approx(integrated(x, parts), rel=2e-3)


@pytest.mark.parametrize("parts", SHAPES)
def test_the_parts_may_be_named_in_either_order(parts):
    first, first_degrees, second, second_degrees = parts
    swapped = Parts(second, second_degrees, first, first_degrees)
    for x in (0.5, 2.0, 4.0):
        assert upper(x, swapped) == pytest.approx(upper(x, parts))


def test_it_is_the_distribution_of_the_sum():
    generator = np.random.default_rng(0)
    sums = 0.6 * generator.standard_t(3, 200_000) + 0.8 * generator.standard_t(9, 200_000)
    for x in (0.5, 1.5, 3.0):
        share = upper(x, Parts(0.36, 3, 0.64, 9))
        # Four standard errors of the simulated share.
        assert abs((sums > x).mean() - share) < 4 * np.sqrt(share / 200_000)


def test_with_one_part_it_is_student_s_t():
    for parts in (Parts(4, 3, 0, 50), Parts(0, 50, 4, 3)):
        assert upper(3, parts) == pytest.approx(student.sf(1.5, 3))
        assert quantile(0.025, parts) == pytest.approx(2 * student.isf(0.025, 3))


def test_without_any_error_it_is_certain():
    nothing = Parts(0, 2, 0, 9)
    assert [upper(x, nothing) for x in (-1e-9, 0, 1e-9)] == [1, 0.5, 0]
    assert quantile(0.025, nothing) == 0


@pytest.mark.parametrize("parts", SHAPES)
@pytest.mark.parametrize("tail", [0.2, 0.025, 1e-3, 1e-6])
def test_a_quantile_is_exceeded_with_its_chance(parts, tail):
    assert upper(quantile(tail, parts), parts) == pytest.approx(tail, rel=1e-6)


def test_a_quantile_has_the_scale_of_the_error():
    for parts in SHAPES:
        scaled = parts._replace(first=1e-8 * parts.first, second=1e-8 * parts.second)
        assert quantile(0.01, scaled) == pytest.approx(1e-4 * quantile(0.01, parts), rel=1e-6)
        assert scaled.standard_error == pytest.approx(1e-4 * parts.standard_error)


def test_the_tails_are_wider_than_satterthwaite_s():
    """Which is why: at the level of one of 28 pairs, three seeds ask for several times as much."""
    parts = Parts(0.25, 2, 0.75, 871)
    degrees = 1 / (0.25**2 / 2 + 0.75**2 / 871)
    assert quantile(0.025, parts) > student.isf(0.025, degrees)
    assert quantile(0.025 / 28, parts) > 3 * student.isf(0.025 / 28, degrees)
