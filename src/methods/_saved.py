"""Attaches the method of an adapter file to a backbone, with the weights that were trained."""

from __future__ import annotations

from pathlib import Path

from ..backbone.model import Backbone
from ..backbone.ports import NoPrompt
from ..errors import UserError
from ..methods import get_method
from ._file import fill, read
from ._metadata import AdapterMetadata, parse_header
from .base import Method, trained

INSIDE = "backbone."
"""What the names of the backbone's weights begin with in a classifier, and so in its file."""
SOFT_TOKEN = "[P]"
"""What stands for virtual tokens in a template; without any they come before the text."""


def attach_saved(path: str | Path, backbone: Backbone) -> Method:
    """Attach the method of an adapter file; a head that was saved with it is not read.

    Raises:
        UserError: The file is no adapter, does not fit this backbone, or has virtual tokens that
            belong elsewhere than before a text.
    """
    entries, tensors = read(path)
    metadata = parse_header(path, entries)
    method = saved_method(path, metadata)
    method.attach(backbone, restored=True)
    written = metadata.template
    if _has_later_soft_tokens(written) and not isinstance(backbone.prompt, NoPrompt):
        raise UserError(
            f"{path}: its virtual tokens belong in the places of data.template {written!r}, "
            "and there is no template here"
        )
    saved = {k.removeprefix(INSIDE): v for k, v in tensors.items() if k.startswith(INSIDE)}
    if saved.keys() != trained(backbone).keys():
        method.drop_encoder(backbone)
    fill(trained(backbone), saved, f"{path} does not fit '{method.name}' on this backbone")
    return method


def saved_method(path: str | Path, metadata: AdapterMetadata) -> Method:
    """The method of an adapter file with the hyperparameters it was trained with.

    Raises:
        UserError: There is no such method, or it has no such hyperparameters.
    """
    try:
        return get_method(metadata.method)(**metadata.hyperparameters)
    except TypeError as error:
        raise UserError(f"{path}: its method or hyperparameters are not read: {error}") from None


def _has_later_soft_tokens(written: str) -> bool:
    """Whether a template has soft tokens after anything else."""
    while written.startswith(SOFT_TOKEN):
        written = written.removeprefix(SOFT_TOKEN).lstrip(" ")
    return SOFT_TOKEN in written
