"""A part of a kernel cannot be removed unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.kernels.mutants import MASKS, MUTATIONS, PREFIX, TERMS
from tests.kernels.mutations import survey

pytest.importorskip("triton", reason="triton is installed on Linux only")
pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason="mutants write where they should not: interpreter only"
)
FEW = [MASKS[1], MASKS[2], TERMS[1], PREFIX[2]]


def uncaught(caught: dict[str, str]) -> list[str]:
    assert caught.pop("none") == ""
    return [name for name, witness in caught.items() if not witness]


def test_a_missing_mask_term_or_prefix_gradient_is_noticed():
    assert uncaught(survey(FEW)) == []


@pytest.mark.slow
def test_every_mutation_is_noticed(capsys):
    caught = survey(MUTATIONS)
    with capsys.disabled():
        for name, witness in caught.items():
            print(f"\n{name}: {witness or 'nothing'}", end="")
    assert uncaught(caught) == []


def test_the_book_lists_every_mutation():
    book = (Path(__file__).parents[2] / "docs/kernels.md").read_text("utf-8")
    assert [m.name for m in MUTATIONS if f"| {m.name} | " not in book] == []
