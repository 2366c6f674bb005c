"""What is known of a backbone as a model that others have: its name on the hub and its licence."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from ..checkpoints.catalogue import is_on_hub
from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.gguf.file import GgufFile

PACKAGED: Mapping[str, str] = {
    "minilm": "sentence-transformers/all-MiniLM-L6-v2",
    "smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct",
}
"""What the hub calls the backbones known by name, as the packages that carry them say."""
FENCE = "---\n"
"""Before and after the metadata of a model card."""


def hub_name(name: str) -> str:
    """`owner/name` of a backbone on the hub; empty for a folder or a file."""
    return PACKAGED.get(name) or (name if is_on_hub(name) else "")


def licence(checkpoint: Checkpoint) -> str:
    """The licence that a checkpoint's own files name, as the hub spells it; empty where none does.

    A folder names it in its model card, a GGUF file in its metadata. Nothing is concluded from
    names, and a card that cannot be read names none.
    """
    if isinstance(checkpoint.files, GgufFile):
        named = checkpoint.files.metadata.get("general.license")
    else:
        named = _card_metadata(checkpoint).get("license")
    return named if isinstance(named, str) else ""


def _card_metadata(checkpoint: Checkpoint) -> Mapping[str, object]:
    """The metadata of the model card in a checkpoint's folder; empty where there are none."""
    try:
        text = (checkpoint.path / "README.md").read_text("utf-8")
        _, metadata, _ = text.split(FENCE, 2) if text.startswith(FENCE) else ("", "", "")
        read = yaml.safe_load(metadata)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError):
        return {}
    return read if isinstance(read, Mapping) else {}
