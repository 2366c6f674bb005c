"""The expected best of n random trials: against all subsets, and its band against simulation."""

from __future__ import annotations

import itertools
from statistics import fmean

import numpy as np
import pytest
from tunebench.analysis.studies import cautions, study_analyses
from tunebench.analysis.tuning_curve import (
    LEAST_RANDOM_TRIALS,
    band,
    expected_best,
    limits,
    tuning_curve,
)
from tunebench.config import BUDGETS
from tunebench.records import Draw, Trial

from tests.records import comparison


def random_trial(number: int, score: float | None, draw: Draw = "random") -> Trial:
    status = "complete" if score is not None else "diverged"
    return Trial("study", number, status, {}, score, 1.0, draw=draw)  # type: ignore[arg-type]


@pytest.mark.parametrize("m", [1, 2, 5, 9])
def test_the_estimate_is_the_mean_over_all_subsets(m: int) -> None:
    scores = np.random.default_rng(m).random(m).round(1).tolist()  # with equal scores among them
    for n, estimate in enumerate(expected_best(scores), start=1):
        every = [max(subset) for subset in itertools.combinations(scores, n)]
        assert estimate == pytest.approx(fmean(every), abs=1e-12)


def integral(scores: list[float], n: int, low: float, high: float, shift: float) -> float:
    """The expected best of n draws from the moved distribution, by a fine grid."""
    grid = np.linspace(low, high, 200_001)[:-1] + (high - low) / 400_000
    shares = np.searchsorted(np.sort(scores), grid, side="right") / len(scores)
    return high - float(np.mean(np.clip(shares + shift, 0, 1) ** n) * (high - low))


@pytest.mark.parametrize(("m", "low"), [(1, 0.0), (4, -1.0), (15, 0.0)])
def test_the_band_is_that_of_the_moved_distributions(m: int, low: float) -> None:
    scores = np.random.default_rng(m).random(m).tolist()
    half = np.sqrt(np.log(40) / (2 * m))
    for n, (lower, upper) in enumerate(band(scores, low, 1.0), start=1):
        assert lower == pytest.approx(integral(scores, n, low, 1.0, half), abs=1e-4)
        assert upper == pytest.approx(integral(scores, n, low, 1.0, -half), abs=1e-4)


@pytest.mark.parametrize("m", [3, 8, 15])
@pytest.mark.parametrize("steps", [None, 5], ids=["continuous", "few values"])
def test_the_whole_band_holds_in_95_of_100_searches(m: int, steps: int | None) -> None:
    generator, studies = np.random.default_rng(2), 2000

    def draw(size: tuple[int, ...]) -> np.ndarray:  # type: ignore[type-arg]
        values = generator.beta(4, 2, size)
        return values if steps is None else np.round(values * steps) / steps

    many = np.sort(draw((400_000,)))
    share = np.arange(1, len(many) + 1) / len(many)
    truth = [float(np.sum(many * np.diff(share**n, prepend=0.0))) for n in range(1, m + 1)]
    held = 0
    for scores in draw((studies, m)):
        edges = band(scores.tolist(), 0.0, 1.0)
        held += all(
            lower <= true <= upper for (lower, upper), true in zip(edges, truth, strict=True)
        )
    assert held / studies >= 0.95


def test_the_estimate_has_no_bias() -> None:
    generator = np.random.default_rng(3)
    estimates = np.mean(
        [list(expected_best(row.tolist())) for row in generator.random((4000, 6))], 0
    )
    n = np.arange(1, 7)
    # The expected largest of n uniform numbers is n / (n + 1).
    assert estimates == pytest.approx(n / (n + 1), abs=0.01)


def test_only_random_trials_count_and_old_records_go_by_their_number() -> None:
    recorded = [
        random_trial(0, 0.9, "defaults"),
        random_trial(1, 0.5),
        random_trial(2, 0.95, "enqueued"),
        random_trial(3, 0.6),
        random_trial(4, 0.97, "TPE"),
    ]
    curve = tuning_curve(recorded, "accuracy", 4)
    assert curve is not None
    assert (curve.trials, curve.expected[-1]) == (2, 0.6)
    old = [random_trial(n, score, "") for n, score in enumerate((0.9, 0.5, 0.6, 0.7, 0.97))]
    curve = tuning_curve(old, "accuracy", 4)
    assert curve is not None
    assert (curve.trials, curve.expected[-1]) == (3, 0.7)
    assert tuning_curve(old[:1], "accuracy", 4) is None


def test_a_failed_trial_is_a_trial() -> None:
    curve = tuning_curve([random_trial(1, 0.8), random_trial(2, None)], "accuracy", 4)
    assert curve is not None
    assert (curve.trials, curve.failed) == (2, 1)
    assert curve.expected == pytest.approx((0.4, 0.8))


@pytest.mark.parametrize(
    ("metric", "low"),
    [
        ("accuracy", 0),
        ("mean(accuracy, f1)", 0),
        ("f1:spam", 0),
        ("mcc", -1),
        ("mean(pearson, spearman)", -1),
        ("", -1),
    ],
)
def test_how_low_a_score_can_be_follows_from_its_metric(metric: str, low: float) -> None:
    assert limits(metric) == (low, 1)


def test_a_score_beyond_its_metric_widens_the_band() -> None:
    curve = tuning_curve([random_trial(n, -3.0 + 7.0 * (n == 1)) for n in (1, 2)], "mcc", 4)
    assert curve is not None
    assert min(curve.low) >= -3
    assert curve.limit == 4


def test_too_few_random_trials_are_named_and_enough_have_their_numbers() -> None:
    few = tuning_curve([random_trial(n, 0.5) for n in (1, 2, 3)], "accuracy", 4)
    assert few is not None
    assert not few.readable
    assert few.summary == ""
    assert "3 random trials say too little" in few.caution
    # Below the limit the distribution is not even known to within a half.
    assert np.sqrt(np.log(40) / (2 * (LEAST_RANDOM_TRIALS - 1))) > 0.5
    assert np.sqrt(np.log(40) / (2 * LEAST_RANDOM_TRIALS)) < 0.5
    scores = [0.5 + n / 100 for n in range(LEAST_RANDOM_TRIALS)]
    enough = tuning_curve([random_trial(n, s) for n, s in enumerate(scores)], "accuracy", 4)
    assert enough is not None
    assert "best of 8 0.570" in enough.summary
    assert "do not exclude that others would be far better" in enough.caution
    assert enough.high[-1] > 0.99


@pytest.mark.parametrize("budget", ["standard", "full"])
def test_the_larger_budgets_draw_half_of_their_trials_at_random_and_enough_for_a_curve(
    budget: str,
) -> None:
    search = BUDGETS[budget]["search"]
    drawn = search["random_trials"] - 1  # trial 0 has the defaults
    assert 2 * drawn >= search["trials"]
    assert drawn >= LEAST_RANDOM_TRIALS


def test_cautions_stand_once() -> None:
    records = comparison(("sst2",), ("lora", "head"))
    studies = study_analyses(records)
    assert studies == ()
    assert len(cautions(studies)) == 1
