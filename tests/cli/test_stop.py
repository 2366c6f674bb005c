"""Ctrl-C and SIGTERM end a command in one line, with their own exit codes."""

from __future__ import annotations

import signal

import pytest
from tunebench.cli.stop import stoppable

from tests.test_main import fresh


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "terminated"]
)
@pytest.mark.parametrize("becomes", ["raise", "sys.exit(1)"])
def test_a_signal_unwinds_and_tells_which_it_was(
    number: signal.Signals, code: int, becomes: str
) -> None:
    done = fresh(
        f"""
        import os, sys
        from tunebench.__main__ import main
        from tunebench.cli import program
        from tunebench.cli.commands import Command

        def run(line, command):
            try:
                os.kill(os.getpid(), {int(number)})
            except KeyboardInterrupt:
                print("unwound")
                {becomes}

        program.COMMANDS = {{"compare": Command(run, "stops itself")}}
        sys.exit(main(["compare"]))
        """
    )
    assert done.returncode == code
    assert done.stdout == "unwound\n"
    assert done.stderr == "tunebench: stopped; the same command goes on from here\n"


def test_the_handlers_of_before_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stoppable() as stop:
        assert signal.getsignal(signal.SIGTERM) is not before
        assert stop.code == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_while_the_commands_are_imported_is_one_line() -> None:
    done = fresh(
        """
        import os, signal, sys
        from tunebench.__main__ import main

        class Interrupts:
            def find_spec(self, name, path=None, target=None):
                if name == "tunebench.cli.commands":
                    os.kill(os.getpid(), signal.SIGINT)

        assert "tunebench.cli.commands" not in sys.modules
        sys.meta_path.insert(0, Interrupts())
        sys.exit(main(["--help"]))
        """
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "tunebench: stopped\n"


def test_nothing_slow_is_imported_before_signals_are_received() -> None:
    """What is imported before is a time in which Ctrl-C is a traceback."""
    done = fresh(
        """
        import sys
        before = set(sys.modules)
        import tunebench.__main__
        print(*sorted(set(sys.modules) - before))
        """
    )
    imported = set(done.stdout.split())
    assert "tunebench.cli.stop" in imported
    slow = {"typing", "re", "dataclasses", "inspect", "contextlib", "argparse", "pathlib", "json"}
    assert not imported & slow


def test_outside_the_main_thread_no_signal_is_received_and_the_command_runs() -> None:
    done = fresh(
        """
        import threading
        from tunebench.__main__ import main
        codes = []
        thread = threading.Thread(target=lambda: codes.append(main(["--version"])))
        thread.start()
        thread.join()
        print(codes)
        """
    )
    assert done.stdout.splitlines()[-1] == "[0]", done.stderr
