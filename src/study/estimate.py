"""What a comparison will take, before it is run: a few batches of each method, timed here and now.

Nothing is written to the folder of results, and nothing that is trained here is kept.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from ..analysis.verdict import LOOKS
from ..config import Experiment
from ..data.load import load_tasks
from ..progress import Progress
from ..store.store import Plan, Store
from ..training.adapter_file import adapter_metadata
from ..training.fit import Fitted, fit
from ..training.predictor import EVALUATION_BATCH, predict_rows
from ..training.prepare import Prepared, Split
from .candidates import candidates, trial_counts
from .checks import check_data, check_settings_of
from .plan import plan_of
from .prepare_run import PreparedRun, prepare_run, workers_of
from .serving import serve

STEPS = (2, 6)
"""Optimizer steps of the two trainings that are timed: what the longer one takes more is the price
of its further steps, the rest is what every training costs once."""
RECORDS = 130_000
"""Bytes of a cell beside its adapter: records, predictions, MLflow's and Optuna's tables. Measured
on a comparison of 57 cells with 1,500 test examples each."""


@dataclass(frozen=True)
class Cost:
    """What a method's trainings on a task take, one at a time."""

    task: str
    method: str
    trials: int
    """Trials that are still to be run."""
    cells: int
    """Cells that are still to be run, at most."""
    trial_seconds: float
    """Training and validation of one trial."""
    cell_seconds: float
    """Training and test of one cell."""
    latency_seconds: float
    """A cell's latency, which is measured while nothing else runs."""
    adapter_bytes: int
    """The stored weights of one cell."""

    @property
    def seconds(self) -> float:
        """What may run side by side, all in all."""
        return self.trials * self.trial_seconds + self.cells * self.cell_seconds


@dataclass(frozen=True)
class Estimate:
    """What is still to be done, what it takes, and what it leaves on the disk."""

    costs: tuple[Cost, ...]
    workers: int
    until: bool
    """Whether looks may end it with fewer cells."""

    @property
    def trials(self) -> int:
        """Trials that are still to be run."""
        return sum(cost.trials for cost in self.costs)

    @property
    def cells(self) -> int:
        """Cells that are still to be run, at most."""
        return sum(cost.cells for cost in self.costs)

    @property
    def latency_seconds(self) -> float:
        """Latency of all cells, one after the other."""
        return sum(cost.cells * cost.latency_seconds for cost in self.costs)

    @property
    def shared_seconds(self) -> float:
        """Trainings and tests one after the other, before they are shared among the workers."""
        return sum(cost.seconds for cost in self.costs)

    @property
    def seconds(self) -> float:
        """Wall time, if workers do not slow each other down."""
        return self.shared_seconds / self.workers + self.latency_seconds

    @property
    def adapter_bytes(self) -> int:
        """Stored weights of all cells."""
        return sum(cost.cells * cost.adapter_bytes for cost in self.costs)

    @property
    def bytes(self) -> int:
        """Stored weights and everything beside them."""
        return self.adapter_bytes + self.cells * RECORDS


def estimate(experiment: Experiment, progress: Progress) -> Estimate:
    """Time a few batches of each method on each task, and multiply.

    Methods have their default settings, or those that are pinned; settings that a search draws may
    take longer or shorter. Not counted: loading, MLflow and the report.

    Args:
        experiment: What would be compared. Records that its folder has already are not made again.
        progress: Hears which method is timed.

    Raises:
        UserError: Anything wrong with the settings or the data.
    """
    check_settings_of(experiment)
    data = load_tasks(experiment.tasks, experiment.data, say=progress.note)
    check_data(experiment, data)
    store = Store(Path(experiment.out))
    run = prepare_run(experiment, store, progress, data=data)
    experiment = run.context.experiment
    plan = _plan(run, experiment)
    costs = []
    for task, prepared in run.tasks.items():
        for method in plan.methods:
            progress.note(f"{task} {method}: timing {STEPS[-1]} steps")
            costs.append(_cost(run, prepared, method, plan, trial_counts(experiment)[method]))
    return Estimate(tuple(costs), workers_of(experiment), experiment.until is not None)


