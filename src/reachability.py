"""Is a server there? One knock, answered within three seconds or not at all.

A socket's time-out bounds each read, not the whole, and no time-out bounds a slow name server; so
the work runs in a thread of its own that is left behind when the time is up.
"""

from __future__ import annotations

import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypeVar

PROBE_SECONDS = 3.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
"""What both sides of HTTP/2 begin with: a frame of settings, here an empty one; RFC 9113, 3.4."""
_OFF = frozenset({"", "0", "false", "no", "off"})
_Answer = TypeVar("_Answer")


class TooLate(Exception):
    """Work was not done in the time it was given."""


def endpoint() -> str:
    """The hub's address: `$HF_ENDPOINT`, or the public one."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def unreachable() -> str:
    """Why the hub is out of reach, in a few words; empty where it answered within three seconds.

    With `$HF_HUB_OFFLINE` set nothing is asked.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").strip().lower() not in _OFF:
        return "HF_HUB_OFFLINE is set"
    try:
        status = call_with_timeout(PROBE_SECONDS, _knock)
    except (TooLate, TimeoutError):
        return f"{endpoint()} did not answer within {PROBE_SECONDS:.0f} seconds"
    except (OSError, ValueError) as error:
        return f"{endpoint()} cannot be reached: {getattr(error, 'reason', None) or error}"
    # A gateway on the way answers 5xx; any other answer comes from a server that listens.
    return f"{endpoint()} answered with status {status}" if status >= 500 else ""


def grpc_unreachable(host: str, port: int) -> str:
    """Why no gRPC server answers there, in a few words; empty where one did in three seconds."""
    place = f"{host}:{port}"
    try:
        spoke = call_with_timeout(PROBE_SECONDS, lambda: _speaks_http2(host, port))
    except (TooLate, TimeoutError):
        return f"{place} did not answer within {PROBE_SECONDS:.0f} seconds"
    except (OSError, ValueError) as error:
        return f"{place} cannot be reached: {getattr(error, 'strerror', None) or error}"
    return "" if spoke else f"{place} answered, but not as gRPC does"


def call_with_timeout(seconds: float, work: Callable[[], _Answer]) -> _Answer:
    """What `work` gives.

    Raises:
        TooLate: where it takes longer; the thread that does it ends with the process.
    """
    answers: list[_Answer] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            answers.append(work())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TooLate
    if failed:
        raise failed[0]
    return answers[0]


def _knock() -> int:
    request = urllib.request.Request(endpoint(), headers={"User-Agent": "tunebench"})
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _speaks_http2(host: str, port: int) -> bool:
    """Whether a server begins as HTTP/2 does, which gRPC is spoken over."""
    with socket.create_connection((host, port), timeout=PROBE_SECONDS) as connection:
        connection.sendall(PREFACE + SETTINGS)
        answer = b""
        while len(answer) < len(SETTINGS) and (part := connection.recv(64)):
            answer += part
    return len(answer) >= len(SETTINGS) and answer[3] == SETTINGS[3]
