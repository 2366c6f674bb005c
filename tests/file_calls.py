"""Counts this process's calls to the file system, as the interpreter announces them."""

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator

KINDS = {
    *("open", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.mkdir", "os.rmdir"),
    "os.utime",
}
Calls = Counter[tuple[str, str]]
"""Kind of call and path → how often."""
_listening: list[Calls] = []
_announced: list[bool] = []


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if _listening and event in KINDS:
        for calls in _listening:
            calls[event, str(arguments[0])] += 1


@contextlib.contextmanager
def counted() -> Iterator[Calls]:
    """The calls that are made in the block."""
    if not _announced:
        _announced.append(True)
        sys.addaudithook(_heard)  # it stays for good
    calls: Calls = Counter()
    _listening.append(calls)
    try:
        yield calls
    finally:
        _listening.remove(calls)
