"""What the parity tests share: padded batches, and errors against float64."""

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import torch
from torch import Tensor

SHAPE = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 48,
    "initializer_range": 0.3,
}
"""Of the small models beside PEFT, as transformers' configurations name it."""


class Padded:
    """A random padded batch of three texts, padding on either side, and its real tokens."""

    def __init__(self, vocabulary: int, side: str, lengths: tuple[int, ...] = (9, 4, 13)) -> None:
        width = max(lengths) + 2
        generator = torch.Generator().manual_seed(11)
        self.ids = torch.randint(0, vocabulary, (len(lengths), width), generator=generator)
        self.segments = torch.zeros_like(self.ids)
        self.mask = torch.zeros_like(self.ids)
        for row, length in enumerate(lengths):
            start = 0 if side == "right" else width - length
            self.mask[row, start : start + length] = 1
            self.segments[row, start + length // 2 : start + length] = 1

    def real(self, states: Tensor) -> Tensor:
        """The states of real tokens; what a library computes for padding is its own affair."""
        return states[self.mask == 1]


def worst(states: Tensor, exact: Tensor) -> float:
    """The largest absolute error."""
    return float((states.double() - exact).abs().max())


@pytest.fixture(params=["right", "left"])
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)
