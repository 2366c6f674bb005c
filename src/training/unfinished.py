"""A training under way, kept on disk: what was interrupted goes on where it was, bit for bit.

The file is Lightning's own checkpoint (trained weights, optimizer, schedule, loss scale, loops,
callbacks) and what Lightning leaves out: the state of every random generator (of each process,
where several train), the place in the order of the data, and what the training has cost so far.
Weights that do not train are not in it.

It is kept at the start of a batch, when everything about the one before is done: the step, its
place in the curve, and the judgement at the end of an epoch. No gradient is left over then, and
nothing happens twice. Of a training that was ever kept the end is kept too: who is
stopped while it is tested need not train anything again.
"""

from __future__ import annotations

import contextlib
import glob
import random
import time
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Callback, LightningModule, Trainer

from ..errors import UserError
from ..files import replacing, set_aside, writing
from .ranks import gathered, one_of_all
from .stops import Stops

EVERY = 60.0
"""Seconds between two checkpoints: a training that takes less leaves none."""
OURS = "tunebench"
"""The entry of the file that is not Lightning's."""


@dataclass(frozen=True)
class Position:
    """How far a training has come, and what it has cost."""

    step: int
    """Optimizer steps that are done."""
    passes: int
    """Passes over the data that are done."""
    parts: int
    """Parts of the pass under way that are done: batches, where these come whole."""
    seconds: float = 0.0
    memory_mib: float | None = None
    micro_batch: int | None = None
    """Examples in one pass through the model, where a batch came in parts."""


@dataclass
class Unfinished:
    """Where a training is kept, and what was found there."""

    path: Path
    key: str
    """Digest of all that decides what the training gives: settings, rows, code, packages."""
    note: Callable[[str], None]
    """Takes one line that the user should read."""
    every: float = EVERY
    """Seconds after which the training is kept again; 0 keeps every step."""
    clock: Callable[[], float] = time.monotonic
    """Gives seconds."""
    position: Position | None = None
    """Where the training goes on; none where it begins."""
    failure: str = ""
    """Why it could not be kept the last time; empty where it could."""
    _content: dict[str, Any] = field(default_factory=dict, repr=False)

    def open(self) -> None:
        """Read what is there. What does not fit this training is set aside, with a line."""
        self.forget()
        self._sweep()
        if not self.path.is_file():
            return
        try:
            content = read(self.path)
            ours = content[OURS]
            key, position = ours["key"], Position(**ours["position"])
        except Exception as error:  # whatever zip files and pickles of unknown make may raise
            self._aside(f"cannot be read ({type(error).__name__})")
            return
        if key != self.key:
            self._aside("was made with other code or settings")
            return
        self._content, self.position = content, position

    def take(self) -> dict[str, Any]:
        """What was read, which is then held no longer."""
        content, self._content = self._content, {}
        return content

    def forget(self) -> None:
        """Begin anew, whatever was read."""
        self._content, self.position = {}, None

    def _aside(self, reason: str) -> None:
        with writing(self.path):
            aside = set_aside(self.path)
        self.note(f"the checkpoint {reason}: set aside as {aside.name}; the training starts anew")

    def _sweep(self) -> None:
        """Remove what a process that was killed in the middle of writing left half-written."""
        for path in self.path.parent.glob(f".{glob.escape(self.path.name)}.*"):
            with contextlib.suppress(OSError):
                path.unlink()


def read(path: Path) -> dict[str, Any]:
    """A checkpoint, every byte of it held against its checksum.

    Raises:
        Exception: Of many kinds; the file is none, or damaged.
    """
    with zipfile.ZipFile(path) as file:
        damaged = file.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} is damaged")
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise ValueError("no checkpoint")
    return content


@runtime_checkable
class Spent(Protocol):
    """What a training has cost so far."""

    def seconds(self) -> float:
        """Seconds, those of judging and keeping not counted."""

    def memory_mib(self) -> float | None:
        """The highest memory; none where this system cannot tell."""


