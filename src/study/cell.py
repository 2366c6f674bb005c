"""A cell: the winner's settings, trained on one seed, tested once, folded, measured, saved."""

from __future__ import annotations

import gc
import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from .. import __version__
from ..files import replacing
from ..measure.memory import out_of_memory
from ..methods.base import Method, trained
from ..records import Result, Trial
from ..store.store import PlannedCell
from ..training.adapter_file import adapter_metadata
from ..training.classifier import Classifier
from ..training.context import RunContext
from ..training.fit import Fitted, build, fit, judge, predict
from ..training.origin import device_class
from ..training.prepare import Prepared
from ..training.unfinished import Unfinished
from ..training.untouched import untouched
from ..training.watch import DivergedError
from .serving import serve


def run_trial(
    context: RunContext,
    prepared: Prepared,
    method: Method,
    record: Trial,
    seed: int,
    unfinished: Unfinished | None = None,
) -> Trial:
    """Train on the fit split for the trial's epochs, and judge on validation.

    A training that was interrupted goes on from `unfinished`.
    """
    experiment = context.experiment
    fitted = fit_in_memory(
        context,
        prepared,
        method,
        epochs=experiment.search.trial_epochs,
        seed=seed,
        by_epoch=experiment.search.trial_epochs > 1,
        unfinished=unfinished,
    )
    score = judge(fitted.classifier, prepared)
    curve, cost = fitted.curve, fitted.cost
    if curve.epochs and curve.steps:
        epochs, scores = (*curve.epochs, curve.steps[-1]), (*curve.validation, score)
        curve = replace(curve, epochs=epochs, validation=scores)
        reached = (*cost.epoch_seconds, cost.seconds[-1])
        cost = replace(cost, epoch_seconds=reached)
    return replace(
        record,
        score=score,
        seconds=fitted.seconds,
        curve=curve,
        cost=cost,
        micro_batch=fitted.micro_batch,
        splits=prepared.splits,
    )


