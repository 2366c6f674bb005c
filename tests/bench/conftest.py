"""The benchmark's files by name, and a checkpoint small enough to train in a second."""

import functools
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.small import make_folder

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="session")
def bench() -> Iterator[dict[str, ModuleType]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        names = ("bench_peers", "sides", "ways", "training", "scores", "table", "speed")
        yield {
            name: import_module(name if name == "bench_peers" else f"peer_{name}") for name in names
        }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("peers") / "bert")


@pytest.fixture(scope="session")
def sides(bench: dict[str, ModuleType], folder: Path) -> Any:
    return bench["sides"].Sides(str(folder))


@pytest.fixture(scope="session")
def material(bench: dict[str, ModuleType], folder: Path, sides: Any) -> Callable[..., Any]:
    """Loads a task's pocket stand-in."""

    @functools.cache
    def load(task: str, rows: int = 72, test_rows: int = 40) -> Any:
        argv = ["--data", "pocket", "--backbone", str(folder)]
        argv += ["--rows", str(rows), "--test-rows", str(test_rows)]
        arguments = bench["bench_peers"].parser().parse_args(argv)
        return bench["bench_peers"].material(arguments, sides, task)

    return load
