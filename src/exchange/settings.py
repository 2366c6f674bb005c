"""The settings in `adapter_config.json`: what is understood, and what must be at rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UserError

COMMON = frozenset(
    {
        "auto_mapping",
        "base_model_name_or_path",
        "inference_mode",
        "modules_to_save",
        "peft_type",
        "peft_version",
        "revision",
        "task_type",
    }
)
"""Settings of every PEFT file that say nothing of the adapter's function."""


@dataclass(frozen=True)
class Known:
    """The settings of one type of adapter."""

    read: frozenset[str]
    """Those that are taken over."""
    idle: frozenset[str] = frozenset()
    """Those that are over once training is, or that the tensors' names tell better."""
    only: Mapping[str, tuple[Any, ...]] | None = None
    """Those that may have these values alone."""
    library: str = "PEFT"
    """Whose settings they are."""

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse what would be passed over: a setting that is not known and is not at rest.

        Raises:
            UserError: The text names the setting and its value.
        """
        only = self.only or {}
        for key, value in settings.items():
            named = f"the {self.library} setting {key}={value!r}"
            if key in only and value not in only[key]:
                allowed = " or ".join(repr(each) for each in only[key])
                raise UserError(f"{named} is not read (only {allowed})")
            known = key in COMMON | self.read | self.idle or key in only
            if not known and value not in (None, False, [], {}):
                raise UserError(f"{named} is not read")


def whole(settings: Mapping[str, Any], key: str) -> int:
    """A whole number of at least one."""
    value = settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"the PEFT setting {key} must be a whole number >= 1, but is {value!r}")
    return value


def real(settings: Mapping[str, Any], key: str, default: float, library: str = "PEFT") -> float:
    """A finite number."""
    value = settings.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
        raise UserError(f"the {library} setting {key} must be a number, but is {value!r}")
    return float(value)


def flag(settings: Mapping[str, Any], key: str) -> bool:
    """A switch, off where it is not there."""
    value = settings.get(key) or False
    if not isinstance(value, bool):
        raise UserError(f"the PEFT setting {key} must be true or false, but is {value!r}")
    return value


def tidy(value: float) -> int | float:
    """A whole number where it is one: PEFT calls `lora_alpha` an integer."""
    return int(value) if value == int(value) else value
