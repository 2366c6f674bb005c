"""One training run under Lightning's own loop: a method on a backbone, for so many epochs."""

from __future__ import annotations

import contextlib
import copy
import gc
from dataclasses import dataclass, replace
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from ..backbone.model import Backbone
from ..config import Experiment
from ..data.text.batches import Batches, PooledBatches, restore_order
from ..methods.base import Method
from ..progress import Progress, Quiet
from ..records import Curve, TrainingCost
from .classifier import Classifier
from .device import quiet_lightning
from .heads import PooledHead, Reader
from .meter import Meter
from .predictor import EVALUATION_BATCH, predict_rows
from .prepare import Prepared, Split
from .ranks import ALONE, Rank, started
from .stops import Stops
from .unfinished import Saver, Unfinished, WholeFile, resuming
from .watch import DivergedError, EpochScores, Watch


@dataclass
class Fitted:
    """A trained classifier and what its training cost."""

    classifier: Classifier
    seconds: float
    memory_mib: float | None
    curve: Curve
    cost: TrainingCost
    micro_batch: int | None = None
    """Examples in one pass, where a batch came in parts."""


def fit_rank(
    base_model: Backbone,
    method: Method,
    prepared: Prepared,
    experiment: Experiment,
    *,
    epochs: int,
    seed: int,
    progress: Progress,
    micro_batch: int | None = None,
    by_epoch: bool = False,
    unfinished: Unfinished | None = None,
    energy: bool = False,
    rank: Rank = ALONE,
) -> Fitted:
    """Train a copy of the base model, by this process alone or as one of several.

    With `by_epoch` the validation rows are judged at the end of each epoch but the last; these must
    not be among the rows that train.

    With `micro_batch` only so many examples go through the model at once, and the gradients of
    several such passes make one optimizer step: the step is the same, in less memory.

    The seed fixes, each by itself, the head's start, the method's start and the order of the data,
    so that two methods with the same seed see the same head and the same batches.

    With `unfinished` the training is kept there now and then, and goes on from what was found
    there: what comes out is the same bit for bit.

    With `energy` it is counted what the machine takes meanwhile: only where nothing else trains.

    Several processes that train together call this at once, each as its rank: all of them end with
    the same weights.

    Raises:
        DivergedError: The loss became infinite or no number.
        KeyboardInterrupt: The process was asked to stop.
    """
    head_only = method.trainable(base_model.cfg) == 0
    classifier = build(
        base_model, prepared, experiment, lr=method.lr, seed=seed, head_only=head_only
    )
    method.prepare(prepared.ids, prepared.task.labels)
    torch.manual_seed(3 * seed + 1)
    method.attach(classifier.backbone)
    begun = None if unfinished is None else unfinished.position
    meter = Meter(begun)
    watch = Watch(progress, meter.seconds)
    loader = prepared.fit.batches(
        prepared.task,
        experiment.train.batch_size,
        shuffle_seed=seed,
        scale=prepared.scale,
        micro_batch=micro_batch,
        rank=rank,
    )
    scores = EpochScores(lambda: judge(classifier, prepared), watch.elapsed)
    stops = Stops()
    saver = Saver(stops, unfinished, meter, accumulate=loader.accumulate, micro_batch=micro_batch)
    meter.apart = (scores, saver)
    callbacks: list[Callback] = [saver, method, watch, *([scores] if by_epoch else [])]
    trainer = _trainer(experiment, epochs, callbacks, loader.accumulate, unfinished, rank)
    device = trainer.strategy.root_device
    groups = loader.alike(EVALUATION_BATCH) if head_only else loader.parts_of(epochs)
    with quiet_lightning(), meter.running(device, energy=energy):
        classifier.to(device)
        if head_only:
            begin = meter.seconds()
            loader = pool_once(classifier, loader)
            watch.before = meter.seconds() - begin
        if begun is not None:
            loader.go_to(begun.passes, begun.parts)
        rank.seed_dropout(3 * seed + 2)
        _run(trainer, classifier, loader, stops, unfinished)
        seconds, memory = meter.seconds(), meter.memory_mib()
    # Trainer and module know each other: without this, copies of the backbone pile up until
    # Python's collector comes by. A trainer that any frame still holds would keep the module.
    classifier.trainer = None
    del trainer
    gc.collect()
    # Lightning leaves the weights on the CPU; they are judged where they were trained.
    classifier.to(device)
    curve = Curve(
        tuple(watch.steps), tuple(watch.losses), tuple(scores.steps), tuple(scores.scores)
    )
    cost = meter.cost(loader, groups, watch, scores)
    return Fitted(classifier, seconds, memory, curve, cost, micro_batch)


