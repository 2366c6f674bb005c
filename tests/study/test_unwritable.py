"""A folder that cannot be written to from some moment on: one line, and nothing is lost."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tunebench.records import Comparison
from tunebench.store.store import Store
from tunebench.store.workers import Workers
from tunebench.study.compare import compare
from tunebench.study.doctor import examine

from tests.study.killing_workers import experiment
from tests.study.test_workers import table
from tests.study.working import process

pytestmark = pytest.mark.slow
SEEDS = tuple(range(4))
MOST = 1000
"""Bytes of a file: more than a lease has, and less than a record."""
WAIT = 300.0
"""Seconds until what is waited for never comes."""
BY_RIGHTS = () if os.getuid() else ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""What starts a program that permissions are to hold for: the superuser passes over them."""
FULL = """
mount -t tmpfs -o size=200m none "$1" || exit 77
(until ls "$1"/cells/*.json; do sleep 0.05; done; cat /dev/zero >"$1"/filler) >/dev/null 2>&1 &
shift
"$@"
code=$?
wait
cp -a "$OUT"/. "$KEPT"
rm "$KEPT"/filler
exit $code
"""
"""A program on a disk of its own, which is full once a cell is there; what it left is copied."""
needs_rights = pytest.mark.skipif(
    bool(BY_RIGHTS) and shutil.which(BY_RIGHTS[0]) is None, reason="root, and no setpriv"
)


@pytest.fixture(scope="module")
def expected(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The table of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed")
    return table(compare(experiment(str(checkpoint), str(out), workers=1, seeds=SEEDS)))


def until(condition: Callable[[], object], running: subprocess.Popen[str]) -> None:
    """Wait for what a process does."""
    end = time.monotonic() + WAIT
    while not condition():
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def records(out: Path) -> dict[str, bytes]:
    """All records that are there, by their paths."""
    files = (file for folder in ("trials", "cells") for file in (out / folder).rglob("[!.]*.json"))
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def complaint(printed: str) -> str:
    """The one line that says why it ended; nothing else was amiss."""
    assert "Traceback" not in printed
    (line,) = [one for one in printed.splitlines() if one.startswith("tunebench: ")]
    return line


def assert_goes_on(checkpoint: Path, out: Path, expected: list[Any]) -> Comparison:
    """The same command makes what is missing, and no record again."""
    before = records(out)
    assert before
    settings = experiment(str(checkpoint), str(out), workers=1, seeds=SEEDS)
    comparison = compare(settings)
    assert table(comparison) == expected
    after = records(out)
    assert {name: after[name] for name in before if name.startswith("trials")} == {
        name: content for name, content in before.items() if name.startswith("trials")
    }
    trained = {row.cell: row.finished for row in comparison.results}
    for name, content in before.items():
        if name.startswith("cells"):
            assert trained[Path(name).stem].encode() in content
    assert Store(out).damaged() == []
    assert examine(out) == []
    assert not (out / "unfinished").exists()
    return comparison


@needs_rights
@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("folder", ["cells", "work/leases", "."])
def test_permissions_taken_away(
    checkpoint: Path, out: Path, expected: list[Any], folder: str, workers: int
) -> None:
    line = {"role": "compare", "checkpoint": str(checkpoint), "out": str(out), "workers": workers}
    running = process(BY_RIGHTS, **line, changes={"seeds": SEEDS})
    until(lambda: list(out.glob("cells/*.json")), running)
    closed = [one for one in (out / folder).rglob("*") if one.is_dir()] + [out / folder]
    for one in closed:
        one.chmod(0o500)
    printed = running.communicate()[0]
    for one in closed:
        one.chmod(0o700)
    assert running.returncode == 2, printed
    where = re.escape(str(out / folder))
    assert re.fullmatch(
        f"tunebench: cannot write {where}/.*: Permission denied", complaint(printed)
    )
    assert_goes_on(checkpoint, out, expected)


@pytest.fixture
def own_disk(tmp_path: Path) -> Path:
    """A folder that a process may mount a disk of its own on."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("a disk of its own needs Linux and unshare")
    (disk := tmp_path / "disk").mkdir()
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", disk], capture_output=True
    )
    if tried.returncode:
        pytest.skip("nothing may be mounted here")
    return disk


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_is_full(
    checkpoint: Path,
    make_out: Any,
    own_disk: Path,
    expected: list[Any],
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = make_out("kept")
    monkeypatch.setenv("OUT", str(own_disk))
    monkeypatch.setenv("KEPT", str(kept))
    line = {"role": "compare", "checkpoint": str(checkpoint), "out": str(own_disk)}
    before = ["unshare", "-rm", "sh", "-c", FULL, "sh", str(own_disk)]
    running = process(before, **line, workers=workers, changes={"seeds": SEEDS})
    printed = running.communicate()[0]
    assert running.returncode == 2, printed
    where = re.escape(str(own_disk))
    line_ = complaint(printed)
    assert re.fullmatch(f"tunebench: cannot write {where}/.*: No space left on device", line_)
    assert_goes_on(checkpoint, kept, expected)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_helper_that_cannot_write_ends_and_the_leader_makes_the_table(
    checkpoint: Path, out: Path, workers: int
) -> None:
    """It may write small files alone, as where a quota is used up."""
    shared = {"checkpoint": str(checkpoint), "out": str(out)}
    seeds = tuple(range(12))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST, MOST))

    helper = process(prepare=limit, role="work", workers=workers, **shared)
    leader = process(role="compare", workers=1, changes={"seeds": seeds}, **shared)
    until(Workers(out).run, leader)
    leader.send_signal(signal.SIGSTOP)  # till somebody helps
    until(Workers(out).there, helper)
    leader.send_signal(signal.SIGCONT)
    printed = helper.communicate()[0]
    assert helper.returncode == 2, printed
    where = re.escape(str(out / "work"))
    assert re.fullmatch(f"tunebench: cannot write {where}/.*: File too large", complaint(printed))
    lines = leader.communicate()[0]
    assert leader.returncode == 0, lines
    comparison = compare(experiment(str(checkpoint), str(out), seeds=seeds))
    assert {row.status for row in (*comparison.trials, *comparison.results)} == {"complete"}
    assert examine(out) == []
    assert Store(out).damaged() == []
