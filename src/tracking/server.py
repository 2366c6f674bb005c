"""`tunebench ui`: MLflow's own server on this machine only, opened on the comparison's page."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError

from ..errors import UserError
from ..text import redact
from . import view
from .address import ENVIRONMENT, Address, TrackingError, locate, quiet
from .database import relocate

PORT = 5000
START_S = 120.0
"""A busy machine may need most of a minute until the server answers."""


def serve(uri: str | None, out: Path, host: str = "127.0.0.1", port: int = 0) -> None:
    """Shows the comparisons of a store in MLflow's pages until Ctrl-C.

    Starts a server on `port`, or on the first free one from 5000 on if it is 0; where `uri` is
    a server already, only its address is printed.

    Raises:
        UserError: There is no store yet, or the port is taken.
        TrackingError: The server does not start or the store cannot be read.
    """
    address = locate(uri, out)
    if address.is_missing:
        raise UserError(
            f"there is no MLflow database at {address.file}; run `tunebench compare` first"
        )
    if address.uri.startswith(("http://", "https://")):
        print(page(address, address.shown), flush=True)
        return
    signal.signal(signal.SIGTERM, terminated)
    with Server(address, host, port) as server:
        print(f"MLflow shows the comparison at {page(address, server.url)}", flush=True)
        print("Ctrl-C ends it.", flush=True)
        server.wait()


def terminated(*_: object) -> NoReturn:
    """Leaves by the usual way, so that the server does not outlive its starter."""
    raise SystemExit(143)


def page(address: Address, server: str) -> str:
    """The page of the newest comparison in a store, or the server's first page if it has none."""
    quiet()
    from mlflow.tracking import MlflowClient

    try:
        if address.private and address.file is not None and address.artifacts is not None:
            relocate(address.file, address.artifacts)
        client = MlflowClient(address.uri, registry_uri=address.uri)
        newest = client.search_experiments(
            filter_string="name LIKE 'tunebench/%'",
            order_by=["creation_time DESC"],
            max_results=1,
        )
    except Exception as error:  # whatever the store raises, its address must not be shown
        reason = redact(" ".join(str(error).split()), address.secrets)[:300]
        raise TrackingError(f"MLflow at {address.shown} cannot be read: {reason}") from None
    if not newest:
        return server
    # Our own server brings the view to the browser; another one has it in its menu of views.
    shared = address.uri.startswith(("http://", "https://"))
    return view.address(server, newest[0].experiment_id, shared=shared)


class Server:
    """An MLflow server in a process group of its own, ended with all its children."""

    def __init__(self, address: Address, host: str = "127.0.0.1", port: int = 0) -> None:
        """Remembers what to serve; `start` or `with` starts it."""
        self.address = address
        self.host = host
        self.port = port or free_port(host)
        self.url = f"http://{host}:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        """Starts the server and waits until it answers."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the server."""
        self.stop()

    def start(self) -> None:
        """Starts the server and waits until it answers.

        Raises:
            UserError: Something else listens on the port.
            TrackingError: The server ended or did not answer in time.
        """
        if taken(self.host, self.port):
            raise UserError(f"port {self.port} is taken; choose another one, or 0 for a free one")
        environment = {
            **os.environ,
            **ENVIRONMENT,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            # In the environment, not among the arguments, where every user of the machine sees it.
            "MLFLOW_BACKEND_STORE_URI": self.address.uri,
        }
        if self.address.artifacts is not None:
            environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = self.address.artifacts.as_uri()
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.pages", self.host, str(self.port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._await()
        except BaseException:
            self.stop()
            raise

    def _await(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise TrackingError(f"MLflow's server on port {self.port} ended while starting")
            if healthy(self.url):
                return
            time.sleep(0.2)
        raise TrackingError(f"MLflow's server did not answer within {START_S:.0f} s")

    def wait(self) -> None:
        """Returns when the server ends or the user presses Ctrl-C."""
        try:
            if self.process is not None:
                self.process.wait()
        except KeyboardInterrupt:
            return

    def stop(self) -> None:
        """Ends the server and whatever it started."""
        if self.process is None:
            return
        for each in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, each)
                self.process.wait(timeout=5)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None


def healthy(url: str) -> bool:
    """Whether an MLflow server answers at an address."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def taken(host: str, port: int) -> bool:
    """Whether a port cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def free_port(host: str) -> int:
    """The first free port from 5000 on.

    Raises:
        UserError: A hundred ports are taken.
    """
    for port in range(PORT, PORT + 100):
        if not taken(host, port):
            return port
    raise UserError(f"no port from {PORT} to {PORT + 99} is free")
