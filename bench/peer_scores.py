"""Scores beside PEFT: each training is a line of a file, and a line that is there is not run again.

A cell is a method on a task; a training is a cell, a seed and a side. What decides a training's
numbers is its identity, so a line of other settings is no line of this comparison.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peer_sides import Sides
from peer_training import BATCH, CLIP, Learner, Material, passing
from peer_ways import WAYS
from tunebench.data.text.batches import restore_order
from tunebench.objectives import get_objective

EPOCHS: Mapping[str, int] = {"sst2": 3, "stsb": 2}
SIDES = ("ours", "peft")
CELLS = tuple(f"{way}/{task}" for task in EPOCHS for way in WAYS)
SEEDS = (0, 1, 2)
PACKAGES = ("torch", "transformers", "peft", "tunebench")
EVALUATION_BATCH = 64

Record = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is to be trained, and on what."""

    sides: Sides
    checkpoint: str
    """The digest of the checkpoint's files."""
    materials: Mapping[str, Material]
    cells: Sequence[str]
    seeds: Sequence[int]

    def trainings(self) -> Iterator[Record]:
        """Identities, the two sides of a seed one after the other."""
        for cell in self.cells:
            for seed in self.seeds:
                for side in SIDES:
                    yield self.identity(cell, seed, side)

    def identity(self, cell: str, seed: int, side: str) -> Record:
        """All that decides a training's numbers, as JSON gives it back."""
        name, task = cell.split("/")
        way, material = WAYS[name], self.materials[task]
        ours = way.method().hyperparameters()
        return json.loads(
            json.dumps(
                {
                    "cell": cell,
                    "seed": seed,
                    "side": side,
                    "checkpoint": self.checkpoint,
                    "data": material.digest,
                    "rows": len(material.train.rows),
                    "test_rows": len(material.test.rows),
                    "epochs": EPOCHS[task],
                    "batch": BATCH,
                    "clip": CLIP,
                    "lr": way.lr,
                    "settings": ours if side == "ours" else {"lr": way.lr, **way.config},
                    "versions": {name: version(name) for name in PACKAGES},
                }
            )
        )


class Ledger:
    """Finished trainings, a JSON line each, written through to the disk as they end."""

    def __init__(self, path: Path) -> None:
        """Read what is there; the line that a kill has cut short counts for nothing."""
        self.path, self.records = path, []
        text = path.read_text("utf-8") if path.exists() else ""
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                self.records.append(json.loads(line))
            except ValueError:
                continue

    records: list[Record]

    def find(self, identity: Record) -> Record | None:
        """The training with this identity, where it is done."""
        for record in self.records:
            if all(record.get(key) == value for key, value in identity.items()):
                return record
        return None

    def add(self, record: Record) -> None:
        """One more line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if self._torn else "") + json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._torn = False
        self.records.append(record)


def run(plan: Plan, ledger: Ledger, say: Callable[[str], None]) -> list[Record]:
    """Every training of the plan, those that are there already from the ledger."""
    records = []
    for identity in plan.trainings():
        record = ledger.find(identity)
        if record is None:
            record = {**identity, **train(plan, identity)}
            ledger.add(record)
        named = f"{identity['cell']} seed {identity['seed']} {identity['side']}"
        say(f"{named}: {record['score']:.4f} ({record['seconds']:.0f} s)")
        records.append(record)
    return records


def train(plan: Plan, identity: Record) -> Record:
    """Train and test one side: its score, its answer to each test row, and its losses."""
    name, task = identity["cell"].split("/")
    way, material, seed = WAYS[name], plan.materials[task], identity["seed"]
    classifier = plan.sides.build(identity["side"], way, seed, **material.settings)
    begin = time.perf_counter()
    losses = fitted(classifier, material, seed, epochs=identity["epochs"])
    seconds = time.perf_counter() - begin
    predictions = predicted(classifier, material)
    objective = get_objective(material.task.objective)
    metrics = objective.score(material.task, predictions, material.test.rows.labels)
    return {
        "score": objective.mean_score(material.task, metrics),
        "metrics": metrics,
        "trained": way.method().trainable(plan.sides.base_model.cfg),
        "source": material.source,
        "seconds": seconds,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "losses": losses,
        "answers": predictions,
        "labels": list(material.test.rows.labels),
    }


def fitted(classifier: Any, material: Material, seed: int, *, epochs: int) -> list[float]:
    """Train in place on length-grouped batches; the loss of each step."""
    batches, lengths = material.batches, material.lengths
    passes = [passing(lengths, "grouped", seed, number) for number in range(epochs)]
    learner = Learner(classifier, sum(map(len, passes)))
    return [learner.step(batches.batch(rows)) for one in passes for rows in one]


def predicted(classifier: Any, material: Material) -> list[float]:
    """Each test row's class number or value, in the file's order; read in order of length."""
    loader = material.test.batches(material.task, EVALUATION_BATCH)
    groups = loader.alike(EVALUATION_BATCH)
    outputs = classifier.predict([loader.batch(group) for group in groups])
    objective = get_objective(material.task.objective)
    return objective.answers(restore_order(outputs, groups))
