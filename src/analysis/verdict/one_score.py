"""The 95 % interval of one trained model's score over test examples: no other seed is in it.

Student's t on the pseudo-values, N - 1 degrees of freedom. Answers that are all alike vary by
nothing although the next one may differ: an interval is never narrower than Wilson's for a share of
which nothing was seen in N examples, z² / (N + z²) of the most that one answer can move.
"""

from __future__ import annotations

from ..metric_range import clipped, metric_range
from ..predictions import Predictions
from .matching import ROUNDING
from .pseudo_values import CannotPair, pseudo_values
from .two_parts import Parts, quantile


def score_interval(
    metric: str, score: float, answers: Predictions, confidence: float = 0.95
) -> tuple[float, float] | None:
    """The interval of a recorded score; none where the stored answers do not give that score.

    Args:
        metric: A metric's name, such as "accuracy" or "mean(accuracy, f1)".
        score: As it was recorded.
        answers: The model's answers to the test examples.
        confidence: The share of studies whose interval holds the truth.
    """
    if len({len(answers.labels), len(answers.predictions)}) > 1:
        return None
    try:
        known = pseudo_values(metric, answers)
    except CannotPair:
        return None
    if not abs(known.score - score) <= ROUNDING:
        return None
    examples, tail = len(known.values), (1 - confidence) / 2
    varies = Parts(0.0, 1.0, float(known.values.var(ddof=1)) / examples, examples - 1.0)
    least, most = metric_range(metric)
    # Of answers that are all alike nobody saw how far one of them moves the score.
    step = known.step if varies.second else most - least
    squared = quantile(tail, Parts(0.0, 1.0, 1.0, examples - 1.0)) ** 2
    half = max(quantile(tail, varies), step * squared / (examples + squared))
    return clipped(score - half, score + half, metric)
