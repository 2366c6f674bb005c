"""One attempt at a trial or a cell: trained as its job says, or a record of why not."""

from __future__ import annotations

import errno
import gc
from dataclasses import asdict, replace

import torch

from ..errors import CannotWrite
from ..measure.memory import out_of_memory
from ..records import Failure, Result, Trial
from ..store.store import PlannedCell, identity
from ..training.environment import environment
from ..training.prepare import Prepared, check_room
from ..training.ranks import RankLostError
from ..training.unfinished import Unfinished
from ..training.verbalizer import max_soft_tokens
from ..training.watch import DivergedError
from .cell import blank, measured, one_line, run_cell, run_trial
from .init_from import content_of
from .jobs import Job, non_finite
from .prepare_run import PreparedRun
from .space import as_fields
from .system_metrics import sampled

SCARCE = {
    *(errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    *(errno.EIO, errno.EMFILE, errno.ENFILE),
}
"""What a system call lacked may be there at the next start: memory, disk, quota, open files."""


def attempt(job: Job, run: PreparedRun, prepared: Prepared) -> Trial | Result:
    """Train what the job asks for; see `jobs.execute`."""
    record = unstarted(job, run)
    if job.status is not None:
        return record
    progress, phase = run.context.progress, (job.task, job.method, phase_of(job, run))
    progress.phase(*phase)
    try:
        device = run.context.base_model.embedding.weight.device
        with sampled(run.context.experiment.system_metrics, device) as samples:
            trained = _trained(record, run, prepared, job)
        if not job.exclusive:
            trained = replace(trained, system=samples())
        return _checked(trained)
    except DivergedError as error:
        ended = replace(record, status="diverged", reason=str(error), failure="deterministic")
    except (KeyboardInterrupt, CannotWrite):
        raise
    except BaseException as error:
        ended = replace(
            record, status="error", reason=one_line(error), failure=failure_class(error)
        )
    finally:
        progress.over(*phase)
    # What the failed run held is let go before the next one starts: its frames kept it till here,
    # and Lightning's trainer and the classifier hold each other.
    gc.collect()
    return ended


def unstarted(job: Job, run: PreparedRun) -> Trial | Result:
    """A job's record with all that is known before training."""
    settings = dict(job.hyperparameters or {})
    origin = run.origin(job.task, job.method)
    if job.kind == "trial":
        assert job.number is not None
        return Trial(
            job.study, job.number, "complete", settings, None, 0.0, origin=origin, draw=job.draw
        )
    planned = PlannedCell(job.cell, job.study, job.task, job.method, job.seed)
    made_in = environment(
        origin,
        run.context.base_model.embedding.weight.device,
        run.context.experiment.train.devices,
    )
    row = replace(
        blank(run.context, run.tasks[job.task], planned), origin=origin, environment=made_in
    )
    if job.status is not None:
        return replace(row, status=job.status, reason=job.reason)
    return replace(
        row,
        hyperparameters=settings,
        best_trial=job.number,
        validation_score=job.validation_score,
    )


def lost(job: Job, run: PreparedRun, reason: str) -> Trial | Result:
    """The record of a job whose process is gone: it may well complete at the next start."""
    return replace(unstarted(job, run), status="error", reason=reason, failure="transient")


def phase_of(job: Job, run: PreparedRun) -> str:
    """What runs now, as a reader sees it."""
    if job.kind == "trial":
        assert job.number is not None
        return f"trial {job.number + 1} of {run.context.experiment.search.trials}"
    return f"seed {job.seed}" + (", latency" if job.exclusive else "")


def _trained(
    record: Trial | Result,
    run: PreparedRun,
    prepared: Prepared,
    job: Job,
) -> Trial | Result:
    """The record as it is once trained. The method holds the backbone, and ends with this call."""
    context = run.context
    method = run.method(job.method)(**as_fields(job.hyperparameters or {}))
    if job.exclusive:
        stored = context.store.result(job.cell)
        assert stored is not None
        return measured(context, prepared, method, stored)
    soft_tokens = max_soft_tokens([prepared.verbalizers])
    check_room(method, context.base_model.cfg, context.experiment, soft_tokens)
    kept = unfinished(job, run, prepared)
    if isinstance(record, Trial):
        return run_trial(
            context,
            prepared.for_search(),
            method,
            replace(record, params=method.hyperparameters()),
            job.seed,
            kept,
        )
    return run_cell(
        context, prepared, method, replace(record, hyperparameters=method.hyperparameters()), kept
    )


def unfinished(job: Job, run: PreparedRun, prepared: Prepared) -> Unfinished:
    """Where a job's training is kept while it runs, and what must be the same to go on with it."""
    context, experiment = run.context, run.context.experiment
    search = experiment.search
    key = identity(
        "training",
        [job.kind, job.study, job.cell, job.number, job.seed, job.method],
        dict(content_of(job.method, job.hyperparameters or {})),
        dict(run.origin(job.task, job.method)),
        [prepared.data.digest, context.checkpoint.digest, experiment.backbone.pooling],
        None if prepared.verbalizer is None else prepared.verbalizer.content,
        dict((prepared if job.kind == "trial" else prepared.whole()).splits),
        search.trial_epochs if job.kind == "trial" else search.epochs,
        [experiment.data.max_length, experiment.backbone.attention],
        # Sums over parts of another size are rounded otherwise.
        asdict(experiment.train) | {"threads": torch.get_num_threads()},
    )
    return Unfinished(
        context.store.unfinished_path(job.writes),
        key,
        lambda text: context.progress.note(f"{job.task} {job.method}: {text}"),
        every=experiment.save_every,
    )


def _checked(record: Trial | Result) -> Trial | Result:
    """The record, all of whose figures are finite.

    Raises:
        DivergedError: One is not.
    """
    reason = non_finite(record)
    if reason is not None:
        raise DivergedError(reason)
    return record


def failure_class(error: BaseException) -> Failure:
    """Whether the same job may well complete at another time: what it lacked was the machine's."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__
    return "transient" if any(map(_scarce, causes)) else "deterministic"


def _scarce(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in SCARCE
    return isinstance(error, RankLostError) or out_of_memory(error)
