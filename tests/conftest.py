"""What all tests share: a tiny encoder and a tiny decoder, and no network."""

import os
import signal
from collections.abc import Iterator

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():
    # Without a GPU Triton kernels run in its interpreter, which is chosen at triton's first import.
    os.environ.setdefault("TRITON_INTERPRET", "1")

from tunebench.backbone.config import BackboneConfig

from tests.tiny import CONFIGS

# A shell gives what it starts in the background no Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test asserts a time: a slow machine is no failure.
settings.register_profile("tunebench", deadline=None)
settings.load_profile("tunebench")


# Workers side by side share the cores: each takes its part of them, and no more.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
torch.set_num_threads(max(1, torch.get_num_threads() // WORKERS))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test runs stays in its process, unless it asks for several workers."""
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two threads even where workers share the cores: for what must not depend on their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=sorted(CONFIGS))
def cfg(request: pytest.FixtureRequest) -> BackboneConfig:
    return CONFIGS[request.param]
