"""The program: `tunebench` or `python -m tunebench`.

Next to nothing is imported here, so that Ctrl-C is answered in one line from the first moment on,
also while the commands themselves are imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .cli.stop import stoppable


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name; those of the process by default.

    Returns:
        0 when all is well, 1 when a cell or a check failed, 2 for bad input, 130 when
        interrupted, 143 when terminated.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with stoppable() as stop:
        try:
            from .cli.program import run

            return run(arguments)
        except (KeyboardInterrupt, SystemExit) as error:
            if isinstance(error, SystemExit) and stop.number is None:
                raise
            again = arguments[:1] in (["compare"], ["tune"], ["work"])
            goes_on = "; the same command goes on from here" if again else ""
            print(f"tunebench: stopped{goes_on}", file=sys.stderr)
            return stop.code


if __name__ == "__main__":
    sys.exit(main())
