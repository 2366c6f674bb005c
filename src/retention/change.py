"""The change of a loss from the untuned model to a tuned one, with its interval over texts.

Both models read the same texts, so the change is paired. A loss per token is a ratio of two sums
over texts; with d_i the change of text i's summed loss and n_i its tokens,

    change = sum d_i / sum n_i,    error of text i = d_i - change · n_i,

and the interval is Student's t with N - 1 degrees of freedom (Cochran 1977, section 6.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Losses:
    """Of each text the summed loss of the tokens that were asked for, and how many these were."""

    sums: NDArray[np.float64]
    """In nats (n)."""
    tokens: NDArray[np.int64]
    """(n)."""

    @property
    def mean(self) -> float:
        """Nats per token over all texts: the logarithm of the perplexity."""
        return float(self.sums.sum() / self.tokens.sum())


@dataclass(frozen=True)
class Change:
    """By how many nats per token a tuned model is worse than the untuned one, below 0 better."""

    change: float
    low: float
    high: float
    """The ends of the interval over texts."""


def change(untuned: Losses, tuned: Losses, confidence: float = 0.95) -> Change:
    """How the loss per token changes, on two texts at least."""
    from scipy.special import stdtrit

    difference, tokens = tuned.sums - untuned.sums, untuned.tokens
    texts, total = len(tokens), float(tokens.sum())
    mean = float(difference.sum()) / total
    squares = float(((difference - mean * tokens) ** 2).sum())
    error = math.sqrt(texts / (texts - 1) * squares) / total
    half = float(stdtrit(texts - 1, 0.5 + confidence / 2)) * error
    return Change(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Retention:
    """What one tuned model changes."""

    untuned: float
    """The untuned model's loss, in nats per token."""
    texts: int
    tokens: int
    """Tokens that were asked for, of all texts."""
    as_trained: Change
    folded: Change
    """In the form that is served."""


def retention(untuned: Losses, as_trained: Losses, folded: Losses) -> Retention:
    """What a tuned model changes, from the losses of all three on the same texts."""
    return Retention(
        untuned.mean,
        len(untuned.tokens),
        int(untuned.tokens.sum()),
        change(untuned, as_trained),
        change(untuned, folded),
    )
