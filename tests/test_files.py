"""One writer for all files: whole or not at all, private, and never through somebody's link."""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tunebench import files
from tunebench.errors import CannotWrite, UserError
from tunebench.files import (
    at_home,
    busy,
    file_lock,
    keeping_first_error,
    replacing,
    resolved,
    write_whole,
)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_what_may_hold_texts_is_for_its_owner_and_a_page_is_for_who_the_umask_lets(tmp_path):
    write_whole(tmp_path / "deep" / "record.json", b"{}")
    write_whole(tmp_path / "report.html", b"<p>", private=False)
    assert mode(tmp_path / "deep" / "record.json") == 0o600
    assert mode(tmp_path / "report.html") == 0o644
    assert (tmp_path / "deep" / "record.json").read_bytes() == b"{}"


def test_a_tilde_is_the_home_folder_and_that_of_nobody_stays(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert at_home("~/runs") == Path("/home/somebody/runs")
    assert at_home(Path("~")) == Path("/home/somebody")
    assert at_home("~nobody-has-this-name/runs") == Path("~nobody-has-this-name/runs")
    assert at_home("runs/~") == Path("runs/~")


def test_a_path_loses_its_links_and_a_loop_of_them_stays(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "one").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "one")
    assert resolved(tmp_path / "link" / "x") == resolved(tmp_path) / "there" / "x"
    assert resolved(tmp_path / "one" / "x").parent.name in ("one", "other")


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    with replacing(path) as beside:
        beside.write_bytes(b"half")
        assert path.read_bytes() == b"old"
        assert beside.parent == path.parent
        beside.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(error: Exception) -> None:
        with replacing(path) as beside:
            beside.write_bytes(b"half")
            raise error

    with pytest.raises(KeyError):
        fail(KeyError("fault"))
    with pytest.raises(UserError, match=r"cannot write .*file: No space left on device"):
        fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_what_follows_an_error_does_not_hide_it_and_fails_by_itself_where_there_was_none():
    def fail(first: Exception | None, second: Exception) -> None:
        try:
            if first is not None:
                raise first
        finally:
            with keeping_first_error():
                raise second

    unwritten, slip = CannotWrite("the second"), ZeroDivisionError("a slip in our code")
    with pytest.raises(KeyError, match="the first"):
        fail(KeyError("the first"), unwritten)
    with pytest.raises(CannotWrite, match="the second"):
        fail(None, unwritten)
    with pytest.raises(ZeroDivisionError):
        fail(KeyError("the first"), slip)


def test_a_link_that_waits_under_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "guessed")
    (tmp_path / ".file.guessed").symlink_to(victim)
    with pytest.raises(UserError, match="cannot write"):
        write_whole(tmp_path / "file", b"theirs")
    assert victim.read_text() == "mine"


def test_a_link_in_the_files_own_place_is_replaced_and_what_it_names_stays(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "file").symlink_to(victim)
    write_whole(tmp_path / "file", b"theirs")
    assert victim.read_text() == "mine"
    assert not (tmp_path / "file").is_symlink()


def test_temporary_names_differ_from_write_to_write(tmp_path):
    names = set()
    for _ in range(20):
        with replacing(tmp_path / "file") as beside:
            names.add(beside.name)
    assert len(names) == 20


def test_a_longest_name_can_be_written(tmp_path):
    write_whole(tmp_path / ("n" * 255), b"")
    assert (tmp_path / ("n" * 255)).is_file()


def test_a_file_in_the_folders_place_is_told_as_what_cannot_be_written(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="cannot write into"), file_lock(tmp_path / "out"):
        pass


def test_an_owner_whose_clock_is_ahead_is_not_there_for_less_than_no_time(tmp_path, monkeypatch):
    real = time.time
    with file_lock(tmp_path):
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        with pytest.raises(UserError, match=r", for 0 s\)$"), file_lock(tmp_path):
            pass


def test_a_held_folder_is_busy_and_a_free_one_is_not_and_asking_writes_nothing(tmp_path):
    assert not busy(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with file_lock(tmp_path):
        assert busy(tmp_path)
        with pytest.raises(UserError, match="another run is working"), file_lock(tmp_path):
            pass
    (tmp_path / ".lock").chmod(0o400)
    assert not busy(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_not_another_run(tmp_path, monkeypatch, number):
    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / ".lock").touch()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match="cannot be locked against other runs"), file_lock(tmp_path):
        pass
    with pytest.raises(UserError, match="cannot tell whether a run works"):
        busy(tmp_path)
