"""Completion, asked of the shells themselves: what each would offer after a line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tunebench.__main__ import main
from tunebench.cli.commands import COMMANDS
from tunebench.cli.completion import SHELLS, commands, script
from tunebench.methods import names

IN_BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_tunebench
printf '%s\\n' "${COMPREPLY[@]}"
"""
IN_ZSH = """
autoload -Uz bashcompinit; bashcompinit
complete() { : }
source <(grep -v -e '^autoload' -e '^compinit' -e '^bashcompinit' "$1"); shift
# As zsh's bashcompinit calls such a function.
emulate sh; setopt kshglob noshglob braceexpand
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tunebench; printf '%s\\n' "${COMPREPLY[@]}"
"""


def asked(command: list[str]) -> list[str]:
    """What a shell prints, a name a line."""
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert not ended.stderr
    return [line for line in ended.stdout.splitlines() if line]


def offers(shell: str, folder: Path, *words: str) -> list[str]:
    """What a shell offers for the last of these words, which follow the program's name."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    file = folder / "script"
    file.write_text(script(shell), "utf-8")
    if shell == "fish":
        line = " ".join(("tunebench", *words))
        ran = asked(["fish", "--no-config", "-c", f"source {file}; complete -C '{line}'"])
        return [one.split("\t")[0] for one in ran]
    if shell == "zsh":
        ran = asked(["zsh", "-f", "-c", IN_ZSH, "zsh", str(file), "tunebench", *words])
        return [one for one in ran if one.startswith(words[-1])]  # zsh itself picks what fits
    return asked(["bash", "--norc", "-c", IN_BASH, "bash", str(file), "tunebench", *words])


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_offers_commands_flags_names_and_values(shell: str, tmp_path: Path) -> None:
    assert offers(shell, tmp_path, "comp") == ["compare", "completion"]
    assert offers(shell, tmp_path, "methods", "prom") == ["prompt"]
    assert "sst2" in offers(shell, tmp_path, "compare", "sst")
    assert "--search.trials" in offers(shell, tmp_path, "compare", "sst2", "--search.tri")
    assert "--json" in offers(shell, tmp_path, "tasks", "--j")
    assert "--json" not in offers(shell, tmp_path, "ui", "--j")
    assert offers(shell, tmp_path, "compare", "--budget", "s") == ["standard"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_follows_an_equals_sign_or_a_comma_is_completed(shell: str, tmp_path: Path) -> None:
    """zsh keeps `--flag=value` in one word and wants the whole of it; bash has it in three."""
    assert offers(shell, tmp_path, "compare", "--methods", "head,pr") == [
        "head,prefix",
        "head,prompt",
    ]
    apart = ["--methods", "=", "lo"] if shell == "bash" else ["--methods=lo"]
    head = "" if shell == "bash" else "--methods="
    assert offers(shell, tmp_path, "compare", *apart) == [f"{head}lora"]


def test_bash_leaves_files_to_its_own_completion(tmp_path: Path) -> None:
    """Nothing of ours is offered where a flag takes a file, and a switch takes none."""
    assert offers("bash", tmp_path, "compare", "--out", "") == []
    assert "sst2" in offers("bash", tmp_path, "compare", "--dry-run", "")


def test_every_flag_of_every_command_is_known_with_its_meaning() -> None:
    for one in commands():
        command = COMMANDS[one.name]
        assert {option.name for option in one.options} == {
            *command.flags(),
            *command.switches,
            "help",
        }
        assert all(option.about for option in one.options), one.name
    methods = next(one for one in commands() if one.name == "methods")
    assert methods.words == tuple(names())


@pytest.mark.parametrize("words", [[], ["tcsh"], ["bash", "zsh"]])
def test_another_shell_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(shell in error for shell in SHELLS)


def test_a_script_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == script("bash")


def test_listings_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    for command, key in (("methods", "name"), ("tasks", "name"), ("backbones", "name")):
        assert main([command, "--json"]) == 0
        every = json.loads(capsys.readouterr().out)
        assert main([command]) == 0
        listed = capsys.readouterr().out
        assert all(one[key] in listed for one in every)
