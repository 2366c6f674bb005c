"""A job and its record travel as text, to the last bit; what is none of ours is nothing."""

from dataclasses import replace

import pytest
from tunebench.records import Curve, Result, Trial
from tunebench.store.store import PlannedCell
from tunebench.study.jobs import cell_job, measurement_job, trial_jobs
from tunebench.study.parcel import Parcel, fits, open_parcel, same, seal, terms_of

from tests.records import result

(TRIAL,) = trial_jobs("study", "sst2", "lora", 3, 1)
JOB = replace(TRIAL, hyperparameters={"rank": 8, "lr": 1e-3 / 3}, attempt=4)
CELL = PlannedCell("cell", "study", "sst2", "lora", 3)


def trial(**changes) -> Trial:
    values = {"score": 2 / 3, "seconds": 0.1, "curve": Curve((1, 2), (0.1 + 0.2, 1e-300))}
    made = Trial("study", 0, "complete", dict(JOB.hyperparameters), 0.0, 0.0)
    return replace(made, **values | changes)


def row(**changes) -> Result:
    values = {"cell": "cell", "study": "study", "adapter": "", "predictions": ""}
    return replace(result("sst2", "lora", 3), **values | changes)


def test_a_record_is_the_same_to_the_last_bit_after_the_journey():
    for job, record in (
        (JOB, trial()),
        (cell_job(CELL, ()), replace(row(), score=1 / 3)),
    ):
        parcel = open_parcel(seal("terms", job, record))
        assert parcel == Parcel("terms", parcel.job, record)
        assert same(parcel.job, job)
    assert open_parcel(seal("terms", JOB)).record is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        seal("terms", JOB)[:-2],
        seal("terms", JOB).replace('\\"attempt\\": 4', '\\"attempt\\": \\"4\\"'),
        seal("terms", JOB).replace('"terms": "terms"', '"terms": 1'),
        seal("terms", JOB).replace('\\"name\\"', '\\"nombre\\"'),
        seal("terms", JOB, trial()).replace("Trial", "Plan"),
        seal("terms", JOB, trial()).replace("0.1", '\\"x\\"'),
    ],
)
def test_what_is_none_of_ours_is_nothing(text):
    assert open_parcel(text) is None


def test_a_record_whose_files_lie_elsewhere_is_nothing():
    for name in ("../secret", "adapters/other.safetensors", "/etc/passwd"):
        text = seal("terms", cell_job(CELL, ()), row(adapter=name))
        assert open_parcel(text) is None


def test_jobs_are_the_same_whichever_attempt_they_are_and_however_their_settings_are_held():
    assert same(JOB, replace(JOB, attempt=1))
    assert same(
        replace(JOB, hyperparameters={"a": (1, 2)}), replace(JOB, hyperparameters={"a": [1, 2]})
    )
    assert not same(JOB, replace(JOB, hyperparameters={"rank": 4}))


def test_a_record_is_a_job_s_by_its_names_and_by_what_made_it():
    cell = cell_job(CELL, ())
    today = {"study": {"code": "a"}}
    assert fits(JOB, trial(origin={"code": "a"}), today)
    assert not fits(JOB, trial(origin={"code": "b"}), today)
    assert not fits(JOB, trial(origin={"code": "a"}, number=1), today)
    assert not fits(JOB, replace(trial(), study="other"), {})
    assert not fits(JOB, None, {})
    assert not fits(JOB, row(), {})
    assert fits(cell, row(), {})
    assert not fits(cell, trial(), {})
    for change in ({"cell": "other"}, {"study": "other"}, {"seed": 4}):
        assert not fits(cell, row(**change), {})
    assert not fits(measurement_job(CELL), row(), {})


def test_terms_are_what_decides_and_not_who_leads():
    run = {"comparison": "c", "experiment": {"seeds": [1]}, "command": "x", "out": "runs"}
    other = {**run, "command": "y", "out": "/far/runs", "process": {"pid": 1}, "runner": "z"}
    assert terms_of(run) == terms_of({**other, "tracking_uri": None})
    assert terms_of(run) != terms_of({**run, "experiment": {"seeds": [2]}})
