"""Where a run trains, and whether what was asked for runs there: found out before any training."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
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
    asked = experiment.backbone.attention
    try:
        check_implementation(asked, device)
    except ValueError as error:
        raise UserError(f"backbone.attention={asked}: {error}") from None
    return device


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without Lightning's remarks on loaders and accelerators, which speak of other set-ups."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        logger.setLevel(level)
