"""Energy from planted counters: what adds up, what starts again, and what cannot be known."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tunebench.measure import energy
from tunebench.measure.energy import counters, metered

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
RANGE = 65_000_000_000
"""Microjoules after which a planted counter starts again."""


class Tree:
    """Linux's powercap folder, as a machine of two packages has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.zones = {
            "intel-rapl:0": "package-0",
            "intel-rapl:0:0": "core",
            "intel-rapl:0:1": "dram",
            "intel-rapl:1": "package-1",
            "intel-rapl:2": "psys",
            "intel-rapl-mmio:0": "package-0",
        }
        for zone, name in self.zones.items():
            (folder / zone).mkdir()
            (folder / zone / "name").write_text(f"{name}\n")
            (folder / zone / "max_energy_range_uj").write_text(f"{RANGE}\n")
            self.set(zone, 1_000_000)

    def set(self, zone: str, microjoules: int) -> None:
        beside = self.folder / "beside"
        beside.write_text(f"{microjoules}\n")
        beside.rename(self.folder / zone / "energy_uj")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    return Tree(tmp_path)


def test_packages_and_their_memory_add_up_and_nothing_counts_twice(tree: Tree) -> None:
    with metered(CPU) as counted:
        for number, zone in enumerate(tree.zones, start=2):
            tree.set(zone, number * 1_000_000)
    # What spoke for a core, for the whole machine and for the package a second time is left out.
    assert counted.joules == {"package-0": 1.0, "package-0 dram": 3.0, "package-1": 4.0}


def test_a_counter_that_started_again_goes_on_where_its_range_ends(tree: Tree) -> None:
    tree.set("intel-rapl:0", RANGE - 2_000_000)
    with metered(CPU) as counted:
        tree.set("intel-rapl:0", 5_000_000)
    assert counted.joules["package-0"] == pytest.approx(7.0)
    assert counted.joules["package-1"] == 0.0


def test_one_that_starts_again_several_times_is_followed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added up is the distance, and not the last value less the first."""
    monkeypatch.setattr(energy, "EVERY", 0.002)
    steps, place, travelled = 12, 1_000_000, 0
    with metered(CPU) as counted:
        for _ in range(steps):
            place, travelled = (place + RANGE // 3) % RANGE, travelled + RANGE // 3
            seen = counted.joules
            tree.set("intel-rapl:0", place)
            deadline = time.monotonic() + 5
            while counted.joules == seen and time.monotonic() < deadline:
                time.sleep(0.001)
    assert counted.joules["package-0"] == pytest.approx(travelled / 1e6)
    assert travelled > 3 * RANGE
    assert not [one for one in threading.enumerate() if one.name == "tunebench-energy"]


def test_what_only_root_may_read_is_not_measured(tree: Tree) -> None:
    (tree.folder / "intel-rapl:1" / "energy_uj").unlink()
    with metered(CPU) as counted:
        pass
    assert counted.joules == {}, "one package of two would look like all of it"


def test_a_counter_that_goes_away_meanwhile_leaves_no_number(tree: Tree) -> None:
    with metered(CPU) as counted:
        (tree.folder / "intel-rapl:0" / "energy_uj").unlink()
    assert counted.joules == {}


def test_without_counters_or_where_they_are_not_wanted_nothing_runs(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threading.active_count()
    with metered(CPU, wanted=False) as counted:
        assert threading.active_count() == before
    assert counted.joules == {}
    monkeypatch.setattr(energy, "POWERCAP", tmp_path / "none")
    with metered(CPU) as counted:
        assert threading.active_count() == before
    assert counted.joules == {}


def test_a_failure_of_the_work_is_its_own_and_ends_the_reading(tree: Tree) -> None:
    with pytest.raises(KeyboardInterrupt), metered(CPU):
        raise KeyboardInterrupt
    assert not [one for one in threading.enumerate() if one.name == "tunebench-energy"]


class Refused(Exception):
    """Of NVML's kind."""


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """NVML of one GPU, which it knows by its UUID alone."""
    made = SimpleNamespace(millijoules=500, asked=[], NVMLError=Refused)

    def read(handle: str) -> int:
        if made.millijoules is None:
            raise Refused("GPU is lost")
        return int(made.millijoules)

    made.nvmlInit = lambda: None
    made.nvmlDeviceGetHandleByUUID = lambda uuid: made.asked.append(uuid) or uuid
    made.nvmlDeviceGetTotalEnergyConsumption = read
    monkeypatch.setitem(sys.modules, "pynvml", made)
    properties = {0: SimpleNamespace(uuid="11-22"), 1: SimpleNamespace(uuid="33-44")}
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: properties[device.index]
    )
    return made


def test_a_gpu_is_asked_by_its_uuid_and_stands_beside_the_processors(
    tree: Tree, nvml: SimpleNamespace
) -> None:
    with metered(torch.device("cuda", 1)) as counted:
        nvml.millijoules = 9_500
        tree.set("intel-rapl:0", 3_000_000)
    assert nvml.asked == ["GPU-33-44"]
    assert counted.joules == {
        "package-0": 2.0,
        "package-0 dram": 0.0,
        "package-1": 0.0,
        "gpu": 9.0,
    }


def test_work_on_a_gpu_without_its_counter_is_not_measured_by_the_processors(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, nvml: SimpleNamespace
) -> None:
    with metered(GPU) as counted:
        nvml.millijoules = None
    assert counted.joules == {}
    assert counters(GPU) == []
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert counters(GPU) == []
