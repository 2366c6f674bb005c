"""Advice on planted records: what is taken where the truth is known, and what flips it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tunebench.analysis import Predictions
from tunebench.analysis.advice import Advice, Limits
from tunebench.analysis.adviser import advise
from tunebench.analysis.cells import Cell
from tunebench.records import Fold, Latency, Study
from tunebench.report.advice import sentences

from tests.analysis.planted import TASK, records_of
from tests.analysis.verdict.made_up import cells

Hits = np.ndarray[Any, Any]
NO_LIMITS = Limits()


def hits(share: float, seeds: int = 3, examples: int = 400, start: int = 0) -> Hits:
    """Right answers (S N): the first examples are right at every seed, but for a few."""
    generator = np.random.default_rng(start)
    noise = 0.05 * (generator.random((seeds, examples)) - 0.5)
    return np.arange(examples) / examples + noise < share


def plant(
    right: dict[str, Hits],
    weights: dict[str, int],
    ratio: dict[str, list[float]] | None = None,
    memory: dict[str, float] | None = None,
) -> list[Cell]:
    """Cells with these answers and costs; what is not named costs the same for all."""
    made = []
    for cell in cells(right):
        name, seed = cell.result.method, cell.result.seed
        times = (ratio or {}).get(name, [1.0, 1.001, 0.999, 1.0, 1.0])[seed]
        record = replace(
            cell.result,
            trainable_params=weights[name],
            trainable_params_with_head=weights[name] + 10,
            stored_params=weights[name],
            latency=(Latency(1, 24, 10 * times, 12 * times, times, 50),) if times else (),
            peak_memory_mib=(memory or {}).get(name, 100.0) + 0.01 * seed,
        )
        made.append(replace(cell, result=record))
    return made


def advice_on(made: list[Cell], limits: Limits = NO_LIMITS, **experiment: Any) -> Advice:
    return advise(records_of(made, **experiment), made, TASK, limits)


def taken(advice: Advice) -> str:
    return "" if advice.advised is None else advice.advised.method


CLEAR = {"good": hits(0.9), "poor": hits(0.6)}
ALIKE = {"first": hits(0.8), "second": hits(0.795, start=1)}
"""Two methods that nothing tells apart: three seeds, and the same but for a few examples."""
SAME = {name: np.tile(hits(0.8, 1, 4000), (3, 1)) for name in ("first", "second")}
"""Two methods whose answers are the same on so many examples that this shows something."""


def test_what_is_shown_to_be_better_is_taken_whatever_it_costs() -> None:
    advice = advice_on(plant(CLEAR, {"good": 1000, "poor": 10}))
    assert (taken(advice), advice.why, advice.relation, advice.as_good) == ("good", "", "", ())
    assert advice.runner_up is not None
    assert advice.runner_up.method == "poor"
    assert advice.advised is not None
    assert advice.advised.probability == 1
    assert advice.advised.score == pytest.approx(CLEAR["good"].mean())
    assert advice.run is None


def test_of_two_that_are_undecided_the_smaller_is_taken_and_it_says_so() -> None:
    for small in ("first", "second"):
        weights = {"first": 1000, "second": 1000} | {small: 500}
        advice = advice_on(plant(ALIKE, weights))
        assert (taken(advice), advice.cheaper_in) == (small, "size")
        assert advice.relation == ("undecided" if small == "second" else "")
        assert len(advice.as_good) == 1
        if small == "second":
            assert advice.settlement is not None, "it names what would decide"


def test_of_two_that_are_equivalent_the_smaller_is_taken() -> None:
    advice = advice_on(plant(SAME, {"first": 1000, "second": 500}))
    assert (taken(advice), advice.relation, advice.cheaper_in) == ("second", "equivalent", "size")
    assert advice.settlement is None


def test_a_small_difference_that_is_shown_is_a_difference() -> None:
    # Within the margin, but beyond doubt: the smaller method is known to be worse.
    less = SAME["first"].copy()
    less[:, :12] = False
    for first, second in (("first", "second"), ("second", "first")):
        right = {first: SAME["first"], second: less}
        advice = advice_on(plant(dict(sorted(right.items())), {first: 1000, second: 500}))
        assert (taken(advice), advice.as_good) == (first, ())


def test_an_undecided_one_that_is_probably_lower_is_not_as_good() -> None:
    # Three seeds that differ much: not shown to be worse, but most likely so.
    good = np.stack([hits(s, 1)[0] for s in (0.80, 0.84, 0.88)])
    poor = np.stack([hits(s, 1, start=1)[0] for s in (0.70, 0.78, 0.76)])
    advice = advice_on(plant({"good": good, "poor": poor}, {"good": 1000, "poor": 10}))
    assert taken(advice) == "good"
    assert advice.as_good == ()
    pair = [advice.choice(name) for name in ("good", "poor")]
    assert all(pair)
    near = np.stack([hits(s, 1, start=1)[0] for s in (0.79, 0.84, 0.87)])
    advice = advice_on(plant({"good": good, "poor": near}, {"good": 1000, "poor": 10}))
    assert taken(advice) == "poor"


def test_where_sizes_are_near_the_faster_is_taken_then_the_one_with_less_memory() -> None:
    weights = {"first": 1000, "second": 950}
    slow, fast = [1.10, 1.11, 1.09], [1.00, 1.01, 0.99]
    for faster in ("first", "second"):
        ratio = {"first": slow, "second": slow} | {faster: fast}
        advice = advice_on(plant(ALIKE, weights, ratio))
        assert (taken(advice), advice.cheaper_in) == (faster, "latency")
    even = {"first": [1.0, 1.02, 0.98], "second": [0.99, 1.0, 1.01]}
    for less in ("first", "second"):
        memory = {"first": 100.0, "second": 100.0} | {less: 90.0}
        advice = advice_on(plant(ALIKE, weights, even, memory))
        assert (taken(advice), advice.cheaper_in) == (less, "memory")
    # At nine tenths the smaller counts as cheaper, whatever its latency.
    ratio = {"first": fast, "second": slow}
    assert taken(advice_on(plant(ALIKE, {"first": 1000, "second": 900}, ratio))) == "second"


def test_where_neither_score_nor_cost_decides_there_is_no_advice() -> None:
    even = {"first": [1.0, 1.02, 0.98], "second": [0.99, 1.0, 1.01]}
    made = plant(ALIKE, {"first": 1000, "second": 1000}, even)
    advice = advice_on(made)
    assert (taken(advice), advice.why) == ("", "tied")
    assert set(advice.as_good) == {"first", "second"}
    assert advice.settlement is not None
    seeds = advice.settlement.seeds
    wanted = None if seeds is None or seeds > 20 else seeds
    assert (None if advice.run is None else advice.run.seeds) == wanted
    # Equivalent ones may be taken either way: the higher score is.
    advice = advice_on(plant(SAME, {"first": 1000, "second": 1000}, even))
    assert advice.why == ""
    assert (taken(advice), advice.cheaper_in) == ("first", "")


@pytest.mark.parametrize(
    ("limits", "broken"),
    [
        (Limits(weights=999), "weights"),
        (Limits(latency=1.05), "latency"),
        (Limits(memory=150), "memory"),
    ],
)
def test_a_limit_takes_out_what_breaks_it_and_only_that(limits: Limits, broken: str) -> None:
    made = plant(
        CLEAR,
        {"good": 1000, "poor": 10},
        {"good": [1.10, 1.11, 1.09]},
        {"good": 200.0},
    )
    advice = advice_on(made, limits)
    assert taken(advice) == "poor"
    good = advice.choice("good")
    assert good is not None
    assert good.broken == (broken,)
    assert (good.keeps, good.probability) == pytest.approx((0, 0), abs=0.02)  # t, 2 degrees
    assert good.on_front == 1
    wide = Limits(weights=1000, latency=1.2, memory=201)
    advice = advice_on(made, wide)
    assert taken(advice) == "good"
    assert all(choice.broken == () for choice in advice.choices), "as much as is allowed is kept"


def test_a_least_score_takes_out_what_is_below_it() -> None:
    made = plant(CLEAR, {"good": 1000, "poor": 10})
    assert taken(advice_on(made, Limits(weights=100))) == "poor"
    advice = advice_on(made, Limits(weights=100, score=0.8))
    assert (taken(advice), advice.why) == ("", "limits")
    assert {c.method: c.broken for c in advice.choices} == {
        "good": ("weights",),
        "poor": ("score",),
    }
    assert advice.run is not None
    assert advice.run.seeds is None


def test_an_interval_ends_where_the_metric_does() -> None:
    """Two seeds far apart: drawn accuracies lie above 1, which none can be."""
    wide = {"first": np.repeat([[0.62], [1.0]], 400, axis=1) > np.arange(400) / 400}
    made = plant({**wide, "second": hits(0.5, seeds=2)}, {"first": 100, "second": 100})
    choice = advice_on(made).choice("first")
    assert choice is not None
    assert 0.0 <= choice.low < choice.score < choice.high == 1.0


def test_one_seed_gives_no_advice() -> None:
    made = plant({m: h[:1] for m, h in CLEAR.items()}, {"good": 1000, "poor": 10})
    advice = advice_on(made)
    assert (taken(advice), advice.why) == ("", "one seed")
    assert advice.run is not None
    assert (advice.run.seeds, advice.run.seconds) == (3, 2 * 2 * 10.0)
    two = plant({m: h[:2] for m, h in CLEAR.items()}, {"good": 1000, "poor": 10})
    assert taken(advice_on(two)) == "good"


def test_a_limit_on_what_was_not_measured_gives_no_advice() -> None:
    nothing = {"good": [0.0] * 3, "poor": [0.0] * 3}
    made = plant(CLEAR, {"good": 1000, "poor": 10}, nothing)
    assert taken(advice_on(made)) == "good"
    advice = advice_on(made, Limits(latency=1.05))
    assert (taken(advice), advice.why, advice.unmeasured) == ("", "not measured", ("latency",))
    assert advice.run is not None
    assert advice.run.again
    advice = advice_on(plant(CLEAR, {"good": 1, "poor": 1}, {"good": [0.0] * 3}), Limits())
    assert taken(advice) == "poor"
    assert advice.missing == {"good": "latency of good not measured"}


def test_unequal_budgets_give_no_advice() -> None:
    made = plant(CLEAR, {"good": 1000, "poor": 10})
    records = records_of(made)
    studies = tuple(
        Study(row.study, TASK, row.method, trials=1 if row.method == "good" else 12)
        for row in records.results
        if row.seed == 0
    )
    advice = advise(replace(records, studies=studies, trials=()), made, TASK, NO_LIMITS)
    assert (taken(advice), advice.why) == ("", "budgets")
    assert "good had one trial" in advice.unequal_budgets
    assert "there is no advice: the budgets of tuning are not equal" in sentences(advice)[0]
    equal = tuple(replace(one, trials=12) for one in studies)
    alike = replace(records, studies=equal, trials=())
    assert taken(advise(alike, made, TASK, NO_LIMITS)) == "good"


def test_answers_that_are_not_there_give_no_advice() -> None:
    made = [replace(c, predictions=None) for c in plant(CLEAR, {"good": 1, "poor": 1})]
    advice = advice_on(made)
    assert (taken(advice), advice.why) == ("", "answers")
    assert set(advice.missing) == {"good", "poor"}


def test_latency_near_its_limit_is_too_noisy_and_the_seeds_that_would_do_are_counted() -> None:
    noisy = [1.02, 1.08, 1.04]
    made = plant(CLEAR, {"good": 1000, "poor": 10}, {"good": noisy, "poor": [1.3, 1.31, 1.32]})
    limit = 1.06
    advice = advice_on(made, Limits(latency=limit))
    assert (taken(advice), advice.why, advice.noisy) == ("", "noisy", "latency")
    assert advice.unclear == ("good",)
    logs = np.log(noisy)
    distance, spread = np.log(limit) - logs.mean(), logs.std(ddof=1)
    keeps = stats.t.cdf(distance / (spread / np.sqrt(3)), 2)
    good = advice.choice("good")
    assert good is not None
    assert good.keeps == pytest.approx(keeps, abs=0.03)
    enough = [n for n in range(4, 21) if stats.t.ppf(0.9, n - 1) * spread / np.sqrt(n) < distance]
    assert advice.run is not None
    assert advice.run.seeds == enough[0]
    assert advice_on(made, Limits(latency=float(np.exp(logs.mean() + 1e-6)))).run is None
    # One that surely keeps it is taken, and the other one is named.
    quick = plant(CLEAR, {"good": 1000, "poor": 10}, {"good": noisy})
    advice = advice_on(quick, Limits(latency=limit))
    assert (taken(advice), advice.unclear) == ("poor", ("good",))


def test_a_score_near_its_least_one_is_noisy_too() -> None:
    made = plant(CLEAR, {"good": 1000, "poor": 10})
    advice = advice_on(made, Limits(score=float(CLEAR["good"].mean())))
    assert (advice.why, advice.noisy) == ("noisy", "score")
    assert advice.run is not None
    assert advice.run.seeds == 6


def test_tasks_that_are_served_count_what_is_stored_and_full_a_model_each() -> None:
    right = {"full": ALIKE["first"], "lora": ALIKE["second"]}
    made = plant(right, {"full": 1000, "lora": 200})
    assert taken(advice_on(made)) == "lora"
    single = advice_on(made, Limits(tasks_served=1, backbone=1000))
    assert taken(single) == "full", "one model is smaller than the backbone and what is beside it"
    sizes = {c.method: c.size for c in single.choices}
    assert sizes == {"full": 1010, "lora": 1000 + 210}
    many = advice_on(made, Limits(tasks_served=50, backbone=1000))
    assert taken(many) == "lora"
    assert {c.method: c.size for c in many.choices} == {"full": 50_500, "lora": 1000 + 50 * 210}


def test_folds_are_advised_by_their_means() -> None:
    made = [
        replace(
            cell,
            result=replace(cell.result, task=f"mine-fold{cell.result.seed + 1}", seed=0),
            fold=Fold("mine", cell.result.seed + 1, 5),
        )
        for cell in plant({"good": hits(0.9, 5), "poor": hits(0.6, 5)}, {"good": 9, "poor": 1})
    ]
    folds = {cell.result.task: cell.fold for cell in made}
    records = replace(records_of(made, ("mine",)), folds=folds)
    advice = advise(records, made, "mine", NO_LIMITS)
    assert (taken(advice), advice.seeds) == ("good", 5)
    assert advice.advised is not None
    assert advice.advised.score == pytest.approx(hits(0.9, 5).mean())


def fast_cells(right: dict[str, Hits]) -> list[Cell]:
    """Cells with these answers, without the objective's own scores."""
    made = []
    for name, each in right.items():
        for seed, row in enumerate(each):
            (cell,) = cells({name: row[None, :4]})
            labels = tuple(["yes"] * len(row))
            answers = tuple(np.where(row, "yes", "no").tolist())
            known = Predictions(
                tuple(range(len(row))), labels, answers,
                {"probability_no": (), "probability_yes": ()},
            )  # fmt: skip
            record = replace(cell.result, cell=f"{name}-{seed}", seed=seed, score=float(row.mean()))
            made.append(replace(cell, result=record, predictions=known))
    return made


