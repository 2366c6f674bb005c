"""Backbones in this project's own settings: `model_type` "tunebench", our names, our tensors.

Without weight files such a folder is a backbone to train from scratch:

    {"model_type": "tunebench", "seed": 0, "vocabulary": 600, "width": 64, "layers": 2, "heads": 4,
     "key_heads": 4, "head_size": 16, "hidden": 128, "context": 128, "causal": false,
     "positions": "sinusoidal", "norm": "layer", "norm_place": "after", "mlp": "gelu", "bias": true}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ...backbone.config import BackboneConfig
from ...errors import UnknownName, UserError
from .family import Family, Part

BESIDE = ("model_type", "seed")


class _Same(dict[str, str | Part]):
    """Every tensor has our name."""

    def __missing__(self, key: str) -> str:
        return key


def own_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """The fields of `BackboneConfig`, each fit for its type."""
    from pydantic import TypeAdapter, ValidationError  # which other families need not wait for

    fields = [field.name for field in dataclasses.fields(BackboneConfig)]
    values = {key: value for key, value in raw.items() if key not in BESIDE}
    for key in values:
        if key not in fields:
            raise UnknownName("setting", key, fields)
    try:
        return TypeAdapter(BackboneConfig).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "settings"
        raise UserError(f"{place}: {first['msg']}") from None


FIRST_NAMES = {
    "embedding.weight": "words.weight",
    "norm_embedding.weight": "norm_words.weight",
    "norm_embedding.bias": "norm_words.bias",
}
"""What some tensors were called in files that were written before they had the field's names."""
OWN = Family(own_config, _Same(), fresh=True, aliases=FIRST_NAMES)
