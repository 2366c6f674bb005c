"""`run_once`: one method with fixed settings on one task, without Optuna and without MLflow."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..checkpoints.load import digest, load_backbone
from ..config import Experiment
from ..data.load import load_task
from ..data.text.tokens import load_tokenizer
from ..methods.base import Method
from ..progress import Progress, Quiet
from ..records import Result
from ..store.store import PlannedCell, Store
from ..training.context import RunContext
from ..training.device import device_of
from ..training.prepare import check_room, prepare
from ..training.verbalizer import max_soft_tokens, verbalizers
from .cell import run_cell


def run_once(
    task: str,
    method: Method,
    *,
    seed: int = 0,
    experiment: Experiment | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Train a method with the settings it has, test it, fold it and measure it.

    Args:
        task: A task's name, or a file of your own.
        method: Such as `get_method("lora")(rank=8)`.
        seed: Fixes the head's start, the method's start and the order of the data.
        experiment: Backbone, data, training and `search.epochs`; the defaults where none is given.
        out: Where adapter and predictions are kept; none throws them away.
        progress: Told what happens.

    Returns:
        The row that a comparison would hold for these settings.

    Raises:
        UserError: Anything wrong with the settings or the data, before any training.
    """
    experiment = experiment or Experiment()
    settings, device = experiment.backbone, device_of(experiment)
    base_model = load_backbone(settings.name, layers=settings.layers).to(device)
    base_model.implementation = settings.attention
    data, tokenizer = load_task(task, experiment.data), load_tokenizer(settings.name)
    posed = verbalizers(data.task, experiment, tokenizer, base_model)
    check_room(method, base_model.cfg, experiment, max_soft_tokens([posed]))
    name = f"{data.task.name}-{method.name}-seed{seed}"
    planned = PlannedCell(name, "once", data.task.name, method.name, seed)
    with tempfile.TemporaryDirectory() as nowhere:
        store = Store(Path(out or nowhere))
        identity = digest(settings.name, settings.layers)
        context = RunContext(
            experiment, base_model, identity, tokenizer, store, progress or Quiet()
        )
        return run_cell(context, prepare(data, context, posed), method, planned, None)
