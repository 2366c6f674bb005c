"""A backbone from the Hugging Face hub: of `owner/name` the few files that are read, no others.

What an earlier run fetched is taken from the client's cache without asking anybody. Else one
bounded probe tells whether the hub is there: the client library alone would retry for minutes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError
from ..reachability import TooLate, call_with_timeout, endpoint, unreachable
from .files import INDEX, shards

SMALL_SECONDS, WEIGHT_SECONDS = 60.0, 3600.0
"""A file that is not there after so long is given up; the next attempt resumes it."""
SETTINGS = ("config.json", "tokenizer.json")
OPTIONAL = "generation_config.json"
"""What ends a generated text; it goes before config.json, as in a folder."""
WEIGHTS = "model.safetensors"
PUBLIC = "https://huggingface.co"

Get = Callable[[str], Path | None]
"""Gives the local copy of a file of the repository; none where it has no such file."""


def fetch(name: str, here: str) -> Path:
    """The folder in which a repository's config.json, tokenizer.json and safetensors lie.

    Args:
        name: The repository, `owner/name`.
        here: The backbones that there are without the hub, in words.

    Raises:
        UserError: The hub cannot be reached, or the repository has not what is needed.
    """
    folder = _folder(lambda file: _cached(name, file))
    if folder is not None:
        return folder
    wanted = f"{', '.join(SETTINGS)} and {WEIGHTS}"
    why = unreachable()
    if why:
        raise UserError(
            f"backbone '{name}' is no folder here, and the hub's {wanted} cannot be fetched: {why} "
            f"(available here: {here}, or the path of a folder or GGUF file)"
        )
    folder = _folder(lambda file: _download(name, file))
    if folder is None:
        raise UserError(
            f"backbone '{name}': {endpoint()} has not all of {wanted} (or its shards); "
            "weights in pickles are not read"
        )
    _download(name, OPTIONAL)
    return folder


def fetch_generation_settings(name: str, folder: Path) -> None:
    """Fetch what ends a generated text, where an earlier version of this program left it out.

    Without it where the hub cannot be asked. The client notes in its cache which files a repository
    does not have, so the hub is asked once.
    """
    from huggingface_hub import try_to_load_from_cache

    commit = folder.name
    if try_to_load_from_cache(name, OPTIONAL, revision=commit) is None and not unreachable():
        with contextlib.suppress(UserError):
            _download(name, OPTIONAL, revision=commit)


def _folder(get: Get) -> Path | None:
    """Where the files lie that a backbone needs, all of them got; none where one is missing."""
    settings = [get(file) for file in SETTINGS]
    if None in settings:
        return None
    if get(WEIGHTS) is None:
        listed = get(INDEX)
        if listed is None:
            return None
        names = shards(listed)
        if not names or None in [get(name) for name in names]:
            return None
    return settings[0].parent if settings[0] is not None else None


def _cached(name: str, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(name, file)
    return Path(path) if isinstance(path, str) else None


def _download(name: str, file: str, revision: str | None = None) -> Path | None:
    """The local copy, fetched now; none where the repository has no such file."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    # A token is for the public hub's gated repositories, never for a mirror's eyes.
    token = None if endpoint() == PUBLIC else False
    seconds = SMALL_SECONDS if file.endswith(".json") else WEIGHT_SECONDS
    try:
        return Path(
            call_with_timeout(
                seconds,
                lambda: hf_hub_download(
                    name, file, revision=revision, endpoint=endpoint(), token=token
                ),
            )
        )
    except EntryNotFoundError:
        return None
    except TooLate:
        raise UserError(
            f"backbone '{name}': {file} was not fetched within {seconds:.0f} seconds"
        ) from None
    except Exception as error:  # the client lets its transport's own errors through
        text = str(error).strip() or type(error).__name__
        raise UserError(
            f"backbone '{name}': {file} cannot be fetched: {text.splitlines()[0]}"
        ) from None
