"""Where a run trains, and whether what was asked for runs there: found out before any training."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

import torch
import torch.distributed as dist
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Trainer

from ..config import Experiment
from ..errors import UserError
from ..kernels import check_implementation


def device_of(experiment: Experiment) -> torch.device:
    """The device that Lightning trains on under these settings.

    Raises:
        UserError: There is no such accelerator here, or the asked attention does not run on it.
    """
    wanted = experiment.train.accelerator
    try:
        with quiet_lightning():
            trainer = Trainer(
                accelerator=wanted,
                devices=1,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
    except MisconfigurationException as error:
        raise UserError(f"train.accelerator={wanted}: {error}") from None
    device = trainer.strategy.root_device
    _check_devices(experiment.train.devices, device)
    asked = experiment.backbone.attention
    try:
        check_implementation(asked, device)
    except ValueError as error:
        raise UserError(f"backbone.attention={asked}: {error}") from None
    return device


def _check_devices(devices: int, device: torch.device) -> None:
    """Refuse more processes for a training than this device can have.

    Raises:
        UserError: There are fewer GPUs, or processes cannot share the work here.
    """
    gpus = torch.cuda.device_count()
    if device.type == "cuda" and devices > gpus:
        raise UserError(
            f"train.devices: must be at most the GPUs that are here, but got ({devices} > {gpus})"
        )
    if devices > 1 and (device.type not in ("cpu", "cuda") or not dist.is_available()):
        raise UserError(
            f"train.devices: must be 1 on {device.type} with this build of torch, but got {devices}"
        )


MUTED = (
    (
        "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
        FutureWarning,
        "Lightning 2.6 asks torch's tree library in the old way; nothing that a user can change",
    ),
    (
        "You defined a `validation_step` but have no `val_dataloader`",
        PossibleUserWarning,
        "the classifier has the step for other people's trainers; our runner judges after training",
    ),
    (
        "GPU available but not used",
        PossibleUserWarning,
        "`train.accelerator=cpu` was asked for, and every table says which device it was",
    ),
)
"""The warnings of Lightning that do not reach the user while a run trains, and why."""


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without the warnings in `MUTED`, and without Lightning's remarks below a warning.

    Those remarks say which hardware there is, that training ended after its epochs, and which
    other products there are. Every other warning gets through.
    """
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message, category, _ in MUTED:
                warnings.filterwarnings("ignore", message, category)
            yield
    finally:
        logger.setLevel(level)
