"""What travels between a leader and its workers: a job with its settings, and back its record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..records import Result, Trial
from ..store.record_file import as_text, from_text
from ..training.origin import differences
from .jobs import Job

NOT_TERMS = ("command", "optuna_storage", "out", "process", "runner", "tracking_uri")
"""What of a run changes nothing of what a job gives: how it was asked for, where, and by whom."""


@dataclass(frozen=True)
class Parcel:
    """A job, and its record once it has ended."""

    terms: str
    job: Job
    record: Trial | Result | None = None


def terms_of(run: Mapping[str, Any]) -> str:
    """A digest of all that a leader and its workers must have in common."""
    kept = {key: value for key, value in run.items() if key not in NOT_TERMS}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def seal(terms: str, job: Job, record: Trial | Result | None = None) -> str:
    """A parcel as text."""
    body = None if record is None else as_text(record)
    return json.dumps({"terms": terms, "job": job.to_json(), "record": body})


def open_parcel(text: str) -> Parcel | None:
    """The parcel that `seal` wrote; none where the text is none of ours, or was cut."""
    try:
        content = json.loads(text)
        fields, body = json.loads(content["job"]), content["record"]
        texts = (content["terms"], fields["name"], fields["task"])
        if not (all(isinstance(one, str) for one in texts) and isinstance(fields["attempt"], int)):
            return None
        job = Job.from_json(content["job"])
        record = None if body is None else from_text(body)
        if body is not None and record is None:
            return None
        return Parcel(content["terms"], job, record)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def as_sent(job: Job) -> Job:
    """A job as it is after a journey: JSON has lists alone."""
    return Job.from_json(job.to_json())


def fits(job: Job, record: Trial | Result | None, origins: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a record is a job's, and was made by what makes its records here."""
    if record is None:
        return False
    if isinstance(record, Trial):
        is_its = (job.kind, job.study, job.number) == ("trial", record.study, record.number)
    else:
        named = (record.cell, record.study, record.seed)
        is_its = job.kind == "cell" and named == (job.name, job.study, job.seed)
    return is_its and not differences(record.origin, origins.get(job.study, {}))


def same(one: Job, other: Job) -> bool:
    """Whether two jobs ask for the same, whichever attempt they are."""
    return as_sent(replace(one, attempt=other.attempt)) == as_sent(other)
