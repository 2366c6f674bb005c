"""What both sides train on, and the one loop that trains them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers.trainer_pt_utils import get_length_grouped_indices
from tunebench import Classifier
from tunebench.config import DataSettings, TrainSettings
from tunebench.data.load import load_task
from tunebench.data.split import train_validation_split
from tunebench.data.tasks import Examples, Task
from tunebench.data.text.batches import Batch, Batches
from tunebench.data.text.tokens import encode
from tunebench.objectives import get_objective
from tunebench.training.prepare import SPLIT_SEED, Split

BATCH = 32
CLIP = TrainSettings().clip


@dataclass(frozen=True)
class Material:
    """A task's rows as both sides get them."""

    task: Task
    source: str
    digest: str
    train: Split
    test: Split

    @property
    def settings(self) -> dict[str, Any]:
        """The classifier's: objective, outputs, and the scale of the training labels."""
        objective = get_objective(self.task.objective)
        return {
            "objective": objective,
            "outputs": objective.outputs(self.task),
            "scale": objective.scale(self.train.rows.labels),
        }

    @property
    def batches(self) -> Batches:
        """Makes a batch of training rows."""
        return self.train.batches(self.task, BATCH, scale=self.settings["scale"])

    @property
    def lengths(self) -> list[int]:
        """Tokens of each training row."""
        return [len(row) for row in self.train.encoded.ids]


def load(
    name: str,
    tokenizer: Tokenizer,
    *,
    data: DataSettings,
    rows: int,
    test_rows: int,
    max_length: int,
) -> Material:
    """A task's training rows, drawn as a winner's are, and its test rows.

    Args:
        name: The task.
        tokenizer: The checkpoint's.
        data: Where to look.
        rows: Training rows at most.
        test_rows: Test rows at most, the first of the file; 0 means all.
        max_length: Tokens of a text at most; a longer one is cut.
    """
    task_data = load_task(name, data)
    fit, aside = train_validation_split(
        task_data.train, task_data.task, share=0.2, most=1000, cap=rows, seed=SPLIT_SEED
    )
    test = task_data.test.take(
        list(range(min(test_rows or len(task_data.test), len(task_data.test))))
    )

    def split(examples: Examples) -> Split:
        return Split(examples, encode(tokenizer, examples.texts, max_length=max_length, pairs=True))

    return Material(
        task_data.task, task_data.source, task_data.digest, split(fit.joined(aside)), split(test)
    )


class Learner:
    """A classifier's training, one optimizer step at a time."""

    def __init__(self, classifier: Classifier, steps: int) -> None:
        """Take the classifier's own optimizer and schedule for so many steps."""
        # All that `configure_optimizers` asks of a trainer.
        classifier.trainer = SimpleNamespace(estimated_stepping_batches=steps, precision="32-true")
        made = classifier.configure_optimizers()
        classifier.trainer = None
        self.classifier = classifier.train()
        self.optimizer, self.schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
        self.weights = [p for group in self.optimizer.param_groups for p in group["params"]]

    def step(self, batch: Batch | Mapping[str, Tensor]) -> float:
        """One batch, packed or padded; its loss before the step.

        Raises:
            FloatingPointError: The loss is no finite number.
        """
        self.optimizer.zero_grad()
        loss = self.classifier.training_step(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, CLIP)
        self.optimizer.step()
        self.schedule.step()
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss became {value}")
        return value


def passing(lengths: Sequence[int], order: str, seed: int, number: int) -> list[list[int]]:
    """The rows of each batch of one pass, the same for both sides.

    Args:
        lengths: Tokens of each row.
        order: "random", or "grouped" as transformers' Trainer groups rows of equal length.
        seed: Of the training.
        number: Of the pass.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
    if order == "grouped":
        rows = get_length_grouped_indices(list(lengths), BATCH, generator=generator)
    else:
        rows = torch.randperm(len(lengths), generator=generator).tolist()
    return [rows[begin : begin + BATCH] for begin in range(0, len(rows), BATCH)]