class WholeFile(CheckpointIO):
    """Writes Lightning's checkpoints whole or not at all; gives back what was read already.

    Lightning's own way goes through the folder for temporary files: where that is on another file
    system, a full disk destroys the checkpoint before (pytorch-lightning#21253).
    """

    def __init__(self, unfinished: Unfinished) -> None:
        """The training whose checkpoints they are."""
        self.unfinished = unfinished

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write beside, sync, rename; a training does not fail for want of room for it.

        Nothing is raised, since other processes of the training wait until this one has written.
        """
        self.unfinished.failure = ""
        try:
            with replacing(Path(path)) as beside, beside.open("wb") as file:
                torch.save(checkpoint, file)
        except (UserError, OSError, RuntimeError) as error:
            # torch has a RuntimeError for a disk that is full.
            self.unfinished.failure = " ".join(str(error).split())[:200]

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """What `Unfinished.open` read."""
        return self.unfinished.take()

    def remove_checkpoint(self, path: Any) -> None:
        """Remove one."""
        Path(path).unlink(missing_ok=True)


class Saver(Callback):
    """Keeps a training now and then, and when the process is asked to stop.

    It must be the first of the callbacks: what the others do as a batch starts is then done after
    the random generators are what they were.
    """

    def __init__(
        self,
        stops: Stops,
        unfinished: Unfinished | None,
        meter: Spent,
        *,
        accumulate: int = 1,
        micro_batch: int | None = None,
    ) -> None:
        """Keep nothing yet.

        Args:
            stops: Says whether the process is asked to stop.
            unfinished: Where the training is kept; none keeps it nowhere.
            meter: Says what the training has cost so far.
            accumulate: Parts of a whole batch.
            micro_batch: Examples in one part, where a batch comes in parts.
        """
        self.stops, self.unfinished, self.meter = stops, unfinished, meter
        self.accumulate, self.micro_batch = accumulate, micro_batch
        self.seconds = 0.0
        """What keeping has taken."""
        self._kept = 0 if unfinished is None or unfinished.position is None else -1
        """The last step that is on disk; -1 until it is known."""
        self._states: Sequence[Mapping[str, Any]] | None = None
        self._last = 0.0
        self._warned = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on Ctrl-C and SIGTERM wait for the end of a step."""
        self.stops.take_over()
        if self._kept < 0:
            self._kept = trainer.global_step
        if self.unfinished is not None:
            self._last = self.unfinished.clock()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        """Between two steps: go on with the random numbers where they were, or keep, or stop.

        Raises:
            KeyboardInterrupt: The process was asked to stop.
        """
        self._restore(trainer, pl_module.device)
        if batch_idx % self.accumulate:
            return
        asked = one_of_all(trainer, self.stops.asked)
        if self.unfinished is not None:
            due = asked or self.unfinished.clock() - self._last >= self.unfinished.every
            if one_of_all(trainer, due and trainer.global_step != self._kept):
                self._keep(trainer, self.unfinished)
        if asked:
            self._say_what_is_kept(trainer)
            self.stops.stop()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what is trained, unless the training was so short that it was never kept."""
        if self.unfinished is None:
            return
        since = self.unfinished.clock() - self._last
        due = self.stops.asked or self._kept > 0 or since >= self.unfinished.every
        if one_of_all(trainer, due):
            self._keep(trainer, self.unfinished)
        if self.stops.asked:
            self._say_what_is_kept(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End a training that had ended already: Lightning runs nothing of it, nor its end."""
        if self._states is not None:
            self._restore(trainer, pl_module.device)
            pl_module.on_train_end()

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what Lightning leaves out."""
        assert self.unfinished is not None
        loop = trainer.fit_loop.epoch_loop
        position = Position(
            trainer.global_step,
            trainer.current_epoch,
            loop.batch_progress.current.completed,
            self.meter.seconds(),
            self.meter.memory_mib(),
            self.micro_batch,
        )
        checkpoint[OURS] = {
            "key": self.unfinished.key,
            "position": dict(vars(position)),
            "random": gathered(random_states(pl_module.device), trainer.world_size),
        }

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remember the random generators until the first batch."""
        self._states = checkpoint[OURS]["random"]

    def _restore(self, trainer: Trainer, device: torch.device) -> None:
        """Put the random generators where a checkpoint had them, once."""
        if self._states is not None:
            restore_random_states(self._states[trainer.global_rank], device)
            self._states = None

    def _say_what_is_kept(self, trainer: Trainer) -> None:
        if self.unfinished is not None and self._kept == trainer.global_step > 0:
            steps = int(trainer.estimated_stepping_batches)
            self.unfinished.note(f"stopped; step {self._kept} of {steps} is kept")

    def _keep(self, trainer: Trainer, unfinished: Unfinished) -> None:
        begin = time.perf_counter()
        trainer.save_checkpoint(unfinished.path)
        if not unfinished.failure:
            self._kept = trainer.global_step
        elif not self._warned:
            self._warned = True
            unfinished.note(f"no checkpoint of it can be kept: {unfinished.failure}")
        self._last = unfinished.clock()
        self.seconds += time.perf_counter() - begin


@contextlib.contextmanager
def resuming() -> Any:
    """Without Lightning's advice on loaders that cannot be resumed: ours is put where it was."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "You're resuming from a checkpoint that ended before", PossibleUserWarning
        )
        yield


def random_states(device: torch.device) -> dict[str, Any]:
    """The state of every random generator that a training may draw from, as plain values."""
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002  (what others draw from)
    assert isinstance(legacy, dict)
    inner = legacy["state"]
    return {
        "python": random.getstate(),
        "numpy": legacy | {"state": {"key": inner["key"].tolist(), "pos": int(inner["pos"])}},
        "torch": torch.get_rng_state(),
        "device": _of_device(device),
    }


def restore_random_states(states: Mapping[str, Any], device: torch.device) -> None:
    """Put every generator where it was."""
    random.setstate(states["python"])
    legacy = states["numpy"]
    key = np.array(legacy["state"]["key"], dtype=np.uint32)
    np.random.set_state(legacy | {"state": legacy["state"] | {"key": key}})  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["device"])


def _of_device(device: torch.device) -> torch.Tensor | None:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None
