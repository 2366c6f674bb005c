"""The cost lab on an experiment's backbone and methods: nothing is trained, nothing is recorded.

It holds the folder of results while it measures, so that no comparison of that folder runs beside
it. What else runs on the machine shows in the verdict on noise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..backbone.model import Backbone
from ..checkpoints.checkpoint import Checkpoint
from ..config import Experiment
from ..costs.grid import Grid
from ..costs.latency import LatencyLab, Point
from ..costs.texts import padding_share, random_batch, served_batch
from ..costs.work import Cost, cost
from ..data.load import load_tasks
from ..data.text.batches import Batch
from ..data.text.tokens import Encoded
from ..errors import UserError
from ..files import file_lock
from ..methods.base import Method
from ..progress import Progress
from ..training.context import read_texts
from ..training.device import device_of
from .candidates import attachable, candidates
from .cell import device_name, versions
from .prepare_run import use_threads

SERVED = 512
"""Test texts at most from which those of their own lengths are taken."""


@dataclass(frozen=True)
class Laboratory:
    """A backbone and the methods that it can have."""

    experiment: Experiment
    checkpoint: Checkpoint
    base_model: Backbone
    methods: tuple[Method, ...]
    left_out: Mapping[str, str]
    """Each method that the backbone cannot have, and why not."""

    @classmethod
    def open(cls, experiment: Experiment, progress: Progress) -> Laboratory:
        """Load the backbone, and leave out what it cannot have.

        Raises:
            UserError: Anything wrong with the settings; or no method is left.
        """
        use_threads(experiment)
        device, settings = device_of(experiment), experiment.backbone
        checkpoint = Checkpoint.open(settings.name, settings.layers)
        base_model = checkpoint.load_backbone().to(device)
        base_model.implementation = settings.attention
        experiment, left_out = attachable(experiment, base_model.cfg)
        for name, why in left_out.items():
            progress.note(f"{name}: left out, {why}")
        methods = tuple(one for (one, *_) in candidates(experiment).values())
        return cls(experiment, checkpoint, base_model, methods, left_out)

    @property
    def origin(self) -> dict[str, object]:
        """What the figures belong to."""
        settings = self.experiment.backbone
        return {
            "backbone": settings.name,
            "layers": settings.layers,
            "backbone_digest": self.checkpoint.digest,
            "device": device_name(self.base_model.embedding.weight.device),
            "versions": dict(versions()),
            "methods": {method.name: method.hyperparameters() for method in self.methods},
            "left_out": dict(self.left_out),
        }

    def texts(self, progress: Progress) -> Encoded:
        """Real texts: test rows of the experiment's task, with room for every method."""
        (data,) = load_tasks(self.experiment.tasks, self.experiment.data, say=progress.note)
        cfg = self.base_model.cfg
        room = cfg.context - max(method.inserted(cfg) for method in self.methods) - 1
        return read_texts(
            data.test.texts[:SERVED],
            self.checkpoint.load_tokenizer(),
            cfg,
            max_length=min(self.experiment.data.max_length, room),
            template=None,
        )

    def language_head(self) -> nn.Module | None:
        """From states to the vocabulary, for a decoder whose checkpoint has one."""
        if not self.base_model.cfg.causal:
            return None
        try:
            return self.checkpoint.load_language_head(self.base_model)
        except UserError:
            return None

    def latency(self, grid: Grid, progress: Progress) -> Iterator[Point]:
        """Time the methods beside the base model, a point of the grid after the other."""
        lab = LatencyLab(self.base_model, self.methods, self.texts(progress), self.language_head())
        points = len(grid.batches) * len(grid.lengths) * len(lab.kinds(grid)) * len(lab.subjects)
        progress.note(f"{points} points, about {grid.seconds:g} s each at most")
        yield from lab.points(grid, progress)

    @property
    def bytes(self) -> int:
        """The backbone's files."""
        return sum(file.stat().st_size for file in self.checkpoint.source_files())

    def batch(self, texts: int, tokens: int | None, progress: Progress) -> tuple[Batch, float]:
        """Texts of one length, or real ones; and the share of padding that packing saves.

        Raises:
            UserError: The context has no room for the length beside what a method inserts.
        """
        cfg = self.base_model.cfg
        if tokens is None:
            made = served_batch(self.texts(progress), texts)
            return made.to(self.base_model.embedding.weight.device), padding_share(made)
        room = cfg.context - max(method.inserted(cfg) for method in self.methods)
        if tokens > room:
            raise UserError(
                f"--length: must be at most {room}, which these methods leave of a context of "
                f"{cfg.context}, but got {tokens}"
            )
        return random_batch(cfg, texts, tokens).to(self.base_model.embedding.weight.device), 0.0

    def costs(self, batch: Batch, progress: Progress) -> Iterator[Cost]:
        """What each method's training and serving take on a batch."""
        for method in self.methods:
            progress.note(f"counting {method.name}")
            yield cost(self.base_model, method, batch)


@contextlib.contextmanager
def laboratory(experiment: Experiment, progress: Progress) -> Iterator[Laboratory]:
    """A laboratory that has the folder of results for itself.

    Raises:
        UserError: Anything wrong with the settings, or another run works in the folder.
    """
    with file_lock(Path(experiment.out)):
        yield Laboratory.open(experiment, progress)