def fit_in_memory(
    context: RunContext,
    prepared: Prepared,
    method: Method,
    *,
    epochs: int,
    seed: int,
    by_epoch: bool = False,
    unfinished: Unfinished | None = None,
    energy: bool = False,
) -> Fitted:
    """Train; where memory is too small, again with half as many examples in a pass, down to one.

    An optimizer step has the same examples all the time: their gradients are added up. What goes
    on from `unfinished` has as many examples in a pass as it had before.
    """
    experiment = context.experiment
    micro_batch: int | None = None
    if unfinished is not None:
        unfinished.open()
        if unfinished.position is not None:
            micro_batch = unfinished.position.micro_batch
            context.progress.note(
                f"{prepared.task.name} {method.name}: goes on after step {unfinished.position.step}"
            )
    while True:
        try:
            return fit(
                context.base_model,
                method,
                prepared,
                experiment,
                epochs=epochs,
                seed=seed,
                progress=context.progress,
                micro_batch=micro_batch,
                by_epoch=by_epoch,
                unfinished=unfinished,
                energy=energy,
            )
        except Exception as error:
            size = micro_batch or -(-experiment.train.batch_size // experiment.train.devices)
            if size == 1 or not out_of_memory(error):
                raise
            micro_batch = -(-size // 2)
        if unfinished is not None:
            unfinished.forget()
        # The frames of the attempt held its model till here.
        method.release()
        gc.collect()
        torch.cuda.empty_cache()
        context.progress.note(
            f"{prepared.task.name} {method.name}: out of memory; again with {micro_batch} examples "
            f"in a pass and {experiment.train.batch_size} in an optimizer step"
        )


def run_cell(
    context: RunContext,
    prepared: Prepared,
    method: Method,
    record: Result,
    unfinished: Unfinished | None = None,
) -> Result:
    """Train the method on the cell's seed, test it once, and write its files.

    Selection is over, so that the validation rows train too. A training that was interrupted goes
    on from `unfinished`.
    """
    experiment = context.experiment
    fitted = fit_in_memory(
        context,
        prepared.whole(),
        method,
        epochs=experiment.search.epochs,
        seed=record.seed,
        unfinished=unfinished,
        energy=context.measures_latency,
    )
    with untouched(prepared.objective, fitted.classifier):
        record = _tested(context, prepared, fitted.classifier, record)
    record = _counted(method, fitted.classifier, record)
    adapter = f"adapters/{record.cell}.safetensors"
    metadata = adapter_metadata(context, prepared, fitted.classifier)
    with replacing(context.store.out / adapter) as path:
        method.save(path, fitted.classifier, metadata.to_header())
    record = replace(record, adapter=adapter)
    if context.measures_latency:
        record = _timed(context, prepared, method, fitted.classifier, record)
    return replace(
        record,
        status="complete",
        train_seconds=fitted.seconds,
        peak_memory_mib=fitted.memory_mib,
        curve=fitted.curve,
        cost=fitted.cost,
        micro_batch=fitted.micro_batch,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def measured(context: RunContext, prepared: Prepared, method: Method, record: Result) -> Result:
    """Time a cell that was trained beside others, from the weights that it has stored."""
    head_only = method.trainable(context.base_model.cfg) == 0
    classifier = build(
        context.base_model,
        prepared,
        context.experiment,
        lr=method.lr,
        seed=record.seed,
        head_only=head_only,
    )
    method.prepare(prepared.ids, prepared.task.labels)
    method.load(context.store.out / record.adapter, classifier)
    classifier.to(context.base_model.embedding.weight.device)
    return _timed(context, prepared, method, classifier, record)


def _timed(
    context: RunContext,
    prepared: Prepared,
    method: Method,
    classifier: Classifier,
    record: Result,
) -> Result:
    """The record with the latency of what is served."""
    timed = serve(prepared, method, classifier, context.base_model)
    return replace(record, latency=timed, latency_ms=timed[0].median_ms)


def blank(context: RunContext, prepared: Prepared, planned: PlannedCell) -> Result:
    """A row with all that is known before training."""
    settings = context.experiment.backbone
    return Result(
        cell=planned.cell,
        study=planned.study,
        task=planned.task,
        method=planned.method,
        seed=planned.seed,
        status="missing",
        metric=prepared.objective.metric_name(prepared.task),
        data_source=prepared.data.source,
        data_digest=prepared.data.digest,
        train_examples=len(prepared.fit.rows),
        validation_examples=len(prepared.validation.rows),
        test_examples=len(prepared.test.rows),
        truncated=prepared.truncated,
        template="" if prepared.verbalizer is None else prepared.verbalizer.template.written,
        backbone=settings.name if settings.layers is None else f"{settings.name}:{settings.layers}",
        backbone_digest=context.checkpoint.digest,
        device=device_name(context.base_model.embedding.weight.device),
        versions=versions(),
        # The winner trains on the validation rows too.
        splits=prepared.splits | prepared.whole().splits,
    )


def _tested(
    context: RunContext, prepared: Prepared, classifier: Classifier, result: Result
) -> Result:
    """The one look at the test split, its predictions kept."""
    task, objective = prepared.task, prepared.objective
    outputs = predict(classifier, prepared, prepared.test)
    if not bool(outputs.isfinite().all()):
        raise DivergedError("predictions are not finite")
    metrics = objective.score(task, objective.answers(outputs), prepared.test.rows.labels)
    for name, split in prepared.extra.items():
        answers = objective.answers(predict(classifier, prepared, split))
        extra = objective.score(task, answers, split.rows.labels)
        metrics |= {f"{name}/{key}": value for key, value in extra.items()}
    file = f"predictions/{result.cell}.parquet"
    write_predictions(context.store.out / file, prepared, outputs)
    return replace(
        result,
        metrics=metrics,
        score=objective.mean_score(task, metrics),
        accuracy=metrics.get("accuracy"),
        predictions=file,
    )


def write_predictions(path: Path, prepared: Prepared, predictions: Tensor) -> None:
    """One row for each test example: which it is, and what the objective shows of it."""
    rows = prepared.test.rows
    columns = {
        **rows.origin(),
        **prepared.objective.columns(prepared.task, rows.labels, predictions),
    }
    with replacing(path) as beside:
        pq.write_table(pa.table(columns), beside)


def _counted(method: Method, classifier: Classifier, result: Result) -> Result:
    """Weights by introspection; the method's closed form was held against them when it attached."""
    head = sum(p.numel() for p in trained(classifier.head).values())
    total = sum(p.numel() for p in trained(classifier).values())
    return replace(
        result,
        trainable_params=total - head,
        trainable_params_with_head=total,
        stored_params=method.stored(classifier.backbone.cfg),
    )


def versions() -> Mapping[str, str]:
    """What the figures were made with."""
    names = ("torch", "lightning", "optuna", "mlflow", "tokenizers")
    packages = {name: importlib.metadata.version(name) for name in names}
    return {"tunebench": __version__, "python": platform.python_version(), **packages}


def device_name(device: torch.device) -> str:
    """The processor that trains."""
    if device.type != "cpu":
        return device_class(device)
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def one_line(error: BaseException) -> str:
    """An error for a table's cell."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]
