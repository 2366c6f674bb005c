"""The store: one file a record, written whole or not at all; MLflow and the report come from it.

    trials/<study>/<number>.json      a trial of a study, judged on validation
    cells/<cell>.json                 a row of the table, with the digests of its files:
    untrained/<row>.json              a row that needed no training, a template's on validation too
    adapters/<cell>.safetensors       what was trained
    predictions/<cell>.parquet        its answer to every test example
    measurements/<name>.json          what was measured without training, for claims
    retention/<cell>/<digest>.json    its language model's loss on plain texts
    drift/<cell>/<digest>.json        the same cell trained in another environment, or once more,
                                      and its answers as a .parquet file beside it
    unfinished/<record>.ckpt          a training under way, until its record is there
    work/                             who works on what; see `leases.py` and `workers.py`
    comparisons/<id>.json             what a command asked for
    latest                            the id of the last one

A record counts only if it validates: its own digest and those of the files beside it
(`record_file.py`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import write_whole, writing
from ..records import Fold, Measurement, PlainTextLosses, Reference, Result, Study, Trial
from .record_file import Record, digest, files_of, read, write


@dataclasses.dataclass(frozen=True)
class PlannedCell:
    """A cell that a comparison asks for."""

    cell: str
    study: str
    task: str
    method: str
    seed: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one command asked for: enough to make its tables again from the store."""

    id: str
    experiment: Mapping[str, Any]
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    trials: int
    sources: Mapping[str, str]
    notes: Mapping[str, tuple[str, ...]]
    cells: tuple[PlannedCell, ...]
    studies: tuple[Study, ...]
    references: tuple[Reference, ...]
    command: str
    created: str
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inputs: str = ""
    """Digest of all that decides the plan: settings, rows, weights and tokenizer."""
    folds: Mapping[str, Fold] = dataclasses.field(default_factory=dict)
    """Task → which fold it is; empty without cross-validation."""


IDENTITY = re.compile(r"[\w.-]+")
"""What an id may consist of: it is a file's name."""
UNFINISHED = "unfinished"
"""The folder of trainings under way."""
RETENTION = "retention"
"""The folder of what tuned models forget."""


