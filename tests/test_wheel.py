"""The package as others install it: built, put into an environment of its own, and used there."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = [(f"a {word} film, number {n}", word) for n in range(60) for word in ("fine", "dull")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the project, as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir"]
    built = subprocess.run([*command, folder, source], capture_output=True, text=True, check=False)
    if built.returncode and "Could not find a version" in built.stderr:
        pytest.skip("setuptools cannot be fetched")
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.mark.slow
def test_it_holds_every_module_and_every_file_that_is_read(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    kept = [path for path in (ROOT / "src").rglob("*") if path.is_file()]
    wanted = {
        f"tunebench/{path.relative_to(ROOT / 'src').as_posix()}"
        for path in kept
        if "__pycache__" not in path.parts
    }
    assert wanted <= packed
    assert all(name.startswith(("tunebench/", "tunebench-")) for name in packed)


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in a new environment; what it imports is taken from this one."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    paths = sysconfig.get_paths()
    here = Path(subprocess.check_output([python, "-c", _SITE], text=True).strip())
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    subprocess.run([*pip, "--quiet", wheel], check=True)
    lines = [paths["purelib"], *_linked(Path(paths["purelib"]))]
    (here / "of_this_environment.pth").write_text("\n".join(lines), "utf-8")
    return folder / "bin" / "tunebench"


_SITE = "import sysconfig; print(sysconfig.get_paths()['purelib'])"


def _linked(site: Path) -> list[str]:
    """Folders that this environment itself takes packages from."""
    lines = [line for file in site.glob("*.pth") for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if Path(line).is_dir()]


@pytest.mark.slow
def test_compare_predict_report_and_ui_in_an_empty_folder(program: Path, tmp_path: Path) -> None:
    with (tmp_path / "films.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
    environment = kept | {"HF_HUB_OFFLINE": "1"}

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [program, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    where = "import tunebench; print(tunebench.__file__)"
    python = program.with_name("python")
    module = subprocess.check_output([python, "-c", where], cwd=tmp_path, text=True)
    assert Path(module.strip()).is_relative_to(program.parents[1])
    line = ["--methods=head,lora", "--backbone.layers=1", "--search.trials=1", "--workers=1"]
    shown = run("compare", "films.csv", "--text=text", "--label=label", *line)
    assert "MLflow  tunebench ui\n" in shown
    (answer,) = json.loads(run("predict", "best", "--json", "a fine film, number 7"))
    assert answer["label"] in ("fine", "dull")
    before = (tmp_path / "runs" / "results.csv").read_bytes()
    run("report")
    assert (tmp_path / "runs" / "results.csv").read_bytes() == before
    assert "agree" in run("doctor")
    server = subprocess.Popen(
        [program, "ui", "--port=0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = next(filter(None, map(_address, server.stdout)))
        with urllib.request.urlopen(f"{address}/health", timeout=60) as health:
            assert health.read() == b"OK"
    finally:
        server.terminate()
        server.wait(60)
        server.stdout.close()  # type: ignore[union-attr]


def _address(line: str) -> str:
    match = re.search(r"http://127\.0\.0\.1:\d+", line)
    return match.group() if match else ""
