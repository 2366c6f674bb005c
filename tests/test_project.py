"""The project's own files agree with each other and with what is installed."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tunebench import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
DIRECT = [Requirement(line) for line in (*PROJECT["project"]["dependencies"], *EXTRAS["test"])]
DOCS = [Requirement(line) for line in EXTRAS["docs"]]
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
}


def test_every_folder_of_the_source_is_a_package_that_is_shipped() -> None:
    folders = {path.parent for path in (ROOT / "src").rglob("*.py")}
    names = {".".join(("tunebench", *f.relative_to(ROOT / "src").parts)) for f in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == names


def test_every_file_beside_the_source_is_shipped_as_data() -> None:
    source = ROOT / "src"
    beside = {f for f in source.rglob("*") if f.is_file() and f.suffix not in {".py", ".pyc"}}
    shipped = PROJECT["tool"]["setuptools"]["package-data"]["tunebench"]
    assert {str(file.relative_to(source)) for file in beside} == set(shipped)


def test_the_version_is_written_once_in_two_places() -> None:
    assert PROJECT["project"]["version"] == __version__


@pytest.mark.parametrize("requirement", [*DIRECT, *DOCS], ids=str)
def test_a_direct_requirement_is_pinned_as_the_constraints_say(requirement: Requirement) -> None:
    assert str(requirement.specifier) == f"=={PINS[canonicalize_name(requirement.name)]}"


@pytest.mark.parametrize("direct", [DIRECT, DOCS], ids=["set-up", "docs"])
def test_everything_that_set_up_brings_is_pinned(direct: list[Requirement]) -> None:
    if direct is DOCS:
        pytest.importorskip("sphinx", reason="Sphinx comes with `make setup-test`")
        pytest.importorskip("myst_parser", reason="MyST comes with `make setup-test`")
    todo, seen = [(r.name, frozenset(r.extras)) for r in direct], set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            wanted = {"", *extras}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in wanted):
                todo.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    unpinned = {canonicalize_name(name) for name, _ in seen} - set(PINS)
    # A torch for CUDA brings packages that it pins itself.
    pinned_by_torch = {name for name in unpinned if name.startswith(("nvidia-", "cuda-"))}
    assert unpinned - pinned_by_torch == set()


def test_weights_are_taken_by_hash() -> None:
    lines = (ROOT / "weights.txt").read_text("utf-8").splitlines()
    names = [line for line in lines if "==" in line]
    hashes = [line for line in lines if re.search(r"--hash=sha256:[0-9a-f]{64}$", line)]
    assert len(names) == len(hashes) == 2


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "src" / "py.typed").exists()


BESIDE = {
    "adapterhub": "the exchange beside the library itself, in an environment of its own",
    "bench": "mirrors bench/",
    "experiments": "mirrors experiments/",
    "mutants": "slips planted in the source, and what plants them",
    "parity": "the network beside transformers and PEFT, across rooms",
    "ui": "MLflow's pages in a browser",
}
"""Folders of tests that belong to no room of the source, with the reason."""
ACROSS = {
    "analysis/verdict/test_coverage.py": "the whole room on studies whose truth is known",
    "backbone/test_training.py": "network, loss and optimizer learn together",
    "data/test_own_file_properties.py": "own files drawn at random, read as a table and as a task",
    "exchange/test_families.py": "every file of the room on further families",
    "kernels/test_independence.py": "what no kernel's result may depend on",
    "kernels/test_mutations.py": "kernels with a part removed",
    "kernels/test_traffic.py": "the bytes that all kernels move",
    "kernels/test_training.py": "whole training runs through the kernels",
    "methods/test_families.py": "every method on further families",
    "methods/test_methods.py": "what every method must do",
    "methods/test_one_graph.py": "every method under torch.compile, in a process of its own",
    "methods/test_registry.py": "the folder as a registry",
    "objectives/test_registry.py": "the folder as a registry",
    "report/test_browser.py": "the page in a real browser",
    "study/test_devices.py": "comparisons whose trainings have several processes each",
    "study/test_epochs.py": "validation by epoch, of every method and through a comparison",
    "study/test_searches.py": "several searches through a whole comparison",
    "study/test_folds.py": "a cross-validation through a whole comparison",
    "study/test_failure.py": "a failing method through plan, jobs and records",
    "study/test_kill.py": "runs that are killed, through the whole room",
    "study/test_own_files.py": "a user's own files through a whole comparison",
    "study/test_predict_after_compare.py": "what compare stored is what predict answers",
    "study/test_predict_files.py": "what predict takes and gives after a comparison",
    "study/test_postgresql.py": "trials and runs on a real server",
    "study/test_pocket.py": "a whole run beats counting words on the pocket pack",
    "study/test_several_labels.py": "a toy objective through a whole comparison",
    "report/test_incomparable.py": "what does not compare, through every output",
    "study/test_leaks.py": "planted leaks of test rows, through a whole run",
    "study/test_seeds.py": "what a seed fixes under every method",
    "study/test_templates.py": "templates through a whole comparison",
    "study/test_unfinished.py": "interrupted trainings through a whole comparison",
    "training/test_unfinished_file.py": "the file of an interrupted training, damaged and cut off",
    "study/test_workers.py": "comparisons with several workers",
    "study/test_many_workers.py": "schedule, leases and leader with a thousand simulated workers",
    "study/test_kill_workers.py": "runs whose processes are killed, through the whole room",
    "study/test_many_commands.py": "several commands on one folder, on SQLite and on PostgreSQL",
    "study/test_unwritable.py": "runs in folders that can be written to no longer",
    "study/test_growth.py": "what a run with nothing left reads and asks, by its number of cells",
    "tracking/test_damaged_database.py": "a database is mended from the store",
    "tracking/test_folders.py": "several folders and one server",
    "training/test_precision.py": "every precision with every method",
    "test_damage.py": "damaged files of every kind that is read",
    "test_imports.py": "who may import whom",
    "test_docs_site.py": "the site that docs/conf.py builds",
    "test_locks.py": "locks/ and the Dockerfile",
    "test_makefile.py": "the Makefile",
    "test_wheel.py": "the package as it is installed",
    "test_methods_page.py": "docs/methods.md",
    "test_notebook.py": "docs/notebook.ipynb",
    "test_names.py": "names and words of the whole project",
    "test_package.py": "the public package",
    "study/test_systems.py": "a comparison on systems that lack a call",
    "test_platforms.py": "calls that one system only has",
    "test_project.py": "pyproject.toml and the project's own files",
    "test_readme.py": "README.md",
}
"""Tests of no single module, with the reason."""


def test_the_tests_mirror_the_source() -> None:
    homeless, needless = [], set(ACROSS)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        where = path.relative_to(ROOT / "tests")
        needless.discard(str(where))
        if where.parts[0] in BESIDE or str(where) in ACROSS:
            continue
        name = path.stem.removeprefix("test_")
        folder = ROOT / "src" / where.parent
        modules = [folder / f"{name}.py", folder / f"_{name}.py", folder / f"__{name}__.py"]
        if not any(map(Path.exists, [*modules, folder / name])):
            homeless.append(str(where))
    assert homeless == [], "no module of the source has this name, and no reason is listed"
    assert needless == set(), "listed, but not there"


def test_every_source_file_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "src").rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert long == {}


def test_every_muted_warning_has_a_message_and_a_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    muted = [number for number, line in enumerate(lines) if line.startswith('    "ignore:')]
    assert len(muted) == len(PROJECT["tool"]["pytest"]["ini_options"]["filterwarnings"]) - 1
    for number in muted:
        assert len(lines[number].removeprefix('    "ignore:').split()) > 2, lines[number]
        above = next(line for line in reversed(lines[:number]) if "ignore:" not in line)
        assert above.startswith("    # "), f"no reason above {lines[number]}"


def test_every_file_that_a_page_names_is_there() -> None:
    pages = [
        *(ROOT / "docs").glob("*.md"),
        ROOT / "README.md",
        *(ROOT / "experiments").glob("*.md"),
    ]
    gone = [
        f"{page.name}: {name}"
        for page in pages
        for name in re.findall(r"`((?:\w+/)+[\w.-]+\.(?:py|md|yaml))`", page.read_text("utf-8"))
        if not any((ROOT / folder / name).exists() for folder in ("", "src", "docs"))
    ]
    assert gone == []
    links = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8"))
        if not (page.parent / link).exists()
    ]
    assert links == []
