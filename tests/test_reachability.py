"""Whether a server is there: asked once, within bounds."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from tunebench import reachability
from tunebench.reachability import PREFACE, SETTINGS, grpc_unreachable

HOST = "127.0.0.1"


@contextlib.contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that deals with one connection; its port."""
    with socket.create_server((HOST, 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
    thread.join(5)


def test_a_server_that_speaks_http2_is_there() -> None:
    heard = b""

    def speaks(connection: socket.socket) -> None:
        nonlocal heard
        heard = connection.recv(64)
        for byte in SETTINGS:  # a frame may come in pieces
            connection.sendall(bytes([byte]))

    with server(speaks) as port:
        assert grpc_unreachable(HOST, port) == ""
    assert heard == PREFACE + SETTINGS


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\7", b""])
def test_a_server_of_another_kind_is_none(answer: bytes) -> None:
    def speaks(connection: socket.socket) -> None:
        connection.recv(64)
        connection.sendall(answer)

    with server(speaks) as port:
        assert grpc_unreachable(HOST, port) == f"{HOST}:{port} answered, but not as gRPC does"


def test_a_port_without_a_server_says_so() -> None:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    assert grpc_unreachable(HOST, port) == f"{HOST}:{port} cannot be reached: Connection refused"


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "PROBE_SECONDS", 0.2)
    asked = threading.Event()
    with server(lambda _: bool(asked.wait(5)) and None) as port:
        assert grpc_unreachable(HOST, port) == f"{HOST}:{port} did not answer within 0 seconds"
        asked.set()
