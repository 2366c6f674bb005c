"""What the config.json of a Hugging Face folder says of the network, read without torch.

The command line asks this before anything heavy is imported: a family that is not known, a
setting that is missing or a weight file that is not there are answered at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..backbone.config import BackboneConfig
from ..errors import UnknownName, UserError
from .families import FAMILIES, Family
from .families.settings import check_numbers
from .files import read_json, weight_files


def read_folder_config(folder: Path) -> tuple[Family, Mapping[str, Any], BackboneConfig]:
    """A folder's family, its settings as they are written, and the shape of the network.

    Raises:
        UserError: config.json or the weights are missing, the family is unknown, or a setting is
            missing or out of range.
    """
    settings = folder / "config.json"
    files = weight_files(folder)
    if not settings.is_file():
        raise UserError(f"backbone folder {folder}: config.json is missing")
    raw = read_json(settings)
    kind = str(raw.get("model_type"))
    if kind not in FAMILIES:
        raise UnknownName(f"model_type in {settings}:", kind, FAMILIES)
    family = FAMILIES[kind]
    if not files and not family.fresh:
        raise UserError(f"backbone folder {folder}: a .safetensors file is missing")
    return family, raw, _configured(family, raw, settings)


def _configured(family: Family, raw: Mapping[str, Any], settings: Path) -> BackboneConfig:
    """The shape that a family reads from its settings; what is wrong with them names the file."""
    try:
        check_numbers(raw)
        return family.configure(raw)
    except KeyError as error:
        raise UserError(f"{settings}: the setting {error} is missing") from None
    except (AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{settings}: {error}") from None
