"""What an experiment says of a method's settings: pins, choices and ranges.

A scalar pins, a list chooses, a mapping is a range by Optuna's own keywords. For a setting that is
itself a list (`sites`), a list pins and a list of lists chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from ..errors import Place, UnknownName, UserError
from ..methods._catalogue import card
from ..methods._settings import Setting
from ..validation import shown, under, validated
from .fields import core

RANGE = ("low", "high", "step", "log")


def checked(method: str, settings: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """A method's settings, each fit for its field.

    Args:
        method: A known method.
        settings: Known setting → a pin, a list of choices or a range.
        place: Names the setting at a path, as the user wrote it.

    Raises:
        UserError: A value is of the wrong type, or a range holds nothing.
    """
    known = card(method).settings
    checked_settings = {}
    for name, value in settings.items():
        checked_settings[name] = _value(known[name], value, under(place, name))
    return checked_settings


def _value(setting: Setting, value: Any, place: Place) -> Any:
    sequence = get_origin(core(setting.annotation)[0]) is tuple
    if isinstance(value, dict):
        return _range(setting, value, place)
    if isinstance(value, list) and (not sequence or any(isinstance(v, list) for v in value)):
        if not value:
            raise UserError(f"{place(())}: a list chooses, and this one is empty")
        return [_plain(setting, one, place) for one in value]
    return _plain(setting, value, place)


def _plain(setting: Setting, value: Any, place: Place) -> Any:
    """One value, fit for the field; a list stays a list, as YAML writes it."""
    fit = validated(setting.annotation, value, lambda path: place(()))
    return list(fit) if isinstance(fit, tuple) else fit


def _range(setting: Setting, value: Mapping[str, Any], place: Place) -> dict[str, Any]:
    kind, _ = core(setting.annotation)
    if kind not in (int, float):
        raise UserError(f"{place(())}: a range is for numbers, and this is {setting.written}")
    for key in value:
        if key not in RANGE:
            raise UserError(f"{place((key,))}: {UnknownName('key of a range', key, RANGE)}")
    missing = [key for key in ("low", "high") if key not in value]
    if missing:
        raise UserError(f"{place(())}: a range needs low and high, and {missing[0]} is missing")
    kinds = {"log": bool, "step": kind}
    numbers = {
        key: validated(kinds.get(key, setting.annotation), value[key], under(place, key))
        for key in RANGE
        if key in value
    }
    _check_bounds(numbers, place)
    return numbers


def _check_bounds(numbers: Mapping[str, Any], place: Place) -> None:
    low, high = numbers["low"], numbers["high"]
    if low > high:
        raise UserError(f"{place(())}: low <= high must hold, but got {shown(dict(numbers))}")
    if numbers.get("log") and low <= 0:
        raise UserError(f"{place(())}: a logarithmic range needs low > 0, but got {shown(low)}")
    if numbers.get("step", 1) <= 0:
        raise UserError(f"{place(())}: step > 0 must hold, but got {shown(numbers['step'])}")
    if numbers.get("log") and "step" in numbers:
        raise UserError(f"{place(())}: a logarithmic range has no step")
