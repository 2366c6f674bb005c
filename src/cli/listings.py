"""The tables of what there is: methods, tasks, backbones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..checkpoints.catalogue import KNOWN
from ..config import Choice, Range
from ..data.tasks import SUITES, get_task
from ..methods import names
from ..methods._catalogue import HEADINGS, Card, card
from ..methods._settings import Setting
from .text_table import format_table


def methods() -> str:
    """Every method in a line or two: what it is and what it trains."""
    cards = [card(name) for name in names()]
    usual = format_table(map(_row, (c for c in cards if c.compared)))
    others = format_table(map(_row, (c for c in cards if not c.compared)))
    end = "`tunebench methods NAME` tells its formula, settings and ranges."
    by_name = f"compared only where named, or with --methods all\n{others}"
    return "\n\n".join([usual, *([by_name] if others else []), end])


def method(name: str) -> str:
    """One method: its header, its settings, their ranges.

    Raises:
        UnknownName: There is no such method.
    """
    method_card = card(name)
    formula = "\n".join(f"    {line}" if line else "" for line in method_card.formula.splitlines())
    header = format_table(
        ((key, method_card.header[key]) for key in HEADINGS if key in method_card.header), 0
    )
    rows = [
        (s.name, s.written, _written(s.default), _searched(s))
        for s in method_card.settings.values()
    ]
    parts = [method_card.title, formula.strip("\n"), header]
    if rows:
        parts.append(f"settings (--methods.{name}.SETTING=…)\n{format_table(rows)}")
        parts.append(
            format_table((s.name, s.about) for s in method_card.settings.values() if s.about)
        )
    return "\n\n".join(part for part in parts if part)


def methods_as_json(selected: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The same for a script: every method, or the named ones, with settings and ranges.

    Raises:
        UnknownName: There is no such method.
    """
    return [
        {
            "name": one.name,
            "title": one.title,
            "compared": one.compared,
            "formula": one.formula,
            **{heading.lower(): text for heading, text in one.header.items()},
            "settings": [
                {
                    "name": setting.name,
                    "type": setting.written,
                    "default": setting.default,
                    "range": None if setting.range is None else asdict(setting.range),
                    "about": setting.about,
                }
                for setting in one.settings.values()
            ],
        }
        for one in map(card, selected or names())
    ]


def tasks() -> str:
    """Every built-in task by suite, and how a file of one's own becomes one."""
    parts = []
    for suite, members in SUITES.items():
        known = [get_task(name) for name in members]
        rows = [(task.name, " + ".join(task.metrics), task.about) for task in known]
        parts.append(f"{suite}\n{format_table(rows)}")
    own_file = "A file of your own: tunebench compare ./my.tsv --text question --label intent"
    return "\n\n".join([*parts, own_file])


def tasks_as_json() -> list[dict[str, Any]]:
    """The built-in tasks for a script."""
    return [
        {"suite": suite, **asdict(get_task(name))}
        for suite, members in SUITES.items()
        for name in members
    ]


def backbones() -> str:
    """Every backbone known by name, and what else may stand for one."""
    rows = [(b.name, f"{b.layers} layers", f"{b.width} wide", b.about) for b in KNOWN.values()]
    own_folder = "Or a Hugging Face folder, or a GGUF file: --backbone PATH"
    hub = "Or a name on the hub, fetched once: --backbone answerdotai/ModernBERT-base"
    return f"{format_table(rows)}\n\n{own_folder}\n{hub}"


def backbones_as_json() -> list[dict[str, Any]]:
    """The backbones known by name, for a script."""
    return [asdict(one) for one in KNOWN.values()]


def _row(method_card: Card) -> tuple[str, str]:
    return (
        method_card.name,
        f"{_about(method_card)} Trains: {method_card.header.get('Trains', 'see its file')}",
    )


def _about(method_card: Card) -> str:
    """The title without the method's name: `LoRA: a low-rank update` → `A low-rank update`."""
    head, colon, rest = method_card.title.partition(": ")
    return rest[:1].upper() + rest[1:] if colon else head


def _written(value: object) -> str:
    """A value as YAML writes it."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _searched(setting: Setting) -> str:
    match setting.range:
        case Choice(values=values):
            return "searched among " + ", ".join(_written(value) for value in values)
        case Range(low=low, high=high, log=log):
            return f"searched from {low:g} to {high:g}{', logarithmic' if log else ''}"
    return "not searched"
