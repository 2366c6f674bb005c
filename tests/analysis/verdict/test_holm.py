"""Holm's adjustment against statsmodels, and the level that each hypothesis is held against."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from tunebench.analysis.verdict.holm import adjusted, levels

VALUES = st.lists(
    st.sampled_from([0.0, 0.001, 0.01, 0.012, 0.02, 0.04, 0.05, 0.5, 1.0]), min_size=1, max_size=12
)


@pytest.mark.parametrize("start", range(4))
def test_adjusted_values_and_rejections_are_statsmodels_s(start):
    # A few drawings only: a call takes statsmodels 0.15 s.
    values = (np.random.default_rng(start).random(3 + 4 * start) ** (2 + start)).tolist()
    rejected, known = multipletests(values, 0.05, method="holm")[:2]
    assert adjusted(values) == pytest.approx(known)
    ours = [p <= level for p, level in zip(values, levels(values, 0.05), strict=True)]
    assert ours == rejected.tolist()


@given(VALUES)
def test_a_hypothesis_is_rejected_where_its_p_is_below_its_level(values):
    ours = [p <= level for p, level in zip(values, levels(values, 0.05), strict=True)]
    assert ours == [p <= 0.05 for p in adjusted(values)]


@given(VALUES)
def test_lowering_a_p_value_below_its_level_rejects_it(values):
    """The level says what further data would have to reach, all else as it is."""
    for i, level in enumerate(levels(values, 0.05)):
        changed = np.array(values)
        changed[i] = level * 0.999
        assert adjusted(changed.tolist())[i] <= 0.05


def test_no_hypothesis_has_no_level():
    assert adjusted([]) == levels([], 0.05) == []
