"""What a backbone's shape allows of a method's settings, checked without importing the method.

A method's file says it beside the setting, as in `rank: Annotated[int, AtMost("sites")]`, where it
is read as text. The method's own `check`, which runs on the imported class, has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..backbone.config import BackboneConfig
from ..config import AtMost, Below, Choice, Range, Sites
from ..errors import Place, UnknownName, UserError
from ._catalogue import card
from ._settings import Setting


def check_limits(
    method: str,
    settings: Mapping[str, Any],
    cfg: BackboneConfig,
    place: Place,
    *,
    trials: int,
) -> None:
    """Refuse what a backbone of this shape cannot have, of pins, choices and ranges alike.

    Args:
        method: A known method.
        settings: What the experiment says of its settings; the others have their own ranges.
        cfg: The backbone's shape.
        place: Names a setting as the user wrote it.
        trials: How many there are: a single one has the defaults, whatever the ranges allow.

    Raises:
        UserError: A value is out of the backbone's limits.
    """
    known = card(method).settings
    values = {
        name: list(_values(setting, settings.get(name, setting.range if trials > 1 else None)))
        for name, setting in known.items()
    }
    for name, setting in known.items():
        for mark in getattr(setting.annotation, "__metadata__", ()):
            for value in values[name]:
                _check(mark, value, values.get("sites", []), cfg, place((name,)))


def _values(setting: Setting, value: Any) -> Iterator[Any]:
    """Every value that is pinned or listed, both ends of a range, and else the default."""
    match value:
        case None:
            yield setting.default
        case Range(low=low, high=high):
            yield from (low, high)
        case Choice(values=values):
            yield from values
        case Mapping():
            yield from (value[end] for end in ("low", "high") if end in value)
        case list() | tuple() if not isinstance(setting.default, tuple):
            yield from value
        case list() | tuple() if any(isinstance(one, list | tuple) for one in value):
            yield from value
        case _:
            yield value


def _check(
    mark: object, value: Any, sites: Sequence[Sequence[str]], cfg: BackboneConfig, place: str
) -> None:
    match mark:
        case Sites():
            _check_sites(value, cfg, place)
        case AtMost(limit="width") if value > cfg.width:
            raise UserError(f"{place}: must be at most the width {cfg.width}, but got {value}")
        case AtMost(limit="sites"):
            chosen = {site for group in sites for site in group if site in cfg.sites}
            sides = {site: min(cfg.linear(site)) for site in cfg.sites if site in chosen}
            narrowest = min(sides, key=lambda site: sides[site], default="")
            if narrowest and value > sides[narrowest]:
                raise UserError(
                    f"{place}: must be at most {sides[narrowest]}, the smaller side of "
                    f"'{narrowest}', but got {value}"
                )
        case Below(limit="context") if value >= cfg.context:
            raise UserError(
                f"{place}: must be less than the backbone's context of {cfg.context} tokens, "
                f"but got {value}"
            )


def _check_sites(sites: Sequence[str], cfg: BackboneConfig, place: str) -> None:
    """A block has each of these linear maps, and there is at least one."""
    if not sites:
        raise UserError(f"{place}: at least one linear map is needed ({', '.join(cfg.sites)})")
    for site in sites:
        if site not in cfg.sites:
            raise UserError(f"{place}: {UnknownName('linear map', site, cfg.sites)}")
    if len(set(sites)) < len(sites):
        raise UserError(f"{place}: no linear map may stand twice, but got {', '.join(sites)}")
