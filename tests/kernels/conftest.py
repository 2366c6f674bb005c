"""The kernels run in Triton's interpreter here, or on the GPU where there is one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
import torch

GPU = torch.cuda.is_available()
if not GPU:
    late = "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1"
    if late:
        raise pytest.UsageError("TRITON_INTERPRET=1 must be set before anything imports triton")
    os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture
def device() -> torch.device:
    """Where the kernels run."""
    return torch.device("cuda" if GPU else "cpu")


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Every test draws the same numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        yield
