"""A study's slots: filled once, the same whatever happened between."""

import optuna
import pytest
from optuna.trial import TrialState
from tunebench.methods import get_method
from tunebench.records import Trial
from tunebench.store.store import Store
from tunebench.study.search import best, importances, search, storage
from tunebench.study.space import space

LORA = space(get_method("lora"), {})
SLOTS = 7
"""More than are random, so that the model of what was seen counts too."""


class Stop(Exception):
    """Raised where a process would be gone."""


@pytest.fixture
def fill(make_out):
    """Fills a study by a made-up score; `stop` names a slot at which it is torn down."""

    def run(folder, slots=SLOTS, stop=None, after=False, bad=()):
        def trial(params, slot):
            if slot == stop and not after:
                raise Stop
            ran.append(slot)
            if slot in bad:
                return Trial("study", slot, "diverged", params, None, 0.0, "loss is nan")
            value = -((params["lr"] - 2e-3) ** 2) * 1e4 + params["rank"] / 1e3
            return Trial("study", slot, "complete", params, value, 0.0)

        ran = []
        store = Store(folder)
        put = store.put_trial

        def torn(record):
            put(record)
            if record.slot == stop and after:
                raise Stop

        store.put_trial = torn
        search(store, "study", LORA, slots, trial)
        return ran

    return run


def told(folder):
    """What Optuna says: each complete slot's settings and value."""
    study = optuna.load_study(storage=storage(folder), study_name="study")
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    return [(t.user_attrs["slot"], t.params, t.value) for t in complete]


def kept(folder, slots=SLOTS):
    return [(t.slot, dict(t.params), t.score) for t in Store(folder).trials("study", slots)]


def test_slot_0_holds_the_defaults_and_the_others_differ(make_out, fill):
    out = make_out()
    assert fill(out) == list(range(SLOTS))
    trials = Store(out).trials("study", SLOTS)
    assert {key: trials[0].params[key] for key in LORA.defaults} == LORA.defaults
    assert len({t.params["lr"] for t in trials}) == SLOTS
    assert [(slot, score) for slot, _, score in told(out)] == [
        (slot, score) for slot, _, score in kept(out)
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
    assert fill(torn) == list(range(stop + after, SLOTS))
    assert kept(torn) == kept(whole)
    assert told(torn) == told(whole)


def test_more_slots_later_equal_all_slots_at_once(make_out, fill):
    whole, grown = make_out("whole"), make_out("grown")
    fill(whole)
    fill(grown, slots=2)
    assert fill(grown) == list(range(2, SLOTS))
    assert kept(grown) == kept(whole)
    assert fill(grown, slots=1) == []
    assert told(grown) == told(whole)


def test_a_database_that_was_lost_is_made_again_from_the_store(make_out, fill):
    out = make_out()
    fill(out)
    before = told(out)
    (out / "optuna.db").unlink()
    assert fill(out) == []
    assert told(out) == before


@pytest.mark.parametrize("slot", [0, 5])
def test_a_record_that_was_lost_is_run_again_as_it_was_and_told_once(make_out, fill, slot):
    out = make_out()
    fill(out)
    records, before = kept(out), told(out)
    (out / "trials" / "study" / f"{slot:04d}.json").unlink()
    assert fill(out) == [slot]
    assert kept(out) == records
    assert told(out) == before


def test_a_slot_that_diverged_is_not_run_again_and_never_wins(make_out, fill):
    out = make_out()
    assert fill(out, bad={0, 4}) == list(range(SLOTS))
    assert fill(out, bad={0, 4}) == []
    assert [slot for slot, _, _ in told(out)] == [1, 2, 3, 5, 6]
    winner = best(Store(out).trials("study", SLOTS))
    assert winner.score == max(score for _, _, score in kept(out) if score is not None)


def test_the_earliest_of_equals_wins_and_nothing_wins_where_all_failed():
    equal = [Trial("s", slot, "complete", {}, 0.5, 0.0) for slot in range(3)]
    assert best(tuple(equal)).slot == 0
    assert best((Trial("s", 0, "diverged", {}, None, 0.0),)) is None
    lower = Trial("s", 0, "complete", {}, -0.2, 0.0)
    assert best((lower, Trial("s", 1, "complete", {}, -0.1, 0.0))).slot == 1


def test_importances_are_shares_of_the_searched_settings(make_out, fill):
    out = make_out()
    fill(out)
    shares = importances(Store(out), "study")
    assert set(shares) <= set(LORA.searched)
    assert sum(shares.values()) == pytest.approx(1.0)
