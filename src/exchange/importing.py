"""Reads a folder of PEFT or of AdapterHub, whichever its settings belong to, and attaches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..backbone.model import Backbone
from ..errors import UserError
from .adapterhub import import_adapters
from .folder import PEFT, open_settings
from .names import PeftNames
from .parts import Imported
from .peft import import_peft

READERS: Mapping[str, Callable[[Path, Backbone, PeftNames], Imported]] = {
    "peft_type": import_peft,
    "config": import_adapters,
}
"""A setting that every folder of one library has and none of the other's, to what reads it."""


def import_folder(folder: Path, backbone: Backbone, names: PeftNames) -> Imported:
    """Attach what a folder holds to a fresh backbone.

    Raises:
        UserError: It is of neither library, is not readable, or does not fit this backbone.
    """
    settings = open_settings(folder, PEFT)
    for mark, read in READERS.items():
        if mark in settings:
            return read(folder, backbone, names)
    raise UserError(
        f"{folder / PEFT.settings} is neither PEFT's, which has a 'peft_type', "
        "nor of adapters, which has a 'config'"
    )