class Store:
    """Records in a folder."""

    def __init__(self, out: Path) -> None:
        """Nothing is made before something is written."""
        self.out = out

    def trial(self, study: str, number: int) -> Trial | None:
        """A trial's record, or none."""
        return self._get(Trial, self._trial_path(study, number))

    def put_trial(self, trial: Trial) -> None:
        """Write a trial's record."""
        self._put(self._trial_path(trial.study, trial.number), trial)

    def trials(self, study: str, count: int) -> tuple[Trial, ...]:
        """The first so many trials of a study, as far as they are there."""
        trials = (self.trial(study, number) for number in range(count))
        return tuple(trial for trial in trials if trial is not None)

    def all_trials(self, study: str) -> tuple[Trial, ...]:
        """Every trial of a study that is there, by number."""
        names = (path.stem for path in (self.out / "trials" / study).glob("*.json"))
        numbers = sorted(int(name) for name in names if name.isascii() and name.isdecimal())
        trials = (self.trial(study, number) for number in numbers)
        return tuple(trial for trial in trials if trial is not None)

    def result(self, cell: str) -> Result | None:
        """A cell's row, or none."""
        return self._get(Result, self.out / "cells" / f"{cell}.json")

    def put_result(self, result: Result) -> None:
        """Write a row; its files must be there already."""
        self._put(self.out / "cells" / f"{result.cell}.json", result, files_of(result))

    def bring(self, result: Result, folder: Path) -> None:
        """Move a row's files here from the folder that they were written to, if they lie there."""
        for name in files_of(result):
            source, target = folder / name, self.out / name
            if source.is_file() and not source.is_symlink():
                with writing(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(source, target)

    def reruns(self, cell: str) -> tuple[Result, ...]:
        """What else was recorded of a cell: other trainings than that of its row, by name."""
        paths = sorted((self.out / "drift" / cell).glob("*.json"))
        records = (self._get(Result, path) for path in paths)
        return tuple(record for record in records if record is not None)

    def put_rerun(self, result: Result, folder: Path | None = None) -> None:
        """Write a record of a cell beside its row, with a copy of its answers and no adapter.

        Its name is the digest of what it was made in and of its settings: one that was made in the
        same way is replaced.

        Args:
            result: The record.
            folder: Where its answers lie; none means here.
        """
        decides = [dict(result.environment or result.origin), result.hyperparameters]
        name = f"drift/{result.cell}/{digest(decides, result.data_digest)[:12]}"
        answers = (folder or self.out) / result.predictions
        write_whole(self.out / f"{name}.parquet", answers.read_bytes())
        kept = dataclasses.replace(result, adapter="", predictions=f"{name}.parquet")
        self._put(self.out / f"{name}.json", kept, files_of(kept))

    def plan(self, identity: str | None = None) -> Plan | None:
        """A comparison by its id, by default the last one."""
        identity = identity or self._latest()
        if identity is None:
            return None
        return self._get(Plan, self.out / "comparisons" / f"{identity}.json")

    def _latest(self) -> str | None:
        """The id in `latest`; none where the file is missing or garbled."""
        try:
            with (self.out / "latest").open("rb") as file:
                identity = file.read(4096).decode().strip()
        except (OSError, UnicodeDecodeError):
            return None
        return identity if IDENTITY.fullmatch(identity) else None

    def put_plan(self, plan: Plan) -> None:
        """Write a comparison and make it the last one."""
        self._put(self.out / "comparisons" / f"{plan.id}.json", plan)
        write_whole(self.out / "latest", plan.id.encode())

    def plans(self) -> tuple[Plan, ...]:
        """Every comparison that is there."""
        paths = sorted((self.out / "comparisons").glob("*.json"))
        plans = (self._get(Plan, path) for path in paths)
        return tuple(plan for plan in plans if plan is not None)

    def untrained(self, row: str, make: Callable[[], Reference]) -> Reference:
        """A row that needs no training, made where it is not there yet."""
        path = self.out / "untrained" / f"{row}.json"
        record = self._get(Reference, path)
        if record is None:
            record = make()
            self._put(path, record)
        return record

    def measurement(self, name: str) -> Measurement | None:
        """What was measured under a name, or none."""
        return self._get(Measurement, self.out / "measurements" / f"{name}.json")

    def put_measurement(self, measurement: Measurement) -> None:
        """Write a measurement."""
        self._put(self.out / "measurements" / f"{measurement.name}.json", measurement)

    def measurements(self) -> tuple[Measurement, ...]:
        """Every measurement that is there, by name."""
        paths = sorted((self.out / "measurements").glob("*.json"))
        known = (self._get(Measurement, path) for path in paths)
        return tuple(one for one in known if one is not None)

    def retention(self, cells: Iterable[str]) -> tuple[PlainTextLosses, ...]:
        """What was measured of these cells on plain texts, in their order."""
        folder = self.out / RETENTION
        if not folder.is_dir():
            return ()
        paths = (path for cell in cells for path in sorted((folder / cell).glob("*.json")))
        known = (self._get(PlainTextLosses, path) for path in paths)
        return tuple(one for one in known if one is not None)

    def put_retention(self, losses: PlainTextLosses) -> None:
        """Write what was measured of a cell, in the place of what the same texts gave before."""
        self._put(self.out / RETENTION / losses.cell / f"{losses.texts}.json", losses)

    def unfinished_path(self, record: str) -> Path:
        """Where a training is kept while it runs, by the path of its record without an ending."""
        return self.out / UNFINISHED / f"{record}.ckpt"

    def unfinished(self) -> tuple[str, ...]:
        """The records of which a training is kept, or was set aside, as paths without an ending."""
        folder = self.out / UNFINISHED
        files = (file.relative_to(folder) for file in folder.glob("*/**/*.ckpt*"))
        return tuple(
            sorted({str(f.parent / f.name.lstrip(".").partition(".ckpt")[0]) for f in files})
        )

    def drop_unfinished(self, record: str) -> None:
        """Remove what is kept of a training, with what was set aside or half-written of it."""
        path = self.unfinished_path(record)
        name = glob.escape(path.name)
        for pattern in (f"{name}*", f".{name}.*"):
            for file in path.parent.glob(pattern):
                with contextlib.suppress(OSError):
                    file.unlink()
        for folder in path.parents:
            if folder == self.out:
                break
            with contextlib.suppress(OSError):
                folder.rmdir()  # unless something is in it

    def damaged(self, only: str | None = None) -> list[str]:
        """Records that are there and do not validate, in all folders or `only` one of them."""
        kinds = {
            "cells": Result,
            "drift/*": Result,
            "trials/*": Trial,
            "comparisons": Plan,
            "untrained": Reference,
            "measurements": Measurement,
            f"{RETENTION}/*": PlainTextLosses,
        }
        return [
            str(path.relative_to(self.out))
            for folder, kind in kinds.items()
            if only in (None, folder)
            for path in sorted(self.out.glob(f"{folder}/*.json"))
            if self._get(kind, path) is None
        ]

    def _trial_path(self, study: str, number: int) -> Path:
        return self.out / "trials" / study / f"{number:04d}.json"

    def _put(self, path: Path, record: Any, files: Sequence[str] = ()) -> None:
        write(path, record, self.out, files)

    def _get(self, kind: type[Record], path: Path) -> Record | None:
        return read(kind, path, self.out)


def identity(prefix: str, *parts: Any) -> str:
    """A readable name made unique by its content: `sst2-lora-1f2e3d4c5b6a`."""
    return f"{prefix}-{digest(*parts)[:12]}"


def require_plan(store: Store) -> Plan:
    """The last comparison, or the user's error."""
    plan = store.plan()
    if plan is None:
        raise UserError(f"no comparison in '{store.out}': run `tunebench compare` first")
    return plan
