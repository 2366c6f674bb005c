"""The hub, played by a local server: rows, revisions, and every way of not answering."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from tunebench import reachability
from tunebench.config import DataSettings
from tunebench.data import hub
from tunebench.data.digest import digest
from tunebench.data.glue import OFFICIAL_SOURCE, read_glue
from tunebench.data.hub import HubError, read_parquet
from tunebench.data.load import load_tasks
from tunebench.data.tasks import GLUE, Examples
from tunebench.errors import UserError
from tunebench.reachability import unreachable

from tests.hub_server import serve

COLUMNS = {1: ("sentence",), 2: ("sentence1", "sentence2")}
READ = """
import json, sys
from tunebench.config import DataSettings
from tunebench.data.load import load_tasks
from tunebench.errors import UserError
lines = []
try:
    data = load_tasks(sys.argv[2:], DataSettings(source=sys.argv[1]), say=lines.append)
except UserError as error:
    print(json.dumps({"error": str(error), "lines": lines}))
else:
    rows = {data.task.name: [data.source, data.digest, len(data.extra_tests)] for data in data}
    print(json.dumps({"rows": rows, "lines": lines}))
"""


def _parquet(path: Path, rows: Examples, names: tuple[str, ...], *, score: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [texts[k] for texts in rows.texts] for k, name in enumerate(names)}
    kind = pyarrow.float32() if score else pyarrow.int64()
    columns["label"] = pyarrow.array(rows.labels).cast(kind)
    columns["idx"] = list(range(len(rows)))
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def _serve(
    root: Path, revision: str = hub.REVISION
) -> AbstractContextManager[tuple[str, list[str]]]:
    return serve(root, f"/datasets/{hub.REPOSITORY}/resolve/{revision}/")


@contextmanager
def _silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _load(tmp_path: Path, source: str, *names: str, **extra: str) -> Mapping[str, object]:
    ours = ("GLUE_DIR", "HF_HUB_OFFLINE")
    environment = {
        k: v for k, v in os.environ.items() if k not in ours and "PROXY" not in k.upper()
    }
    environment |= {"HF_HOME": str(tmp_path / "cache"), **extra}
    command = [sys.executable, "-c", READ, source, *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    data: Mapping[str, object] = json.loads(done.stdout.splitlines()[-1])
    return data


def _small(tmp_path: Path) -> Path:
    root = tmp_path / "hub"
    rows = Examples(("a", "b"), (("good ",), ("bad",)), (1.0, 0.0))
    pair = Examples(("a", "b", "c"), (("x", "y"), ("x", "z"), ("x", "w")), (0.0, 1.0, 2.0))
    for split in ("train", "validation"):
        _parquet(root / f"sst2/{split}-00000-of-00001.parquet", rows, COLUMNS[1])
    for split in ("train", "validation_matched", "validation_mismatched"):
        names = ("premise", "hypothesis")
        _parquet(root / f"mnli/{split}-00000-of-00001.parquet", pair, names)
    return root


def test_rows_come_from_a_server_that_answers_like_the_hub(tmp_path: Path) -> None:
    with _serve(_small(tmp_path)) as (address, _):
        data = _load(tmp_path, "auto", "sst2", "mnli", HF_ENDPOINT=address)
    rows, lines = data["rows"], data["lines"]
    assert rows["sst2"][0] == "GLUE from the hub, 2 rows, not verified"
    assert rows["mnli"][0] == "GLUE from the hub, 3 rows, not verified"
    assert rows["mnli"][2] == 1
    assert f"sst2: from {address}/datasets/nyu-mll/glue" in lines
    assert "sst2: SST-2/train.tsv: 2 rows, the official file has 67349" in lines


def test_a_mirror_without_the_pinned_revision_gives_its_main_branch(tmp_path: Path) -> None:
    with _serve(_small(tmp_path), "main") as (address, _):
        data = _load(tmp_path, "auto", "sst2", HF_ENDPOINT=address)
    rows = {
        split: Examples((f"sst2-{split}-0", f"sst2-{split}-1"), (("good ",), ("bad",)), (1.0, 0.0))
        for split in ("train", "test")
    }
    assert data["rows"]["sst2"][1] == digest(GLUE["sst2"], rows["train"], rows["test"], {})
    assert "sst2: sst2/train: from the branch main, not the pinned revision" in data["lines"]


def test_a_file_that_the_hub_lacks_ends_a_forced_hub_and_falls_back_else(tmp_path: Path) -> None:
    with _serve(_small(tmp_path)) as (address, _):
        forced = _load(tmp_path, "hub", "rte", HF_ENDPOINT=address)
        auto = _load(tmp_path, "auto", "rte", HF_ENDPOINT=address)
    assert "has no rte/train-00000-of-00001.parquet in nyu-mll/glue" in forced["error"]
    assert auto["rows"]["entailment"][0] == "built-in pocket data, not GLUE"
    assert any("not GLUE" in line and "has no rte" in line for line in auto["lines"])


@pytest.mark.skipif("GLUE_DIR" not in os.environ, reason="$GLUE_DIR is not set")
@pytest.mark.parametrize("name", ["wnli", "stsb"])
def test_official_rows_from_the_hub_are_the_same_data(tmp_path: Path, name: str) -> None:
    real = read_glue(Path(os.environ["GLUE_DIR"]), GLUE[name])
    for split, rows in (("train", real.train), ("validation", real.test)):
        path = tmp_path / "hub" / name / f"{split}-00000-of-00001.parquet"
        _parquet(path, rows, COLUMNS[2], score=name == "stsb")
    with _serve(tmp_path / "hub") as (address, _):
        data = _load(tmp_path, "auto", name, HF_ENDPOINT=address)
    assert data["rows"][name][:2] == [OFFICIAL_SOURCE, real.digest]


def test_a_silent_server_costs_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    _no_proxy(monkeypatch)
    with _silent() as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        began = time.monotonic()
        assert unreachable() == f"{address} did not answer within 3 seconds"
        # Not a measure of speed: the client library alone would wait for minutes.
        assert time.monotonic() - began < 30


def test_a_refused_connection_and_a_broken_address_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _no_proxy(monkeypatch)
    with _silent() as address:
        pass
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert "cannot be reached" in unreachable()
    monkeypatch.setenv("HF_ENDPOINT", "no address")
    assert "cannot be reached" in unreachable()


def test_offline_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise AssertionError("asked")

    monkeypatch.setattr(reachability, "_knock", refuse)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert unreachable() == "HF_HUB_OFFLINE is set"


def test_a_gateway_that_answers_for_the_hub_is_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(reachability, "_knock", lambda: 503)
    assert "answered with status 503" in unreachable()
    monkeypatch.setattr(reachability, "_knock", lambda: 404)
    assert unreachable() == ""


def test_a_download_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_proxy(monkeypatch)
    monkeypatch.setattr(hub, "FILE_SECONDS", 0.2)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *a, **k: time.sleep(2))
    with pytest.raises(HubError, match="not fetched within"):
        hub.read_hub(GLUE["rte"])


def test_no_token_of_the_user_s_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, sent = _small(tmp_path), []

    def download(repository: str, name: str, **settings: object) -> str:
        sent.append((repository, settings["token"], settings["endpoint"]))
        return str(root / name)

    _no_proxy(monkeypatch)
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror")
    monkeypatch.setattr(reachability, "_knock", lambda: 200)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert len(hub.read_hub(GLUE["sst2"]).train) == 2
    assert sent == [(hub.REPOSITORY, False, "http://mirror")] * 2


def test_a_forced_hub_that_is_out_of_reach_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLUE_DIR", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="--data hub: HF_HUB_OFFLINE is set"):
        load_tasks(["sst2"], DataSettings(source="hub"), say=lambda line: None)


BAD = {
    "column": ({"text": ["a"], "label": [0]}, "not the Parquet file"),
    "null": ({"sentence": [None], "label": [0]}, "every row must hold its texts"),
    "empty": (
        {"sentence": pyarrow.array([], "string"), "label": pyarrow.array([], "int64")},
        "hold",
    ),
    "half": ({"sentence": ["a"], "label": [0.5]}, r"row 0: a label must lie in 0\.\.1"),
    "hidden": ({"sentence": ["a"], "label": [-1]}, r"row 0: a label must lie in 0\.\.1"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_parquet_file_of_another_shape_is_refused(tmp_path: Path, mistake: str) -> None:
    columns, message = BAD[mistake]
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    with pytest.raises(HubError, match=message):
        read_parquet(path, GLUE["sst2"], "train")
    path.write_bytes(b"<html>")
    with pytest.raises(HubError, match="not the Parquet file"):
        read_parquet(path, GLUE["sst2"], "train")


def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
