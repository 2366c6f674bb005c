"""A method's search space: its fields' own ranges, under what the user pinned, listed or bounded.

In an experiment a scalar pins, a list chooses, a mapping is handed to Optuna's `suggest_float` or
`suggest_int` by its own keyword names, and an absent key uses the field's own range. A field
without a range keeps its default.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ..config import Choice, Range
from ..errors import UnknownName, UserError
from ..methods.base import Method


@dataclasses.dataclass(frozen=True)
class Space:
    """What is searched, and what is fixed."""

    searched: Mapping[str, BaseDistribution]
    fixed: Mapping[str, Any]
    defaults: Mapping[str, Any]
    """Trial 0: the method's own defaults, as far as the ranges hold them."""

    def hyperparameters(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A method's full settings from a trial's values."""
        return {**self.fixed, **{key: _unpacked(value) for key, value in params.items()}}

    def contains(self, key: str, value: Any) -> bool:
        """Whether a searched setting may have this value, as Optuna holds it."""
        try:
            return _holds(self.searched[key], value)
        except TypeError:
            return False


def space(kind: type[Method], settings: Mapping[str, Any]) -> Space:
    """The search space of a method under an experiment's settings for it.

    Raises:
        UserError: Where a setting is no field of the method, or a range is none.
    """
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    hints = get_type_hints(kind, include_extras=True)
    name = kind.__module__.rpartition(".")[2]
    for key in settings:
        if key not in fields:
            raise UnknownName(f"setting of methods.{name}:", key, fields)
    searched: dict[str, BaseDistribution] = {}
    fixed: dict[str, Any] = {}
    for key, field in fields.items():
        setting = settings.get(key, _default_range(hints[key], field.default))
        choice = _read(setting, hints[key], f"methods.{name}.{key}")
        if isinstance(choice, BaseDistribution):
            searched[key] = choice
        else:
            fixed[key] = choice
    defaults = {
        key: packed(fields[key].default)
        for key, distribution in searched.items()
        if _holds(distribution, packed(fields[key].default))
    }
    return Space(searched, fixed, defaults)


def boundary_settings(space: Space) -> Iterator[dict[str, Any]]:
    """Trial 0's settings, then each searched one at each choice or bound, the others as there."""
    ends = {key: _ends(distribution) for key, distribution in space.searched.items()}
    first = {key: space.defaults.get(key, values[0]) for key, values in ends.items()}
    yield space.hyperparameters(first)
    for key, values in ends.items():
        for value in values:
            yield space.hyperparameters(first | {key: value})


def _ends(distribution: BaseDistribution) -> tuple[Any, ...]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    return distribution.low, distribution.high


def _default_range(hint: Any, default: Any) -> Any:
    """What the field's annotation says, or its default where it says nothing."""
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((mark for mark in marks if isinstance(mark, (Choice, Range))), default)


def _read(setting: Any, hint: Any, where: str) -> Any:
    """A distribution, or the fixed value."""
    if isinstance(setting, Range):
        return FloatDistribution(setting.low, setting.high, log=setting.log)
    if isinstance(setting, Choice):
        return CategoricalDistribution([packed(value) for value in setting.values])
    if isinstance(setting, Mapping):
        return _bounded(setting, _plain(hint), where)
    if isinstance(setting, list) and not _is_sequence(hint, setting):
        if not setting:
            raise UserError(f"{where}: an empty list leaves nothing to choose from")
        return CategoricalDistribution([packed(_cast(v, hint)) for v in setting])
    return _cast(setting, hint)


def _bounded(setting: Mapping[str, Any], kind: Any, where: str) -> BaseDistribution:
    """Optuna's own range by its own keyword names."""
    make = IntDistribution if kind is int else FloatDistribution
    try:
        return make(**setting)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {dict(setting)} is no range for Optuna: {error}") from None


def _plain(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _is_sequence(hint: Any, setting: list[Any]) -> bool:
    """Whether a list is the value itself: for a sequence field, unless a list of lists."""
    return get_origin(_plain(hint)) is tuple and not any(
        isinstance(v, (list, tuple)) for v in setting
    )


def _cast(value: Any, hint: Any) -> Any:
    if get_origin(_plain(hint)) is tuple:
        return tuple(value)
    return float(value) if _plain(hint) is float else value


def packed(value: Any) -> Any:
    """A value as Optuna holds it: its categories are plain, so a sequence becomes JSON text."""
    return json.dumps(list(value)) if isinstance(value, (list, tuple)) else value


def as_fields(params: Mapping[str, Any]) -> dict[str, Any]:
    """A record's settings as the method's fields hold them: JSON has lists, but no tuples."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in params.items()}


def _unpacked(value: Any) -> Any:
    return tuple(json.loads(value)) if isinstance(value, str) and value.startswith("[") else value


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    """Whether the value lies in the distribution's range.

    Raises:
        TypeError: The value cannot be compared with the range's bounds.
    """
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    return bool(distribution.low <= value <= distribution.high)
