"""The help texts, made from the commands and from the settings' own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args, get_origin

from ..config import Generation
from .commands import COMMANDS, Command
from .fields import SHORT, Field, KeyPath, core, table
from .text_table import format_table

_OTHER: Mapping[str, str] = {
    "experiment": "A YAML file with any of these settings; flags override it.",
    "out": "Folder of results, report and databases (runs).",
    "tracking-uri": "MLflow's tracking server; none means SQLite inside --out.",
    "optuna-storage": "Where Optuna's copy of the trials is; none means SQLite inside --out.",
    "host": "The address to listen on (127.0.0.1).",
    "port": "The port to listen on (the first free one from 5000 on).",
}


def overview() -> str:
    """What the program does, and its commands."""
    rows = format_table((name, command.about) for name, command in COMMANDS.items())
    return (
        "tunebench: fine-tuning methods on one frozen transformer, side by side\n\n"
        f"usage: tunebench COMMAND [...]\n\n{rows}\n\n"
        "`tunebench COMMAND --help` tells a command's flags. A first run: tunebench compare glue"
    )


def of(name: str) -> str:
    """One command's usage and flags."""
    command = COMMANDS[name]
    words = " ".join(part for part in ("tunebench", name, command.words) if part)
    flags = command.flags()
    usage = f"usage: {words}" + (" [--FLAG VALUE]..." if flags else "")
    about = command.about[:1].upper() + command.about[1:] + "."
    rows = _settings(command) if "experiment" in flags else _few(command)
    return "\n\n".join([usage, about, *rows])


def about_flags(command: Command) -> dict[str, str]:
    """Each flag of a command that takes a value → what it means."""
    by_path = {path: _about(field) for path, field in {**table(), **table(Generation)}.items()}
    short = {name: f"Short for --{'.'.join(path)}." for name, path in SHORT.items()}
    few = {**_OTHER, **command.flag_help}
    return {
        name: few.get(name) or by_path.get(path) or short.get(name, "")
        for name, path in command.flags().items()
    }


def _few(command: Command) -> list[str]:
    rows = [(f"--{name}", about) for name, about in about_flags(command).items()]
    rows += [(f"--{name}", about) for name, about in command.switches.items()]
    return [format_table(rows)] if rows else []


def _settings(command: Command) -> list[str]:
    """Every setting by group, with its default."""
    groups: dict[str, list[tuple[str, str]]] = {"": []}
    for path, field in table().items():
        group = path[0] if len(path) > 1 else ""
        if path not in (("tasks",), ("methods",)):
            groups.setdefault(group, []).append((_shown(path), _about(field)))
    first = [
        ("--experiment FILE", _OTHER["experiment"]),
        ("--methods A,B", "Only these methods, in this order; all means every one there is."),
        (
            "--methods.M.S=VALUE",
            "Pins a method's setting; [4,8] chooses, {low: 1, high: 9} is a range.",
        ),
        *((f"--{name}", about) for name, about in command.flag_help.items()),
        *((f"--{name}", about) for name, about in command.switches.items()),
    ]
    short = [(f"--{name}", f"Short for --{'.'.join(path)}.") for name, path in SHORT.items()]
    parts = [format_table([*first, *groups.pop("")])]
    parts += [f"{group}\n{format_table(rows)}" for group, rows in groups.items()]
    return [*parts, f"short\n{format_table(short)}"]


def _shown(path: KeyPath) -> str:
    """A flag as we write it; a setting inside a group keeps its YAML spelling."""
    return f"--{path[0].replace('_', '-')}" if len(path) == 1 else f"--{'.'.join(path)}"


def _about(field: Field) -> str:
    default = (
        ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    )
    shown = "none" if default in (None, "") else default
    kind, _ = core(field.annotation)
    words = f"one of {', '.join(get_args(kind))}; " if get_origin(kind) is Literal else ""
    return f"{field.about} ({words}{shown})"
