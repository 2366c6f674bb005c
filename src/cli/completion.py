"""`tunebench completion SHELL`: a script that lets a shell finish commands, flags and names.

Everything in it is read from the commands and the settings, so that nothing is listed twice. The
script is static: no program starts while somebody types.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from ..errors import UnknownName, UserError
from .fields import KeyPath, core, table
from .flags import Line

SHELLS = ("bash", "zsh", "fish")
ABOUT = "print a script that completes commands, flags and names in bash, zsh or fish"


@dataclass(frozen=True)
class Option:
    """A flag of a command."""

    name: str
    """Without its hyphens."""
    about: str
    takes_value: bool
    values: tuple[str, ...] = ()
    """What its value may be; empty where that is anything, such as a file."""


@dataclass(frozen=True)
class Completed:
    """A command with what may follow it."""

    name: str
    about: str
    words: tuple[str, ...]
    """Names that may follow; files may as well."""
    options: tuple[Option, ...]


def completion(line: Line, command: str) -> int:
    """Print the script for a shell."""
    print(script(_shell(line.words)), end="")
    return 0


def script(shell: str) -> str:
    """The script for a shell: one of `SHELLS`."""
    return _SCRIPTS[shell](tuple(commands()))


def commands() -> Iterator[Completed]:
    """Every command with its flags and the names that may follow it."""
    from . import help as texts
    from .commands import COMMANDS

    for name, command in COMMANDS.items():
        known = texts.about_flags(command)
        options = [
            Option(flag, known.get(flag, ""), takes_value=True, values=_values(path))
            for flag, path in command.flags().items()
        ]
        options += [Option(flag, text, False) for flag, text in command.switches.items()]
        options.append(Option("help", "Tell its flags.", takes_value=False))
        yield Completed(name, command.about, _words(command.words), tuple(options))


def _shell(words: Sequence[str]) -> str:
    if len(words) != 1:
        known = ", ".join(SHELLS)
        raise UserError(f"completion takes one shell ({known}), but got: {', '.join(words) or '-'}")
    if words[0] not in SHELLS:
        raise UnknownName("shell", words[0], SHELLS)
    return words[0]


def _words(pattern: str) -> tuple[str, ...]:
    """The names that a command's words stand for, by the help's `[TASK | FILE]...`."""
    from ..analysis.claims import known as claims
    from ..data.tasks import SUITES, task_names
    from ..methods import names

    lists: Mapping[str, Callable[[], Sequence[str]]] = {
        "TASK": task_names,
        "SUITE": lambda: tuple(SUITES),
        "METHOD": names,
        "CLAIM": lambda: tuple(claim.name for claim in claims()),
        "SHELL": lambda: SHELLS,
        "RUN": lambda: ("best",),
    }
    parts = pattern.replace("[", " ").replace("]", " ").replace(".", " ").replace("|", " ").split()
    return tuple(dict.fromkeys(name for part in parts if part in lists for name in lists[part]()))


def _values(path: KeyPath) -> tuple[str, ...]:
    """What a flag's value may be, where that is one of a few words."""
    if path == ("methods",):
        from ..methods import names

        return (*names(), "all")
    if path in (("backbone", "name"), ("backbone",)):
        from ..checkpoints.catalogue import KNOWN

        return tuple(KNOWN)
    if path in (("task",), ("tasks",)):
        return _words("TASK")
    field = table().get(path)
    if field is None:
        return ()
    kind, _ = core(field.annotation)
    if get_origin(kind) is tuple:
        kind = get_args(kind)[0]
    if kind is bool:
        return ("true", "false")
    return tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()


def _bash(every: Sequence[Completed]) -> str:
    """A function that fills COMPREPLY; where it fills in nothing, bash completes file names.

    Bash takes `--flag=value` apart at the `=`, zsh does not: both forms are understood. A list with
    commas is completed from its last comma on.
    """
    cases = "\n".join(_bash_case(one) for one in every)
    names = " ".join(one.name for one in every)
    return f"""_tunebench() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" flag="${{COMP_WORDS[COMP_CWORD-1]}}" head=""
    local flags="" words="" values="" valued=""
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "{names}" -- "$current"))
        return
    fi
    if [[ $current == --*=* ]]; then
        flag="${{current%%=*}}"; head="$flag="; current="${{current#*=}}"
    elif [[ $current == "=" ]]; then
        current=""
    elif [[ $flag == "=" ]]; then
        flag="${{COMP_WORDS[COMP_CWORD-2]}}"
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    if [[ -n $valued ]]; then
        [[ $current == *,* ]] && head="$head${{current%,*}},"
        COMPREPLY=($(compgen -P "$head" -W "$values" -- "${{current##*,}}"))
    elif [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$current"))
    elif [[ -n $words ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}}
complete -o default -F _tunebench tunebench
"""


def _bash_case(one: Completed) -> str:
    """A command's flags, its words, and what its flags take."""
    listed = " ".join(f"--{option.name}" for option in one.options)
    by_values: dict[tuple[str, ...], list[str]] = {}
    for option in one.options:
        if option.takes_value:
            by_values.setdefault(option.values, []).append(f"--{option.name}")
    cases = "".join(
        f"            {'|'.join(flags)}) valued=1; values={shlex.quote(' '.join(values))} ;;\n"
        for values, flags in by_values.items()
    )
    inner = f'        case "$flag" in\n{cases}        esac\n' if cases else ""
    return (
        f"    {one.name})\n        flags={shlex.quote(listed)}\n"
        f"        words={shlex.quote(' '.join(one.words))}\n{inner}        ;;"
    )


def _zsh(every: Sequence[Completed]) -> str:
    """Bash's function under zsh's own layer for such functions."""
    return f"autoload -Uz compinit bashcompinit\ncompinit\nbashcompinit\n{_bash(every)}"


def _fish(every: Sequence[Completed]) -> str:
    """One line for each command, flag and list of names."""
    lines = ["complete -c tunebench -e"]
    for one in every:
        about = _fish_quoted(one.about)
        lines.append(f"complete -c tunebench -n __fish_use_subcommand -f -a {one.name} -d {about}")
        after = f"complete -c tunebench -n '__fish_seen_subcommand_from {one.name}'"
        if one.words:
            lines.append(f"{after} -a {_fish_quoted(' '.join(one.words))}")
        for option in one.options:
            takes = " -r" if option.takes_value else ""
            if option.values:
                takes = f" -x -a {_fish_quoted(' '.join(option.values))}"
            lines.append(f"{after} -l {option.name}{takes} -d {_fish_quoted(option.about)}")
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    """A text in single quotes, in which fish knows two escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_SCRIPTS: Mapping[str, Callable[[Sequence[Completed]], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
