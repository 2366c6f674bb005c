"""The set-up that every way to train shares: device, data, backbone, templates, checks.

Everything that can go wrong by the user's hand goes wrong here, before any training.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from ..checkpoints.checkpoint import Checkpoint
from ..config import Experiment
from ..data.load import load_tasks
from ..data.tasks import TaskData, left_out_of
from ..methods import get_method
from ..methods.base import Method
from ..progress import Progress
from ..store.store import Store
from ..training.context import RunContext
from ..training.device import device_of
from ..training.origin import origin
from ..training.prepare import Prepared, check_room, prepare
from ..training.verbalizer import max_soft_tokens, verbalizers
from .candidates import attachable, candidates, own_fault, spaces


@dataclass(frozen=True)
class PreparedRun:
    """What `execute` needs besides a job: a process makes it once for all of its jobs."""

    context: RunContext
    tasks: Mapping[str, Prepared]
    """Each task by its name."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Each task of a suite that cannot be read and each optional method that the backbone cannot
    have, and why."""
    classes: Mapping[str, type[Method]] = field(default_factory=dict)
    """Methods that the registry does not hold, by their names."""

    def method(self, name: str) -> type[Method]:
        """A method's class."""
        return self.classes.get(name) or get_method(name)

    def origin(self, task: str, method: str) -> Mapping[str, str]:
        """What makes the records of a method on a task; see `training/origin.py`."""
        device = self.context.base_model.embedding.weight.device
        return origin(self.method(method), self.tasks[task].objective, device)


def prepare_run(
    experiment: Experiment,
    store: Store,
    progress: Progress,
    *,
    data: Sequence[TaskData] | None = None,
    methods: Sequence[Method] | None = None,
) -> PreparedRun:
    """Load and check all that the experiment names.

    Args:
        experiment: What is to be trained.
        store: Where records are kept.
        progress: Hears where the data came from, and what was left out.
        data: The tasks, where they are loaded already.
        methods: The only methods that will be trained, with the settings they have; none means
            the experiment's, which are then checked at the boundaries of their search spaces.

    Raises:
        UserError: Anything wrong with the settings or the data.
    """
    use_threads(experiment)
    device = device_of(experiment)
    if methods is None:
        spaces(experiment)
    if data is None:
        data = load_tasks(experiment.tasks, experiment.data, say=progress.note)
    settings = experiment.backbone
    checkpoint = Checkpoint.open(settings.name, settings.layers)
    tokenizer = checkpoint.load_tokenizer()
    base_model = checkpoint.load_backbone().to(device)
    base_model.implementation = settings.attention
    left_out: Mapping[str, str] = {}
    if methods is None:
        experiment, left_out = attachable(experiment, base_model.cfg)
        for name, why in left_out.items():
            progress.note(f"{name}: left out, {why}")
        methods = [one for settings in candidates(experiment).values() for one in settings]
    templates = [
        verbalizers(task.task, experiment, checkpoint, tokenizer, base_model) for task in data
    ]
    for method in methods:
        with own_fault():
            check_room(method, base_model.cfg, experiment, max_soft_tokens(templates))
    context = RunContext(
        experiment,
        checkpoint,
        base_model,
        tokenizer,
        store,
        progress,
    )
    tasks = {
        task.task.name: prepare(task, context, choices)
        for task, choices in zip(data, templates, strict=True)
    }
    for prepared in tasks.values():
        for method in methods:
            with own_fault():
                method.prepare(prepared.ids, prepared.task.labels)
    _freeze_heap()
    classes = {method.name: type(method) for method in methods}
    return PreparedRun(context, tasks, {**left_out_of(data), **left_out}, classes)


def use_threads(experiment: Experiment) -> None:
    """Compute with as many threads as asked for; 0 takes all cores that the process may use.

    The processes of one training share these.
    """
    share = max(1, usable_cores() // experiment.train.devices)
    torch.set_num_threads(experiment.train.threads or share)


def workers_of(experiment: Experiment) -> int:
    """How many jobs run at a time: as many as were asked for, or as have GPUs or cores."""
    if experiment.workers:
        return experiment.workers
    on_gpu = device_of(experiment).type == "cuda"
    there = torch.cuda.device_count() if on_gpu else usable_cores()
    return max(1, there // experiment.train.devices)


def usable_cores() -> int:
    """The cores that this process may use; where the system cannot say (macOS), all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _freeze_heap() -> None:
    """What is loaded by now stays: the collections after each run need not walk through it."""
    gc.collect()
    gc.freeze()
