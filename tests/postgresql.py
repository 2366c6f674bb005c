"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket, gone afterwards."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

PASSWORD = "canary-p@ss/w:rd"
"""Of the user that the addresses name; it must be seen nowhere."""
WAIT = 120.0
"""Seconds until a server that does not start is given up."""


def programs() -> Path | None:
    """The folder of the server's programs; none where there is no server."""
    on_path = shutil.which("initdb")
    places = [Path(on_path)] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return places[0].resolve().parent if places else None


def _owner() -> str | None:
    """Whom the server runs as: it refuses to run as root."""
    if os.getuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


class Server:
    """A running server."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        """Make its files and start it; it listens on a socket inside the folder alone."""
        self.folder, self._programs, self._user = folder, bin_folder, _owner()
        if self._user is not None:
            shutil.chown(folder, self._user)
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = str(folder / "data")
        self._run("initdb", "-D", data, "-U", "someone", "-A", "scram-sha-256", "--no-sync")
        self.start()

    def _run(self, name: str, *arguments: str) -> None:
        extra = [f"--pwfile={self.folder / 'password'}"] if name == "initdb" else []
        subprocess.run(
            [self._programs / name, *arguments, *extra],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self.folder,
        )

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = ["listen_addresses=", "fsync=off", "max_connections=200"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    *("-D", self.folder / "data", "-k", self.folder),
                    *(word for option in options for word in ("-c", option)),
                ],
                user=self._user,
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        end = time.monotonic() + WAIT
        import psycopg

        while True:
            try:
                psycopg.connect(self.address("postgres").replace("+psycopg", "")).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """End it at once; what was committed is there when it is started again."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def address(self, database: str, scheme: str = "postgresql") -> str:
        """The address of a database, its password in it."""
        place = quote(str(self.folder), safe="")
        return f"{scheme}://someone:{quote(PASSWORD, safe='')}@/{database}?host={place}"

    def database(self, name: str) -> str:
        """A new empty database; its address."""
        import psycopg

        with contextlib.closing(
            psycopg.connect(self.address("postgres"), autocommit=True)
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.address(name)


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server, with its files in a folder whose path is short enough for a socket."""
    bin_folder = programs()
    assert bin_folder is not None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    server = None
    try:
        server = Server(folder, bin_folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def together(work: Callable[[int], object], count: int) -> list[int]:
    """Do something in so many processes at the same time; the wait status of each.

    They are forked from this one, which has imported everything.
    """
    waits, begin = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            os.close(begin)
            os.read(waits, 1)  # until the other end is closed
            try:
                work(number)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    os.close(waits)
    os.close(begin)
    return [os.waitpid(child, 0)[1] for child in children]


def why_not() -> str:
    """Why no server can be started here; empty where one can."""
    if programs() is None:
        return "no PostgreSQL server here (Debian: apt-get install postgresql)"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (pip install 'tunebench[postgresql]')"
    return "" if os.getuid() or _owner() else "PostgreSQL does not run as root"
