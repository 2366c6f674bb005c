"""The settings in `adapter_config.json`: which are read, and which must be at their defaults.

A setting that is not known here may change what the adapter computes. It is therefore refused by
name, unless its value is the one that switches it off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..text import quoted

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
"""Settings of every PEFT file that do not change what the adapter computes."""


@dataclass(frozen=True)
class Known:
    """The settings of one type of adapter."""

    read: frozenset[str]
    """Those whose values become settings of our method."""
    idle: frozenset[str] = frozenset()
    """Those that matter in training alone, or that the names of the tensors say better."""
    only: Mapping[str, tuple[Any, ...]] | None = None
    """Those that are read with these values and no others."""
    library: str = "PEFT"
    """Whose settings they are."""

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse a setting that is not known and not switched off: it would be lost silently.

        Raises:
            UserError: The text names the setting and its value.
        """
        only = self.only or {}
        for key, value in settings.items():
            named = f"the {self.library} setting {key[:60]}={quoted(value, 200)}"
            if key in only and value not in only[key]:
                allowed = " or ".join(repr(each) for each in only[key])
                raise UserError(f"{named} is not read (only {allowed})")
            known = key in COMMON | self.read | self.idle or key in only
            if not known and value not in (None, False, [], {}):
                raise UserError(f"{named} is not read")


def demands(settings: Mapping[str, Any], module: str, layer: int) -> bool:
    """Whether PEFT's settings leave no doubt that this module has an adapter.

    An adapter may stand in some layers alone, and then the file has nothing of the others. What
    tells it from a damaged file are the settings that chose the modules. Where they choose by a
    pattern or leave modules out, there is a doubt, and the file's own tensors decide.

    Source: PEFT 0.21, `tuners/tuners_utils.py::check_target_module_exists`.

    Args:
        settings: Those of the folder.
        module: Transformers' name of a linear map in the model, such as
            `model.layers.1.self_attn.q_proj`.
        layer: The number of the layer that it is in.
    """
    targets = settings.get("target_modules")
    if not isinstance(targets, list) or settings.get("exclude_modules"):
        return False
    saved_whole = settings.get("modules_to_save")
    if isinstance(saved_whole, list) and set(map(str, saved_whole)) & set(module.split(".")):
        return False
    if module in targets:
        return True
    layers = settings.get("layers_to_transform")
    chosen = [layers] if isinstance(layers, int) else layers
    pattern = settings.get("layers_pattern") or []
    patterns = [pattern] if isinstance(pattern, str) else pattern
    if isinstance(chosen, list) and chosen:
        named = not patterns or bool(_words(patterns) & set(module.split(".")))
        if layer not in chosen or not named:
            return False
    return any(module.endswith(f".{target}") for target in targets)


def _words(patterns: object) -> frozenset[str]:
    return frozenset(map(str, patterns)) if isinstance(patterns, list) else frozenset()


def whole(settings: Mapping[str, Any], key: str) -> int:
    """A setting that must be a whole number of at least one."""
    value = settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(
            f"the PEFT setting {key} must be a whole number >= 1, but is {quoted(value)}"
        )
    return value


def real(settings: Mapping[str, Any], key: str, default: float, library: str = "PEFT") -> float:
    """A setting that must be a finite number."""
    value = settings.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
        raise UserError(f"the {library} setting {key} must be a number, but is {quoted(value)}")
    return float(value)


def flag(settings: Mapping[str, Any], key: str) -> bool:
    """A setting that must be true or false; false where it is missing."""
    value = settings.get(key) or False
    if not isinstance(value, bool):
        raise UserError(f"the PEFT setting {key} must be true or false, but is {quoted(value)}")
    return value


def tidy(value: float) -> int | float:
    """16.0 as 16, since PEFT calls `lora_alpha` an integer; 5.5 stays as it is."""
    return int(value) if value == int(value) else value