def fit(
    base_model: Backbone,
    method: Method,
    prepared: Prepared,
    experiment: Experiment,
    *,
    progress: Progress,
    unfinished: Unfinished | None = None,
    **settings: Any,
) -> Fitted:
    """Train a copy of the base model by as many processes as `train.devices` asks for.

    This one is rank 0; the settings are those of `fit_rank`.

    Raises:
        RankLostError: One of the others ended too early.
        DivergedError, KeyboardInterrupt: As for `fit_rank`.
    """
    together = (base_model, method, prepared, experiment)
    devices = experiment.train.devices
    if devices == 1:
        return fit_rank(*together, progress=progress, unfinished=unfinished, **settings)
    others = None if unfinished is None else replace(unfinished, note=Quiet().note)
    arguments = {
        **dict(zip(("base_model", "method", "prepared", "experiment"), together, strict=True)),
        **{**settings, "progress": Quiet(), "unfinished": others, "energy": False},
    }
    kind = base_model.embedding.weight.device.type
    with started(devices, kind, fit_rank, arguments) as rank:
        return fit_rank(*together, progress=progress, unfinished=unfinished, rank=rank, **settings)


def pool_once(classifier: Classifier, loader: Batches) -> Batches:
    """Every row read by the frozen backbone once: it would say the same in each epoch."""
    groups = loader.alike(EVALUATION_BATCH)
    with torch.inference_mode():
        vectors = torch.cat(
            [classifier.pooled(loader.batch(g).to(classifier.device)).cpu() for g in groups]
        )
    # Cloned: what inference mode made cannot be trained on.
    return PooledBatches(loader, restore_order(vectors.float().clone(), groups))


def build(
    base_model: Backbone,
    prepared: Prepared,
    experiment: Experiment,
    *,
    lr: float,
    seed: int,
    head_only: bool,
) -> Classifier:
    """A reader on a copy of the base model: a fresh head, or the template's label words.

    A head that trains by itself does so at the method's own rate; label words train only then.
    """
    torch.manual_seed(3 * seed)
    return Classifier(
        copy.deepcopy(base_model),
        head=_reader(prepared, experiment, base_model.cfg.width, head_only),
        lr=lr,
        head_lr=lr if head_only else experiment.train.head_lr,
        warmup=experiment.train.warmup,
        weight_decay=experiment.train.weight_decay,
        objective=prepared.objective,
        scale=prepared.scale,
    )


def _reader(prepared: Prepared, experiment: Experiment, width: int, head_only: bool) -> Reader:
    if prepared.verbalizer is not None:
        return prepared.verbalizer.reader(trains=head_only)
    pooling, dropout = experiment.backbone.pooling, experiment.train.head_dropout
    outputs = prepared.objective.outputs(prepared.task)
    return PooledHead(width, outputs, pooling, dropout, prepared.origin)


def predict(classifier: Classifier, prepared: Prepared, split: Split) -> Tensor:
    """The objective's predictions (rows c), such as probabilities, in the split's order."""
    return predict_rows(classifier, split.encoded)


def judge(classifier: Classifier, prepared: Prepared) -> float:
    """The task's score on the validation rows: the only score that a search may choose by.

    Raises:
        DivergedError: A prediction is no finite number.
        LeakError: The validation rows train by now.
    """
    split, objective = prepared.selecting, prepared.objective
    predictions = predict(classifier, prepared, split)
    if not bool(predictions.isfinite().all()):
        raise DivergedError("predictions are not finite")
    answers = objective.answers(predictions)
    metrics = objective.score(prepared.task, answers, split.rows.labels)
    return objective.mean_score(prepared.task, metrics)


def _trainer(
    experiment: Experiment,
    epochs: int,
    callbacks: list[Callback],
    accumulate: int = 1,
    unfinished: Unfinished | None = None,
    rank: Rank = ALONE,
) -> Trainer:
    """Lightning's own loop; storing, logging and showing are the runner's."""
    with quiet_lightning():
        return Trainer(
            max_epochs=epochs,
            accelerator=experiment.train.accelerator,
            devices=rank.world_size,
            strategy=rank.strategy,
            precision=experiment.train.precision,
            gradient_clip_val=experiment.train.clip or None,
            accumulate_grad_batches=accumulate,
            callbacks=callbacks,
            plugins=[] if unfinished is None else [WholeFile(unfinished)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )


def _run(
    trainer: Trainer,
    classifier: Classifier,
    loader: Batches,
    stops: Stops,
    unfinished: Unfinished | None,
) -> None:
    """Run the loop; Ctrl-C and SIGTERM, which Lightning turns into SystemExit, are told apart.

    Lightning also makes the process deaf to Ctrl-C from then on: who called us is not.
    """
    resumes = unfinished is not None and unfinished.position is not None
    with stops, resuming() if resumes else contextlib.nullcontext():
        try:
            if unfinished is not None and resumes:
                trainer.fit(classifier, loader, ckpt_path=unfinished.path, weights_only=True)
            else:
                trainer.fit(classifier, loader)
        except SystemExit as stop:
            if isinstance(stop, SIGTERMException) or isinstance(
                stop.__context__, KeyboardInterrupt
            ):
                raise KeyboardInterrupt(*stop.args) from stop
            raise
        if trainer.interrupted:
            raise KeyboardInterrupt("asked to stop")
        if stops.asked:
            stops.stop()
