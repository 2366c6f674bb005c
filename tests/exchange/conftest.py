"""The twins, each saved once."""

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest

from tests.exchange.twins import CONFIGS, Twin


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Twin]:
    return {kind: Twin(kind, tmp_path_factory.mktemp("twin")) for kind in CONFIGS}


@pytest.fixture
def twin(twins: dict[str, Twin], kind: str) -> Twin:
    return twins[kind]
