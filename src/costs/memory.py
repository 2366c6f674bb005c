"""The memory of a training step: counted by what it is, and held against the measured peak.

Two optimizer steps on one batch, the first of which makes the optimizer's state. They run three
times: once so that what a first run leaves behind is there, once measured, once counted; counting
slows a step down and holds nothing that it would not hold.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from ..backbone.model import Backbone
from ..data.text.batches import Batch
from ..measure.allocations import Allocations, Kind
from ..measure.memory import MIB, mapped_apart, peak_memory
from ..methods.base import Method, trained
from ..training.classifier import Classifier

STEPS = 2


@dataclass(frozen=True)
class StepMemory:
    """Bytes at the moment of a step when most are held, by what they are."""

    weights: int
    """The backbone's, the method's and the head's."""
    gradients: int
    optimizer: int
    activations: int
    """What the backward pass still needs of the forward pass."""
    working: int
    """What operators have just made."""
    measured: int | None
    """The rise of the process's peak, or of the GPU's allocator; none where it cannot be read."""

    @property
    def counted(self) -> int:
        """All of it."""
        kinds = (self.weights, self.gradients, self.optimizer, self.activations, self.working)
        return sum(kinds)

    @property
    def explained(self) -> float | None:
        """Counted by measured."""
        return self.counted / self.measured if self.measured else None


def step_memory(base_model: Backbone, method: Method, batch: Batch) -> StepMemory:
    """The memory that training the method takes on a batch.

    Raises:
        UserError: The backbone cannot have the method.
    """
    device = base_model.embedding.weight.device
    with mapped_apart():
        Training(base_model, method).run(batch)
        measured = _rise(lambda: Training(base_model, method).run(batch), device)
        # Freed heap would take the next method's tensors, large ones too.
        peak = Training(base_model, method).count(batch).peak
    kinds: tuple[Kind, ...] = get_args(Kind)
    return StepMemory(**{kind: peak.get(kind, 0) for kind in kinds}, measured=measured)


def _rise(work: Callable[[], object], device: torch.device) -> int | None:
    """Bytes by which the peak during some work is above what was held before it."""
    with peak_memory(device) as before:
        pass
    held = torch.cuda.memory_allocated(device) / MIB if device.type == "cuda" else before.mib
    with peak_memory(device) as during:
        work()
    if held is None or during.mib is None:
        return None
    return round((during.mib - held) * MIB)


class Training:
    """A classifier that has the backbone's weights for itself, and its optimizer."""

    def __init__(self, base_model: Backbone, method: Method) -> None:
        """Attach a method of these settings; random, by seed 0."""
        torch.manual_seed(0)
        self.classifier = Classifier(copy.deepcopy(base_model), lr=1e-3)
        self.method = type(method)(**method.hyperparameters())
        self.method.attach(self.classifier.backbone)
        self.classifier.to(base_model.embedding.weight.device).train()
        self.weights = list(trained(self.classifier).values())
        self.optimizer = torch.optim.AdamW(self.weights, lr=1e-3, fused=True)

    def backward(
        self, batch: Batch, saving: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """One pass forward and one back; the first is run in `saving`."""
        targets = torch.zeros(batch.layout.sequences, dtype=torch.int64, device=batch.ids.device)
        with saving():
            loss = self.classifier.loss(self.classifier.logits(batch), targets)
        torch.autograd.backward(loss)

    def run(
        self, batch: Batch, saving: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """Some optimizer steps."""
        for _ in range(STEPS):
            self.optimizer.zero_grad()
            self.backward(batch, saving)
            self.optimizer.step()

    def count(self, batch: Batch) -> Allocations:
        """The same, counted."""
        fixed = [*self.classifier.parameters(), *self.classifier.buffers()]
        allocations = Allocations({"weights": fixed})

        def is_gradient(weight: Tensor) -> None:
            assert weight.grad is not None
            allocations.mark(weight.grad, "gradients")

        def is_state(*_: object) -> None:
            for state in self.optimizer.state.values():
                for value in state.values():
                    if isinstance(value, Tensor):
                        allocations.mark(value, "optimizer")

        weights: list[Any] = self.weights  # torch does not type this hook
        hooks = [weight.register_post_accumulate_grad_hook(is_gradient) for weight in weights]
        self.optimizer.register_step_post_hook(is_state)
        with allocations:
            self.run(batch, allocations.saving)
        for hook in hooks:
            hook.remove()
        return allocations
