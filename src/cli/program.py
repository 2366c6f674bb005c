"""One command line, run: which command it is, and what its errors look like."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..errors import UnknownName, UserError
from . import help as texts
from .commands import COMMANDS
from .flags import parse

LONGEST = 800
"""Characters of an error message: more than this is somebody's text, not our sentence."""


def run(arguments: Sequence[str]) -> int:
    """Run a command, and say what went wrong in one line.

    Args:
        arguments: What follows the program's name.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character shows its number; it does not end the run.
            stream.reconfigure(errors="backslashreplace")
    # Nothing is drawn in a window, and a backend that matplotlib does not know would end its import
    # and that of Lightning.
    os.environ.pop("MPLBACKEND", None)
    try:
        return _dispatch(list(arguments))
    except UserError as error:
        _complain(str(error))
        return 2
    except BrokenPipeError:
        # The reader left, as `head` does.
        return 141
    except OSError as error:
        _complain(str(error))
        return 1
    finally:
        _let_go(sys.stdout)
        _let_go(sys.stderr)


def _complain(text: str) -> None:
    """Say what was wrong, where anybody can be reached."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"tunebench: {_shortened(text)}", file=sys.stderr, flush=True)


def _let_go(stream: Any) -> None:
    """Drop what a stream cannot take, so that it is not tried again when Python ends.

    A stream may lead nowhere: its reader has left, its disk is full, or it was closed.
    """
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _shortened(text: str) -> str:
    """A message on one line; what is too long for a screen loses its middle."""
    line = " ".join(text.split())
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[:half]} […] {line[-half:]}"


def _dispatch(arguments: list[str]) -> int:
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help", "help"):
        print(texts.overview())
        return 0
    if name in ("-V", "--version"):
        print(f"tunebench {__version__}")
        return 0
    if name not in COMMANDS:
        raise UnknownName("command", name, COMMANDS)
    command = COMMANDS[name]
    line = parse(rest, command.flags(), command.switches)
    if "help" in line.switches:
        print(texts.of(name))
        return 0
    if line.words and not command.words:
        raise UserError(f"{name} takes no word, but got '{line.words[0]}'")
    code = command.run(line, shlex.join(["tunebench", *arguments]))
    if sys.stdout is not None:
        sys.stdout.flush()
    return code
