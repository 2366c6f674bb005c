"""All that a cell's figures may depend on besides what was asked for: where and by what it ran.

The origin (`origin.py`) is the part that decides whether a record still counts. Threads, the
processor's instructions and Python belong to the environment alone: they may move a figure in its
last digits, and a record is not made again for them.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping

import torch

from .. import __version__


def environment(
    origin: Mapping[str, str], device: torch.device, devices: int = 1
) -> dict[str, str]:
    """What a record of this origin is made in, here and now, by so many processes a training."""
    here = {
        **origin,
        "tunebench": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": str(torch.get_num_threads()),
    }
    if devices > 1:
        here["devices"] = str(devices)
    if device.type == "cpu":
        here["instructions"] = torch.backends.cpu.get_cpu_capability()
    if device.type == "cuda":
        here["cuda"] = str(torch.version.cuda)
    return here
