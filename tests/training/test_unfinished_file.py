"""The file of a training under way: whole or not at all, and what becomes of one that is not."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from tunebench.methods import get_method
from tunebench.study.prepare_run import PreparedRun
from tunebench.training.unfinished import Position, Unfinished

from tests.training.interrupting import (
    METHODS,
    Asked,
    assert_same,
    everything,
    place,
    train,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def run(interrupted_run: PreparedRun) -> PreparedRun:
    return interrupted_run


def keep(run: PreparedRun, tmp_path: Path, step: int = 3) -> Path:
    with pytest.raises(KeyboardInterrupt):
        train(run, get_method("lora")(rank=2), place(tmp_path), progress=Asked(step))
    return tmp_path / "kept.ckpt"


def test_of_another_key_it_is_set_aside_with_a_line(run: PreparedRun, tmp_path: Path) -> None:
    path = keep(run, tmp_path)
    notes: list[str] = []
    other = Unfinished(path, "another key", notes.append)
    other.open()
    assert other.position is None
    assert notes == [
        "the checkpoint was made with other code or settings: set aside as "
        "kept.ckpt.damaged-1; the training starts anew"
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["kept.ckpt.damaged-1"]


def test_whatever_byte_is_flipped_it_is_found_or_changes_nothing(
    run: PreparedRun, uninterrupted: Any, tmp_path: Path
) -> None:
    path = keep(run, tmp_path)
    content = path.read_bytes()
    whole = place(tmp_path)
    expected = repr(sorted(whole._content.items(), key=str))
    draw = random.Random(0)
    detected = 0
    for place_of_byte in [*range(8), *(draw.randrange(len(content)) for _ in range(60))]:
        damaged = bytearray(content)
        damaged[place_of_byte] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        notes: list[str] = []
        one = place(tmp_path, notes)
        if one.position is None:
            detected += 1
            assert len(notes) == 1
            assert notes[0].startswith("the checkpoint cannot be read")
        else:
            assert repr(sorted(one._content.items(), key=str)) == expected
    assert detected > 40


@pytest.mark.parametrize("content", [b"", b"PK", b"nothing", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_checkpoint_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kept.ckpt").write_bytes(content)
    notes: list[str] = []
    assert place(tmp_path, notes).position is None
    assert len(notes) == 1
    assert not (tmp_path / "kept.ckpt").exists()


def test_a_pickle_that_runs_code_does_not(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    position = vars(Position(1, 0, 1))
    torch.save(
        {"tunebench": {"key": "key", "position": position}, "other": Payload()},
        tmp_path / "kept.ckpt",
    )
    assert place(tmp_path).position is None
    assert not (tmp_path / "ran").exists()


def test_killed_in_the_middle_of_writing_the_one_before_is_whole(
    run: PreparedRun, tmp_path: Path
) -> None:
    child = os.fork()
    if child == 0:
        inner = torch.save

        def half(content: Any, file: Any) -> None:
            """The second checkpoint is cut off by SIGKILL."""
            inner(content, file)
            if (tmp_path / "kept.ckpt").exists():
                file.truncate(1000)
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)

        torch.save = half  # type: ignore[assignment]
        train(run, get_method("lora")(rank=2), place(tmp_path, every=0.0))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    unfinished = place(tmp_path)
    assert unfinished.position is not None
    assert unfinished.position.step == 1
    assert [file.name for file in tmp_path.iterdir()] == ["kept.ckpt"]  # nothing half-written
    resumed = everything(run, train(run, get_method("lora")(rank=2), unfinished))
    assert_same(resumed, everything(run, train(run, get_method("lora")(rank=2))))


def test_a_disk_that_is_full_costs_the_checkpoint_and_not_the_training(
    run: PreparedRun, uninterrupted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(content: Any, file: Any) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    notes: list[str] = []
    fitted = train(run, get_method("lora")(**METHODS["lora"]), place(tmp_path, notes, every=0.0))
    assert len(notes) == 1
    assert "No space left on device" in notes[0]
    assert list(tmp_path.iterdir()) == []
    assert_same(everything(run, fitted), uninterrupted("lora"))