def _plan(run: PreparedRun, experiment: Experiment) -> Plan:
    """The plan with all seeds that may be asked for."""
    pairs = [(task, name) for task in run.tasks for name in candidates(experiment)]
    counts = dict.fromkeys(pairs, LOOKS[-1]) if experiment.until is not None else None
    digest = run.context.checkpoint.digest
    return plan_of(experiment, tuple(run.tasks.values()), digest, (), "", counts=counts)


def _cost(run: PreparedRun, prepared: Prepared, method: str, plan: Plan, trials: int) -> Cost:
    """The price of a method's trials and cells on a task, and how many of them are missing."""
    store, experiment = run.context.store, run.context.experiment
    task, search = prepared.task.name, experiment.search
    studies = [one.study for one in plan.studies if (one.task, one.method) == (task, method)]
    there = sum(len(store.trials(study, trials)) for study in studies)
    cells = [one.cell for one in plan.cells if one.study in studies]
    once, step, row, latency_seconds, size = _probe(run, prepared, method)
    # The frozen backbone reads for a head alone once, in the first epoch.
    repeated = 1 if _head_only(run, method) else None

    def training(rows: int, epochs: int) -> float:
        return once + step * _steps(rows, experiment) * (repeated or epochs)

    validation = len(prepared.validation.rows)
    tests = sum(len(one.rows) for one in (prepared.test, *prepared.extra.values()))
    fit_rows = len(prepared.fit.rows)
    judged = search.trial_epochs * validation
    return Cost(
        task=task,
        method=method,
        trials=trials * len(studies) - there,
        cells=sum(store.result(cell) is None for cell in cells),
        trial_seconds=training(fit_rows, search.trial_epochs) + row * judged,
        cell_seconds=training(fit_rows + validation, search.epochs) + row * tests,
        latency_seconds=latency_seconds,
        adapter_bytes=size,
    )


def _steps(rows: int, experiment: Experiment) -> int:
    return -(-rows // experiment.train.batch_size)


def _head_only(run: PreparedRun, method: str) -> bool:
    made = candidates(run.context.experiment)[method][0]
    return made.trainable(run.context.base_model.cfg) == 0


def _probe(
    run: PreparedRun, prepared: Prepared, name: str
) -> tuple[float, float, float, float, int]:
    """Seconds of a training without its steps, of a step, of a test row, of latency; and bytes."""
    context, experiment = run.context, run.context.experiment
    candidate = candidates(experiment)[name][0]
    seconds: list[float] = []
    fitted: Fitted | None = None
    for steps in (STEPS[0], *STEPS):  # the first one warms up
        part = _with_rows(prepared, steps * experiment.train.batch_size)
        method = type(candidate)(**candidate.hyperparameters())
        begin = time.perf_counter()
        fitted = fit(
            context.base_model,
            method,
            part,
            experiment,
            epochs=1,
            seed=0,
            progress=context.progress,
        )
        seconds.append(time.perf_counter() - begin)
    assert fitted is not None
    short, long = seconds[1:]
    step = max(0.0, (long - short) / (STEPS[1] - STEPS[0]))
    once = max(0.0, short - STEPS[0] * step)
    rows = _evenly(prepared.test, EVALUATION_BATCH).encoded
    row = _seconds(partial(predict_rows, fitted.classifier, rows)) / len(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter.safetensors"
        metadata = adapter_metadata(context, prepared, fitted.classifier)
        method.save(path, fitted.classifier, metadata.to_header())
        size = path.stat().st_size
    with torch.inference_mode():
        latency_seconds = _seconds(
            partial(serve, prepared, method, fitted.classifier, context.base_model)
        )
    return once, step, row, latency_seconds, size


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _with_rows(prepared: Prepared, count: int) -> Prepared:
    """The task with only so many training rows."""
    search = prepared.for_search()
    return replace(search, fit=_evenly(search.fit, count))


def _evenly(split: Split, count: int) -> Split:
    """So many rows from everywhere in a split; all where it has fewer."""
    rows = [number * len(split.rows) // count for number in range(count)]
    return split.take(sorted(set(rows)))
