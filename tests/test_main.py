from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tunebench import __version__
from tunebench.__main__ import main
from tunebench.cli import commands
from tunebench.errors import UserError

HEAVY = (
    *("torch", "lightning", "mlflow", "optuna", "transformers", "matplotlib"),
    *("pandas", "pyarrow", "sklearn", "scipy"),
)


def fresh(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own, where nothing is imported yet."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


WATCHED = """
    import json, sys
    from tunebench.__main__ import main
    code = main(sys.argv[1:])
    sys.stderr.write("\\n" + json.dumps([code, [n for n in sys.modules]]))
"""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", 0),
        ("--help", 0),
        ("compare --help", 0),
        ("methods", 0),
        ("methods lora", 0),
        ("tasks", 0),
        ("backbones", 0),
        ("ledger rte", 0),
        ("ledger rtee", 2),
        ("compare sst2 --dry-run", 0),
        ("compare sst3", 2),
        ("compare sst2 --methods lroa", 2),
        ("compare sst2 --backbone minlm", 2),
        ("compare sst2 --search.trails=1", 2),
        ("compare sst2 --methods.lora.rnk=1", 2),
        ("methods lroa", 2),
        ("compar", 2),
        ("generate --help", 0),
        ("generate", 2),
        ("generate x --tokns 3", 2),
        ("generate x --backbone smolm2", 2),
    ],
)
def test_an_answer_that_needs_no_training_imports_nothing_heavy(line: str, code: int) -> None:
    done = fresh(WATCHED, *line.split())
    answer, modules = json.loads(done.stderr.splitlines()[-1])
    assert answer == code
    assert [name for name in HEAVY if name in modules] == []
    if code == 2:
        assert "pydantic" not in modules
        assert done.stdout == ""


COLUMNS = "--text question --label intent"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (f"FILE {COLUMNS}x", "no column 'intentx' (asked for by --label)"),
        ("FILE --text q --label intent", "no column 'q' (asked for by --text)"),
        (f"FILE {COLUMNS} --test nowhere.csv", "nowhere.csv: no such file"),
        (f"LATIN {COLUMNS}", "not UTF-8"),
        (f"ALONE {COLUMNS}", "intent"),
        (f"FILE {COLUMNS} --data.template Nothing", "it lacks the column {question}"),
        (f"FILE {COLUMNS} --data.template {{question}} --data.label_words=a,a", "different words"),
        ("sst2 --data.label_words=a,b", "--data.label_words: are for a template"),
        ("sst2 --data nowhere", "no folder 'nowhere'"),
        ("sst2 --executor nowhere", "--executor: unknown executor 'nowhere'"),
        ("sst2 --tracking-uri nowhere", "--tracking-uri: a tracking address must begin with"),
        ("sst2 --backbone.layers 99", "--backbone.layers: must be from 1 to 6"),
        ("sst2 --backbone smollm2 --backbone.layers 99", "must be from 1 to 30"),
        ("sst2 --backbone BACKBONE", "unknown model_type"),
        ("sst2 --seeds 1,1", "--seeds: no seed may stand twice"),
        ("sst2 --methods.lora.rank 0", "--methods.lora.rank"),
        ("sst2 --methods.lora.lr={low: 0.2, high: 0.1}", "low <= high must hold"),
        ("sst2 --methods.lora.lr={low: 0, high: 1, log: true}", "must be > 0"),
        ("sst2 --methods.lora.rank=[4,999]", "must be at most 384, the smaller side of 'attn.q'"),
        ("sst2 --methods.lora.sites=[attn.z]", "--methods.lora.sites: unknown linear map 'attn.z'"),
    ],
)
def test_what_the_user_s_files_and_settings_tell_is_answered_before_torch(
    line: str, hint: str, tmp_path: Path
) -> None:
    """Each is asked of one of the three commands in turn; all share the checks."""
    commands = ("compare", "compare --dry-run", "tune --methods lora")
    command = commands[sum(map(ord, line)) % len(commands)]
    rows = [f"how do I {n},class{n % 2}" for n in range(20)]
    (tmp_path / "FILE.csv").write_text("\n".join(["question,intent", *rows]))
    (tmp_path / "ALONE.csv").write_text("question,intent\n" + "one,same\n" * 9)
    (tmp_path / "LATIN.csv").write_bytes("question,intent\ncaf\xe9,x\nb,y\n".encode("latin-1"))
    (tmp_path / "BACKBONE").mkdir()
    (tmp_path / "BACKBONE" / "config.json").write_text('{"model_type": "unheard"}')
    words = [*command.split(), "--out", str(tmp_path / "out"), "--data.source=pocket"]
    for word in re.split(r" (?![^{]*})", line):
        there = [tmp_path / f"{word}.csv", tmp_path / word]
        words.append(next((str(path) for path in there if path.exists()), word))
    done = fresh(WATCHED, *words)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 2
    assert [name for name in HEAVY if name in modules] == []
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("tunebench: "))
    assert hint in line


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("tasks >/dev/full", 1, "tunebench: [Errno 28] No space left on device\n"),
        ("--help >/dev/full 2>/dev/full", 1, ""),
        ("tasks >&- <&-", 0, ""),
        ("compar 2>/dev/full", 2, ""),
        ("compar 2>&-", 2, ""),
    ],
)
def test_a_stream_that_leads_nowhere_changes_no_exit_code(
    line: str, code: int, message: str
) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = f'"{sys.executable}" -m tunebench {line}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, message)
    assert done.stdout == ""


