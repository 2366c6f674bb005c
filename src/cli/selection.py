"""Which methods were selected, and what the file and the flags say of each."""

from __future__ import annotations

from typing import Any, get_origin

from ..errors import UnknownName, UserError
from ..methods import names
from ..methods._catalogue import card, compared
from .draft import Draft
from .fields import core
from .flags import Flag, Line
from .yaml_file import scalar

EVERY = "all"
"""Stands for every method where `--methods` lists names."""


def put_methods(draft: Draft, line: Line) -> None:
    """The selected methods, in their order, with what the file and the flags say of each."""
    written = draft.values.get("methods")
    if written is not None and not isinstance(written, dict):
        raise UserError(f"{draft.place(('methods',))}: must be a mapping, such as `lora: {{}}`")
    from_file = dict(written or {})
    for name, settings in from_file.items():
        known_method(name, draft.place(("methods", name)))
        if settings is not None and not isinstance(settings, dict):
            raise UserError(f"{draft.place(('methods', name))}: must be a mapping, such as {{}}")
    named = _named(line)
    opened = [one for name in named for one in (names() if name == EVERY else (name,))]
    selected = tuple(dict.fromkeys(opened)) or tuple(from_file) or compared()
    merged = {name: dict(from_file.get(name) or {}) for name in selected}
    for flag in line.flags:
        if flag.path[0] == "methods" and len(flag.path) == 3:
            _put_pin(merged, flag, draft)
    for name, settings in merged.items():
        for setting in settings:
            _known_setting(name, setting, draft.place(("methods", name, setting)))
    draft.values["methods"] = merged
    if EVERY in named:
        wanted = [name for name in merged if name in named or name in from_file or merged[name]]
        optional = [name for name in merged if name not in wanted]
        draft.values.setdefault("optional", optional)


def _named(line: Line) -> tuple[str, ...]:
    """What `--methods` says, `all` as it stands."""
    text = line.text("methods")
    if text is None:
        return ()
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts:
        raise UserError("--methods: must name a method, such as --methods=lora,head")
    for name in parts:
        if name != EVERY:
            known_method(name, "--methods")
    return parts


def known_method(name: str, place: str) -> None:
    """Refuse a name that no method has, and say where it was written."""
    if name not in names():
        raise UserError(f"{place}: {UnknownName('method', name, names())}")


def _known_setting(method: str, setting: str, place: str) -> None:
    known = card(method).settings
    if setting not in known:
        raise UserError(f"{place}: {UnknownName(f'setting of {method}', setting, known)}")


def _put_pin(merged: dict[str, dict[str, Any]], flag: Flag, draft: Draft) -> None:
    _, method, setting = flag.path
    known_method(method, flag.typed)
    if method not in merged:
        raise UserError(f"{flag.typed}: {method} is not among the methods ({', '.join(merged)})")
    merged[method][setting] = _pinned(method, setting, flag)
    draft.places[flag.path] = flag.typed


def _pinned(method: str, setting: str, flag: Flag) -> Any:
    """A flag's value; a setting that is itself a list may be typed as names with commas."""
    known = card(method).settings.get(setting)
    listed = known is not None and get_origin(core(known.annotation)[0]) is tuple
    if not listed or flag.text.lstrip().startswith(("[", "{")):
        return scalar(flag.text, flag.typed)
    parts = [scalar(part.strip(), flag.typed) for part in flag.text.split(",") if part.strip()]
    return parts if any(isinstance(part, str) for part in parts) else scalar(flag.text, flag.typed)