@pytest.mark.slow
def test_where_it_says_nine_in_ten_it_is_right_in_as_many() -> None:
    # Studies whose true scores, latencies and memory are known: the advice is right where the
    # method truly keeps the limits, and truly no other one is as good in all and better in one.
    generator = np.random.default_rng(7)
    names, seeds, examples = ("a", "b", "c", "d"), 3, 250
    template = {
        (c.result.method, c.result.seed): c
        for c in fast_cells({m: np.ones((seeds, 4), bool) for m in names})
    }
    says, right, advised = [], [], 0
    for _ in range(250):
        share = generator.uniform(0.75, 0.85, 4)
        weights = generator.choice([100, 105, 500, 2000], 4)
        ratio = 1 + generator.uniform(0, 0.1, 4)
        hard = generator.random(examples)
        made = []
        for m, name in enumerate(names):
            for seed in range(seeds):
                level = share[m] + 0.01 * generator.standard_normal()
                row = hard + 0.3 * (generator.random(examples) - 0.5) < level
                cell = template[name, seed]
                timed = float(ratio[m] * np.exp(0.02 * generator.standard_normal()))
                record = replace(
                    cell.result,
                    score=float(row.mean()),
                    trainable_params=int(weights[m]),
                    latency=(Latency(1, 24, 10 * timed, 12 * timed, timed, 50),),
                    peak_memory_mib=100.0,
                )
                answers = tuple(np.where(row, "yes", "no").tolist())
                known = Predictions(
                    tuple(range(examples)), ("yes",) * examples, answers,
                    {"probability_no": (), "probability_yes": ()},
                )  # fmt: skip
                made.append(replace(cell, result=record, predictions=known))
        advice = advice_on(made, Limits(latency=1.06))
        if advice.advised is None:
            continue
        advised += 1
        one = names.index(advice.advised.method)
        true = np.stack([-share, weights, ratio], 1)
        beaten = any((true[n] <= true[one]).all() and (true[n] < true[one]).any() for n in range(4))
        says.append(advice.advised.probability)
        right.append(ratio[one] <= 1.06 and not beaten)
    sure = np.array(says) >= 0.9
    assert sure.sum() >= 60
    assert np.array(right)[sure].mean() >= 0.85
    assert advised < 250