def test_a_backend_that_matplotlib_does_not_know_ends_nothing() -> None:
    done = fresh(
        """
        import os
        os.environ["MPLBACKEND"] = "nowhere"
        from tunebench.__main__ import main
        main(["--version"])
        import matplotlib
        print(matplotlib.__name__)
        """
    )
    assert done.stdout.splitlines()[1:] == ["matplotlib"], done.stderr


def test_importing_the_package_imports_nothing_heavy() -> None:
    done = fresh(
        f"""
        import sys, tunebench
        dir(tunebench), tunebench.Experiment, tunebench.get_method
        print([name for name in {HEAVY} if name in sys.modules])
        """
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_had() -> None:
    import tunebench

    assert set(tunebench.__all__) <= set(dir(tunebench))
    for name in tunebench.__all__:
        assert getattr(tunebench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'comparee'"):
        tunebench.comparee  # noqa: B018


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("compar", "did you mean 'compare'?"),
        ("compare sst3", "did you mean 'sst2'?"),
        ("compare --methods=lroa", "did you mean 'lora'?"),
        ("compare --bakbone=x", "did you mean '--backbone'?"),
        ("methods lroa", "did you mean 'lora'?"),
        ("tasks sst2", "tasks takes no word"),
        ("ui --port x", "--port: must be a whole number"),
        ("doctor --out nowhere", "no folder 'nowhere'"),
        ("report --out nowhere", "no folder 'nowhere'"),
        ("tune rte", "one task and one method"),
        ("tune rte,mrpc --methods lora", "one task and one method"),
        ("tune glue --methods lora", "one task and one method"),
        ("tune --methods lora", "one task and one method"),
        ("compare sst2 --out /dev/null/x", "cannot make the folder"),
        ("compare sst2 --out=", "--out: must name a folder"),
        ("generate", "generate takes a prompt"),
        ("generate caf\udce9", "a prompt must be text that UTF-8 can hold"),
        ("generate x --tokns 3", "did you mean '--tokens'?"),
        ("generate x --no-cahce", "did you mean '--no-cache'?"),
        ("generate x --tokens 0", "--tokens: must be >= 1, but got 0"),
        ("generate x --top-p 1.5", "--top-p: must be <= 1, but got 1.5"),
        ("generate x --temperature=-1", "--temperature: must be >= 0, but got -1"),
        ("generate x --backbone smolm2", "did you mean 'smollm2'?"),
        ("generate x --adapter nowhere", "--adapter: no adapter file 'nowhere'"),
        ("generate x --backbone minilm", "only a decoder generates"),
    ],
)
def test_a_mistake_is_answered_in_one_line_with_exit_code_2(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tunebench: ")
    assert err.count("\n") == 1
    assert hint in err


@pytest.mark.parametrize("line", ["--version", "-V"])
def test_the_version_is_the_package_s(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([line]) == 0
    assert capsys.readouterr().out == f"tunebench {__version__}\n"


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_has_a_help_that_names_its_flags(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    for flag in commands.COMMANDS[name].flags():
        shown = flag if "." in flag or flag in ("tasks",) else flag.replace("_", "-")
        assert f"--{shown}" in out or flag == "tasks"
    assert all(len(line) <= 100 for line in out.splitlines())


def test_a_plan_counts_cells_and_trainings_and_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = "compare rte mrpc --methods=head,lora --seeds=0,1,2 --trials=4 --dry-run --out"
    assert main([*line.split(), str(out)]) == 0
    text = capsys.readouterr().out
    assert "12 (tasks × methods × seeds)" in text
    assert f"at most {2 * 2 * (4 + 3)}: 4 trials and 3 seeds" in text
    assert not out.exists()


def raising(error: BaseException) -> commands.Command:
    def run(line: object, command: str) -> int:
        raise error

    return commands.Command(run, "raises")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("two\nlines"), 2, "tunebench: two lines\n"),
        (OSError(28, "No space left on device", "x"), 1, "No space left on device: 'x'"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_what_ends_a_command_decides_its_exit_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tunebench.cli.program.COMMANDS", {"raise": raising(error)})
    assert main(["raise"]) == code
    assert message in capsys.readouterr().err


def test_an_exit_that_no_signal_caused_stays_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunebench.cli.program.COMMANDS", {"raise": raising(SystemExit(7))})
    with pytest.raises(SystemExit, match="7"):
        main(["raise"])


def test_a_reader_that_leaves_is_no_error() -> None:
    program = [sys.executable, "-m", "tunebench", "compare", "--help"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 141


def test_a_terminal_without_greek_still_shows_the_methods() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tunebench", "methods", "lora"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert done.returncode == 0
    assert b"alpha" in done.stdout


def test_a_message_stays_short_however_long_the_value_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for line in (["compare", "x" * 9000], ["y" * 9000], ["compare", "--methods", "z" * 9000]):
        assert main(line) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        assert len(message) < 900
        assert "known: " in message
