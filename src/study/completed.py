"""Whether a comparison has nothing left to do, found out without torch, Optuna or MLflow.

A run that ends with every cell complete leaves `completed.json`: a digest of all that decided it,
and of what it wrote. The same command asks here first. Whatever differs, be it a row of the data,
a line of this program or a report that somebody edited, leads to a run as ever, which then does
what is missing; so this file may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..checkpoints.checkpoint import Checkpoint
from ..config import WHERE, Experiment
from ..data.tasks import TaskData, left_out_of
from ..files import sha256, write_whole
from ..methods import files as method_files
from ..records import Comparison
from ..store.store import Plan, Store
from ..tracking.address import chosen
from .init_from import content_of
from .plan import assemble, methods_of

LARGEST = 2**20
"""Bytes of the mark that are read: it has some hundreds."""
MARK = "completed.json"
REPORTS = ("results.csv", "analysis.json", "report.md", "report.html")
DATABASES = ("optuna.db", "mlflow.db")
PACKAGES = ("torch", "lightning", "tokenizers", "numpy")
"""As in `training/origin.py`, which imports torch."""


def find_completed(experiment: Experiment, data: Sequence[TaskData]) -> Comparison | None:
    """The comparison that an experiment asks for, where a run of it would change nothing.

    Args:
        experiment: What to compare.
        data: Its tasks, with all their rows.

    Returns:
        The comparison, all cells complete; none where anything is left to do.
    """
    out = Path(experiment.out)
    mark = _read(out / MARK)
    if mark is None or mark["inputs"] != inputs_of(experiment, data):
        return None
    store = Store(out)
    plan = store.plan()
    if plan is None or plan.inputs != mark["inputs"] or not plan.cells:
        return None
    if store.damaged("untrained"):
        return None
    comparison = assemble(plan, store)
    done = _is_done(comparison) and mark == _mark(comparison, plan, experiment)
    return comparison if done else None


def mark_completed(comparison: Comparison, plan: Plan, experiment: Experiment) -> None:
    """Leave the mark, where every cell is complete and store, databases and report are written."""
    if plan.cells and _is_done(comparison):
        out = Path(experiment.out)
        for name in DATABASES:
            _write_log_into_database(out / name)
        content = json.dumps(_mark(comparison, plan, experiment), indent=1)
        write_whole(out / MARK, content.encode())


def _is_done(comparison: Comparison) -> bool:
    """Whether every cell is complete, and no trial is one that the next start tries again."""
    return all(row.status == "complete" for row in comparison.results) and not any(
        trial.failure == "transient" for trial in comparison.trials
    )


def inputs_of(experiment: Experiment, data: Sequence[TaskData]) -> str:
    """A digest of all that decides a comparison: settings, rows, checkpoint and this program."""
    settings = dataclasses.asdict(experiment)
    for name in (*WHERE, "budget", "hours", "save_every", "system_metrics"):
        del settings[name]
    methods = methods_of(experiment).items()
    settings["methods"] = {name: dict(content_of(name, settings)) for name, settings in methods}
    settings["train"] |= {"threads": 0, "devices": 1}
    tasks: list[Any] = [[one.task.name, one.digest, one.source, list(one.notes)] for one in data]
    tasks.append(dict(left_out_of(data)))
    checkpoint = [[file.name, sha256(file)] for file in _sources(experiment)]
    files = method_files()
    # A method may live in a folder of its own, outside of this program.
    codes = [_of_file(files[name]) for name in settings["methods"] if name in files]
    return _digest([__version__, code_digest(), codes, _machine(), settings, tasks, checkpoint])


def _mark(comparison: Comparison, plan: Plan, experiment: Experiment) -> dict[str, Any]:
    """What must be as it was left: the records, the report, the databases."""
    out = Path(experiment.out)
    return {
        "inputs": plan.inputs,
        "records": _digest(dataclasses.asdict(comparison)),
        # Only its digest, since an address may hold a password.
        "tracking": _digest([chosen(experiment.tracking_uri), experiment.optuna_storage]),
        "reports": {name: _of_file(out / name) for name in REPORTS},
        "databases": {name: list(_state(out / name)) for name in DATABASES},
    }


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and "inputs" in content else None


def _sources(experiment: Experiment) -> Sequence[Path]:
    """The files that the backbone and its tokenizer are read from."""
    return Checkpoint.open(experiment.backbone.name).source_files()


def _machine() -> list[str]:
    """What may change the origin of records, as far as it shows without torch: too much is asked.

    A difference here only leads to a run as ever, which then looks at the records' own origins.
    """
    packages = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    devices = [str(path) for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]
    models = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    with contextlib.suppress(OSError):
        devices += [line for path in models for line in path.read_text("utf-8").splitlines()[:1]]
    chosen_devices = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return [*packages, platform.system(), platform.machine(), *devices, chosen_devices]


def code_digest() -> str:
    """The digest of this program's own text: another version may well write another report."""
    root = Path(__file__).parent.parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(f"{path.relative_to(root)}\n".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _of_file(path: Path) -> str:
    try:
        return sha256(path)
    except OSError:
        return ""


def _state(path: Path) -> Iterator[int]:
    """A database's size, its time of change and the size of its log; nothing without a file."""
    with contextlib.suppress(OSError):
        stat = path.stat()
        yield from (stat.st_size, stat.st_mtime_ns)
    with contextlib.suppress(OSError):
        # What another program has written since may still stand in the log alone.
        if log := path.with_name(f"{path.name}-wal").stat().st_size:
            yield log


def _write_log_into_database(database: Path) -> None:
    """Write an SQLite database's log into its file, which stays as it is from then on."""
    if database.is_file():
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(database, timeout=5)) as connection,
        ):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
