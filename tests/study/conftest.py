"""A tiny checkpoint, output folders whose databases are ready, and short latency measurements."""

import dataclasses
import functools
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tunebench.__main__ import main
from tunebench.study import doctor, executors, optuna_storage, publish
from tunebench.study import serving as serve
from tunebench.tracking.database import initialise

from tests import small, steady
from tests.study import filled

MakeOut = Callable[..., Path]
"""Makes an output folder by name."""
DATABASES = ("mlflow.db", "optuna.db")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
            )


@pytest.fixture(scope="session", autouse=True)
def settled_heap() -> Iterator[None]:
    """Every run collects garbage when it ends: what was imported need not be looked at again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("checkpoint") / "tiny-bert")


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Databases with tables and nothing else; making them takes seconds."""
    folder: Path = tmp_path_factory.mktemp("databases")
    initialise(folder / "mlflow.db")
    optuna_storage.storage(folder).engine.dispose()
    return folder


@pytest.fixture
def package_of_ray(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets another package stand for Ray's, which is not on every machine."""

    def package(name: str) -> None:
        needs = dataclasses.replace(executors.NEEDS["ray"], package=name)
        monkeypatch.setattr(executors, "NEEDS", {"ray": needs})

    return package


@pytest.fixture
def ray_is_here(package_of_ray: Callable[[str], None]) -> None:
    """As if it were."""
    package_of_ray("torch")


@pytest.fixture
def make_out(tmp_path: Path, databases: Path) -> MakeOut:
    """Makes an output folder by name, its databases ready."""

    def make(name: str = "runs") -> Path:
        (tmp_path / name).mkdir()
        for file in DATABASES:
            (tmp_path / name / file).write_bytes((databases / file).read_bytes())
        return tmp_path / name

    return make


@pytest.fixture
def out(make_out: MakeOut) -> Path:
    return make_out()


@pytest.fixture(autouse=True)
def brief_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "latency", steady.latency)
    monkeypatch.setattr(serve, "LATENCY_BATCHES", (1, 4))


class NoTracker:
    """Stands in for MLflow where a test is about something else."""

    def __init__(self, uri: str | None, out: Path) -> None:
        self.uri = uri
        self.notes: list[str] = []

    def prepare(self) -> str:
        return ""

    def sync(self, analysis: object, *, status: str) -> dict[str, str]:
        return {}

    def close(self, analysis: object, *, status: str) -> None:
        pass

    def run_ids(self, analysis: object) -> dict[str, str]:
        return {}

    def check(self, analysis: object) -> list[str]:
        return []


@pytest.fixture
def records_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither MLflow nor a report."""
    monkeypatch.setattr(publish, "Tracker", NoTracker)
    monkeypatch.setattr(doctor, "Tracker", NoTracker)
    monkeypatch.setattr(publish, "write", lambda *arguments: None)


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Types a line that ends well; what it printed."""

    def typed(*line: str) -> str:
        capsys.readouterr()
        assert main(list(line)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return typed


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test changes to, the next one starts where this one did."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def notes() -> list[str]:
    """The lines that Optuna's database gave."""
    return []


@pytest.fixture
def fill(notes: list[str]) -> Callable[..., list[int]]:
    """Fills a study by a made-up score, and gives the numbers of the trials that ran."""
    return functools.partial(filled.fill, notes=notes)
