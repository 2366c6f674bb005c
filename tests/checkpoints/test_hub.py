"""A backbone's name on the hub, played by a local server in its own process of ours."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tunebench.checkpoints.catalogue import HUB_NAME, available, locate
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.checkpoints.hub import OPTIONAL, SETTINGS, WEIGHTS
from tunebench.errors import UserError

from tests import small
from tests.hub_server import serve

NAME = "someone/small-bert"
PREFIX = f"/{NAME}/resolve/main/"
READ = """
import json, sys
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.errors import UserError
try:
    checkpoint = Checkpoint.open(sys.argv[1])
    layers = checkpoint.load_backbone().cfg.layers
    tokens = checkpoint.load_tokenizer().get_vocab_size()
    answer = {"layers": layers, "tokens": tokens, "digest": checkpoint.digest}
    answer["stops"] = sorted(checkpoint.stop_tokens())
except UserError as error:
    answer = {"error": str(error)}
print(json.dumps(answer))
"""


def read(tmp_path, name, **extra):
    """What a process of its own finds under the name; the client reads its settings at import."""
    environment = {
        k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE" and "PROXY" not in k.upper()
    }
    environment |= {
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **extra,
    }
    done = subprocess.run(
        [sys.executable, "-c", READ, name],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = small.make_folder(tmp_path_factory.mktemp("hub") / "bert")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    return folder


def test_a_name_is_fetched_once_and_then_taken_from_the_cache(tmp_path, root):
    with serve(root, PREFIX) as (address, asked):
        backbone = read(tmp_path, NAME, HF_ENDPOINT=address)
        files = {path.rpartition("/")[2] for path in asked if NAME in path}
    assert backbone["layers"] == 2
    assert backbone["tokens"] <= small.WORDS
    assert backbone["digest"] == Checkpoint.open(root).digest
    assert files == {*SETTINGS, WEIGHTS, OPTIONAL}
    assert read(tmp_path, NAME, HF_HUB_OFFLINE="1") == backbone


def test_what_ends_a_text_is_read_from_the_hub_as_from_a_folder(tmp_path, root):
    folder = Path(shutil.copytree(root, tmp_path / "repository"))
    (folder / OPTIONAL).write_text(json.dumps({"eos_token_id": [4, 3]}))
    with serve(folder, PREFIX) as (address, _):
        assert read(tmp_path, NAME, HF_ENDPOINT=address)["stops"] == [3, 4]
    # An earlier version of this program left the file out of the cache.
    for cached in (tmp_path / "cache").rglob(OPTIONAL):
        cached.unlink()
    assert read(tmp_path, NAME, HF_HUB_OFFLINE="1")["stops"] == []
    with serve(folder, f"/{NAME}/resolve/{'c' * 40}/") as (address, asked):
        assert read(tmp_path, NAME, HF_ENDPOINT=address)["stops"] == [3, 4]
    assert {path.rpartition("/")[2] for path in asked if NAME in path} == {OPTIONAL}


def test_a_repository_without_generation_settings_is_asked_for_them_once(tmp_path, root):
    with serve(root, PREFIX) as (address, _):
        read(tmp_path, NAME, HF_ENDPOINT=address)
    with serve(root, PREFIX) as (address, asked):
        read(tmp_path, NAME, HF_ENDPOINT=address)
    assert [path for path in asked if NAME in path] == []


def test_shards_are_fetched_as_their_index_says(tmp_path, root):
    folder = tmp_path / "sharded"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_bytes((root / name).read_bytes())
    stored, where = sorted(load_file(root / "model.safetensors").items()), {}
    for name, rows in (("a.safetensors", stored[:9]), ("b.safetensors", stored[9:])):
        save_file(dict(rows), folder / name)
        where |= dict.fromkeys(dict(rows), name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    with serve(folder, PREFIX) as (address, _):
        assert read(tmp_path, NAME, HF_ENDPOINT=address)["layers"] == 2
        (folder / "b.safetensors").unlink()
        lacking = read(tmp_path / "other", NAME, HF_ENDPOINT=address)
    assert "has not all of config.json, tokenizer.json and model.safetensors" in lacking["error"]


def test_a_repository_that_is_not_there_is_told(tmp_path, root):
    with serve(root, PREFIX) as (address, _):
        backbone = read(tmp_path, "someone/else", HF_ENDPOINT=address)
    assert "backbone 'someone/else': config.json cannot be fetched" in backbone["error"]


def test_offline_it_is_told_what_is_missing_and_what_there_is(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError) as error:
        load_backbone("answerdotai/ModernBERT-base")
    text = str(error.value)
    assert "config.json, tokenizer.json and model.safetensors cannot be fetched" in text
    assert "HF_HUB_OFFLINE is set" in text
    assert f"available here: {available()}" in text


def test_a_silent_hub_costs_three_seconds(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(UserError, match="did not answer within 3 seconds"):
            locate("answerdotai/ModernBERT-base")
        # Not a measure of speed: the client library alone would wait for minutes.
        assert time.monotonic() - began < 30


def test_a_folder_of_the_same_name_comes_first(tmp_path, monkeypatch):
    (tmp_path / "someone" / "small-bert").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate(NAME).is_dir()


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("answerdotai/ModernBERT-base", True),
        ("Qwen/Qwen2.5-0.5B", True),
        ("./folder/model", False),
        ("a/b/c", False),
        ("../model", False),
        ("minilm", False),
        ("/root/model", False),
    ],
)
def test_only_owner_and_name_are_a_name_on_the_hub(name, fits):
    assert bool(HUB_NAME.fullmatch(name)) == fits
