"""Energy of a stretch of work, from counters that the hardware keeps: never an estimate.

    processors    RAPL, as Linux has it under /sys/class/powercap: the packages, and their memory
                  where that is a counter of its own (mostly only root may read them)
    GPU           NVML's total of the device (Volta and later), where `pynvml` is installed

A counter is the whole device's: what else runs on it is counted too. A RAPL counter starts again at
0 once it has reached its range, after a quarter of an hour under full load on a large machine. So
it is read again and again meanwhile, and each step back is taken for one such start.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch

POWERCAP = Path("/sys/class/powercap")
EVERY = 20.0
"""Seconds between two looks: a counter of the least range, 65 kJ, lasts that long at 3 kW."""
GPU = "gpu"


@dataclass
class Energy:
    """Filled when the stretch ends: joules by counter; empty where none could be read."""

    joules: Mapping[str, float] = field(default_factory=dict)


class Rapl:
    """A zone of the powercap tree, whose counter starts again at 0 beyond its range."""

    def __init__(self, zone: Path, name: str) -> None:
        """Begin at what it says now.

        Args:
            zone: Its folder.
            name: What it counts.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no counter.
        """
        self.name = name
        self._file = zone / "energy_uj"
        self._range = int((zone / "max_energy_range_uj").read_text())
        self._last, self._total = self._read(), 0

    def joules(self) -> float:
        """Energy since it was opened; to be asked for once in each range at least."""
        now = self._read()
        self._total += now - self._last + (self._range if now < self._last else 0)
        self._last = now
        return self._total / 1e6

    def _read(self) -> int:
        return int(self._file.read_text())


class Nvml:
    """A GPU's own total, in millijoules since its driver was loaded."""

    name = GPU

    def __init__(self, device: torch.device) -> None:
        """Begin at what it says now.

        Args:
            device: As torch numbers it, which need not be NVML's number.

        Raises:
            Exception: Of NVML's own kinds, or there is no `pynvml`.
        """
        self._nvml: Any = importlib.import_module("pynvml")
        self._nvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        self._handle = self._nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        self._first = self._read()

    def joules(self) -> float:
        """Energy since it was opened."""
        try:
            return (self._read() - self._first) / 1e3
        except self._nvml.NVMLError as error:
            raise OSError(str(error)) from error

    def _read(self) -> int:
        return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))


Counter = Rapl | Nvml


def counters(device: torch.device) -> list[Counter]:
    """What can be read here, from now on: the processors' counters, and that of the GPU in use."""
    try:
        opened: list[Counter] = [Rapl(zone, name) for zone, name in _zones()]
    except (OSError, ValueError):
        opened = []  # some of the packages would be a part of the energy, and look like all of it
    if device.type == "cuda":
        try:
            opened.append(Nvml(device))
        except Exception:  # an import, a version, a driver, a device that is a part of one
            return []
    return opened


def _zones() -> Iterator[tuple[Path, str]]:
    """The zones that add up to the processors and their memory, none of them within another.

    Of a package's own parts only the memory lies beside it; what speaks for the whole machine
    (psys) has the packages in it.
    """
    packages = {
        zone.name: name
        for zone in sorted(POWERCAP.glob("intel-rapl:*"))
        if (name := (zone / "name").read_text().strip()).startswith("package")
    }
    for package, name in packages.items():
        yield POWERCAP / package, name
        for zone in sorted(POWERCAP.glob(f"{package}:*")):
            if (zone / "name").read_text().strip() == "dram":
                yield zone, f"{name} dram"


@contextmanager
def metered(device: torch.device, *, wanted: bool = True) -> Iterator[Energy]:
    """Count the energy between entering and leaving.

    Args:
        device: Where the work is done.
        wanted: Whether to; where others work on the machine too, nobody can tell theirs apart.
    """
    energy = Energy()
    opened = counters(device) if wanted else []
    if not opened:
        yield energy
        return
    over, failed = Event(), list[OSError | ValueError]()

    def look() -> None:
        try:
            energy.joules = {counter.name: counter.joules() for counter in opened}
        except (OSError, ValueError) as error:
            failed.append(error)

    def watch() -> None:
        while not over.wait(EVERY):
            look()

    thread = Thread(target=watch, name="tunebench-energy", daemon=True)
    thread.start()
    try:
        yield energy
    finally:
        over.set()
        thread.join()
        look()
        if failed:
            energy.joules = {}
