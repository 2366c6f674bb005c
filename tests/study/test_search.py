"""A study's trials: filled once, the same whatever happened between."""

from dataclasses import replace

import pytest
from tunebench.analysis.studies import LEAST_FOR_IMPORTANCES, best_trial
from tunebench.methods import get_method
from tunebench.records import Trial
from tunebench.store.store import Store
from tunebench.study.jobs import RANDOM_TRIALS
from tunebench.study.search import draw, draw_of, importances
from tunebench.study.space import space

from tests.study.filled import LORA, TRIALS, Stop, in_optuna, kept


def test_trial_0_holds_the_defaults_and_the_others_differ(make_out, fill):
    out = make_out()
    assert fill(out) == list(range(TRIALS))
    trials = Store(out).trials("study", TRIALS)
    assert {key: trials[0].params[key] for key in LORA.defaults} == LORA.defaults
    assert len({t.params["lr"] for t in trials}) == TRIALS
    assert [(number, score) for number, _, score in in_optuna(out)] == [
        (number, score) for number, _, score in kept(out)
    ]


@pytest.mark.parametrize(
    ("stop", "after"),
    [(0, False), (3, True), (5, False)],
    ids=["in the first", "after the fourth's record", "in the sixth"],
)
def test_a_study_that_was_stopped_draws_what_an_undisturbed_one_draws(make_out, fill, stop, after):
    whole, torn = make_out("whole"), make_out("torn")
    fill(whole)
    with pytest.raises(Stop):
        fill(torn, stop=stop, after=after)
    assert fill(torn) == list(range(stop + after, TRIALS))
    assert kept(torn) == kept(whole)
    assert in_optuna(torn) == in_optuna(whole)


def test_more_trials_later_equal_all_trials_at_once(make_out, fill):
    whole, grown = make_out("whole"), make_out("grown")
    fill(whole)
    fill(grown, trials=2)
    assert fill(grown) == list(range(2, TRIALS))
    assert kept(grown) == kept(whole)
    assert fill(grown, trials=1) == []
    assert in_optuna(grown) == in_optuna(whole)


@pytest.mark.parametrize("number", [0, 5])
def test_a_record_that_was_lost_is_run_again_as_it_was_and_told_once(make_out, fill, number):
    out = make_out()
    fill(out)
    records, before = kept(out), in_optuna(out)
    (out / "trials" / "study" / f"{number:04d}.json").unlink()
    assert fill(out) == [number]
    assert kept(out) == records
    assert in_optuna(out) == before


def test_a_trial_that_diverged_is_not_run_again_and_never_wins(make_out, fill):
    out = make_out()
    assert fill(out, bad={0, 4}) == list(range(TRIALS))
    assert fill(out, bad={0, 4}) == []
    assert [number for number, _, _ in in_optuna(out)] == [1, 2, 3, 5, 6]
    winner = best_trial(Store(out).trials("study", TRIALS))
    assert winner.score == max(score for _, _, score in kept(out) if score is not None)


def test_the_earliest_of_equals_wins_and_nothing_wins_where_all_failed():
    equal = [Trial("s", number, "complete", {}, 0.5, 0.0) for number in range(3)]
    assert best_trial(tuple(equal)).number == 0
    assert best_trial((Trial("s", 0, "diverged", {}, None, 0.0),)) is None
    lower = Trial("s", 0, "complete", {}, -0.2, 0.0)
    assert best_trial((lower, Trial("s", 1, "complete", {}, -0.1, 0.0))).number == 1


def scored_by(setting, trials=LEAST_FOR_IMPORTANCES):
    """Trials drawn at random, with a score that depends on one setting only."""
    for number in range(trials):
        params = draw("study", LORA, (), number)
        score = params[setting] if isinstance(params[setting], float) else -abs(params["rank"] - 8)
        yield Trial("study", number, "complete", params, float(score), 0.0)


@pytest.mark.parametrize("setting", ["lr", "rank"])
def test_importances_are_shares_of_the_searched_settings(setting):
    shares = importances(scored_by(setting, 60), LORA)
    assert set(shares) == set(LORA.searched)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert max(shares, key=shares.get) == next(iter(shares)) == setting


def test_importances_take_enough_complete_trials_that_differ():
    trials = list(scored_by("lr"))
    assert importances(trials, LORA)
    assert importances(trials[:-1], LORA) == {}
    failed = replace(trials[0], status="diverged", score=None)
    assert importances([failed, *trials[1:]], LORA) == {}
    assert importances([replace(trial, score=0.5) for trial in trials], LORA) == {}
    fixed = space(get_method("lora"), {name: LORA.defaults[name] for name in LORA.searched})
    assert not fixed.searched
    assert importances(trials, fixed) == {}


def test_a_record_says_where_its_settings_came_from():
    trials = [Trial("s", n, "complete", {}, 0.5, 0.0) for n in range(RANDOM_TRIALS)]
    failed = [replace(trials[0], status="error", score=None), *trials[1:]]
    assert draw_of((), 0) == "defaults"
    assert draw_of((), 1) == "random"
    assert draw_of(trials, RANDOM_TRIALS) == "TPE"
    # TPE models complete trials only, and draws at random while there are too few.
    assert draw_of(failed, RANDOM_TRIALS) == "random"


def test_the_later_random_trials_are_those_of_a_random_search():
    """A trial that sees nothing is drawn as TPE draws its first ones, whatever its number."""
    seen = list(scored_by("lr", RANDOM_TRIALS + 2))
    number = RANDOM_TRIALS + 2
    assert draw("study", LORA, (), number) == draw("study", LORA, seen[:2], number)
    assert draw("study", LORA, (), number) != draw("study", LORA, seen, number)
