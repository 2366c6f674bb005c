"""The twins, each saved once."""

import os
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
from tunebench.exchange.peft import export_peft

from tests.exchange.twins import CONFIGS, Twin


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Twin]:
    return {kind: Twin(kind, tmp_path_factory.mktemp("twin")) for kind in CONFIGS}


@pytest.fixture
def twin(twins: dict[str, Twin], kind: str) -> Twin:
    return twins[kind]


@pytest.fixture
def folder(twins: dict[str, Twin], tmp_path: Path) -> Path:
    """A sound LoRA folder for BERT."""
    method, backbone = twins["bert"].attached("lora", rank=4)
    export_peft(tmp_path, method, backbone, twins["bert"].names)
    return tmp_path
