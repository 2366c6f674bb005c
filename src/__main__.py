"""The program: `tunebench` or `python -m tunebench`."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Sequence

from . import __version__
from .cli import help as texts
from .cli.commands import COMMANDS
from .cli.flags import parse
from .cli.stop import stoppable
from .errors import UnknownName, UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name; those of the process by default.

    Returns:
        0 when all is well, 1 when a cell or a check failed, 2 for bad input, 130 when
        interrupted, 143 when terminated.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character shows its number; it does not end the run.
            stream.reconfigure(errors="backslashreplace")
    with stoppable() as stop:
        try:
            return _run(arguments)
        except UserError as error:
            print(f"tunebench: {' '.join(str(error).split())}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            # The reader left, as `head` does; what is still buffered has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except OSError as error:
            print(f"tunebench: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
        except (KeyboardInterrupt, SystemExit) as error:
            if isinstance(error, SystemExit) and stop.number is None:
                raise
            again = arguments[:1] in (["compare"], ["tune"])
            goes_on = "; the same command goes on from here" if again else ""
            print(f"tunebench: stopped{goes_on}", file=sys.stderr)
            return stop.code


def _run(arguments: list[str]) -> int:
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
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
