"""C14 and C16 follow the figures that are planted."""

from __future__ import annotations

import pytest

from tests.analysis.claims.planted import finding, measurement


@pytest.mark.parametrize(
    ("lora", "zero", "expected"),
    [
        (0.0, 0.2, "reproduced"),
        (0.1, 0.2, "contradicted"),
        (0.0, 0.0, "contradicted"),
        (1e-4, 0.2, "undecided"),
    ],
)
def test_what_begins_as_the_identity(lora, zero, expected) -> None:
    started = (
        measurement("start", "lora", change=lora),
        measurement("start", "zero prefix", change=zero),
    )
    assert finding("C14", *started).finding == expected


@pytest.mark.parametrize("method", ["lora", "zero prefix"])
def test_one_half_of_the_claim_is_not_the_claim(method: str) -> None:
    assert finding("C14", measurement("start", method, change=0.0)).finding == "not tested"


@pytest.mark.parametrize(
    ("fp32", "bf16", "expected"),
    [
        (1e-7, 0.01, "reproduced"),
        (0.01, 0.01, "contradicted"),
        (1e-7, 0.0, "contradicted"),
        (1e-7, 0.5, "contradicted"),
        (1e-4, 0.01, "undecided"),
    ],
)
def test_merging_in_two_precisions(fp32, bf16, expected) -> None:
    assert finding("C16", measurement("merge", "lora", fp32=fp32, bf16=bf16)).finding == expected


def test_the_worst_of_several_cells_counts() -> None:
    several = [measurement("merge", f"lora {n}", fp32=n * 1e-2, bf16=0.01) for n in range(3)]
    result = finding("C16", *several)
    assert result.finding == "contradicted"
    assert result.figure == 0.02
