"""What a method's training and serving take in operations, and what it leaves on the disk."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from ..backbone.model import Backbone
from ..data.text.batches import Batch
from ..measure.memory import mapped_apart
from ..methods.base import Method
from .memory import StepMemory, Training, step_memory
from .operations import ClosedForm, operations_by_torch
from .subjects import subjects


@dataclass(frozen=True)
class Counted:
    """Operations in closed form, and as torch counted them."""

    closed_form: int
    by_torch: int


@dataclass(frozen=True)
class Cost:
    """What one method costs on one batch."""

    method: str
    trained: int
    """Weights that train, the head's not."""
    memory: StepMemory
    training: Counted
    """A step, without the optimizer's own."""
    serving: Counted
    """A pass of the folded network."""
    file: int
    """Bytes of the adapter file, head included."""

    def stored(self, tasks: int, backbone: int) -> int:
        """Bytes of so many tasks on one backbone of so many bytes."""
        return backbone + tasks * self.file


def cost(base_model: Backbone, method: Method, batch: Batch) -> Cost:
    """Count a method's costs; nothing is trained but the steps that are counted.

    Raises:
        UserError: The backbone cannot have the method, or there is no closed form of a part of it.
    """
    memory = step_memory(base_model, method, batch)
    with mapped_apart():
        training = Training(base_model, method)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "adapter.safetensors"
            training.method.save(path, training.classifier)
            size = path.stat().st_size
        with ClosedForm(training.classifier) as form:
            by_torch = operations_by_torch(lambda: training.backward(batch))
        return Cost(
            method.name,
            method.trainable(base_model.cfg),
            memory,
            Counted(form.forward + form.backward, by_torch),
            _serving(base_model, method, batch),
            size,
        )


def _serving(base_model: Backbone, method: Method, batch: Batch) -> Counted:
    """Of a pass of the network that is served."""
    served = next(subjects(base_model, method)).classifier
    with torch.no_grad(), ClosedForm(served) as form:
        counted = operations_by_torch(lambda: served.logits(batch))
    return Counted(form.forward, counted)
