"""A regression's scores where a correlation is not defined, and its scale both ways."""

from __future__ import annotations

import pytest
from tunebench.data.tasks import GLUE
from tunebench.objectives import get_objective

VALUES = [0.5, 4.0, 2.5, 3.0]


@pytest.mark.parametrize(
    ("answers", "labels"),
    [([2.0] * 4, VALUES), (VALUES, [2.0] * 4), ([1.0] * 4, [2.0] * 4)],
    ids=["constant answers", "constant labels", "both constant"],
)
def test_what_is_constant_correlates_with_nothing(
    answers: list[float], labels: list[float]
) -> None:
    scores = get_objective("regression").score(GLUE["stsb"], answers, labels)
    assert scores == {"pearson": 0.0, "spearman": 0.0}
