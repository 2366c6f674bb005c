"""A folder as a registry: each file of a package is one member, found by the file's name.

Methods and objectives are found this way. A folder that a caller appends to the package's
`__path__` counts as well, so that a member can live outside of this project. Files that begin
with `_`, and those that a registry names as common, are no members.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import UnknownName, UserError


def member_files(folders: Iterable[str], common: Collection[str] = ("base",)) -> Mapping[str, Path]:
    """Every member's file by its name, in alphabetical order; nothing is imported."""
    paths = (path for folder in folders for path in Path(folder).glob("*.py"))
    members = {path.stem: path for path in paths if not path.stem.startswith("_")}
    return {name: members[name] for name in sorted(members.keys() - set(common))}


def import_member(
    package: str, name: str, attribute: str, *, kind: str, known: Iterable[str]
) -> Any:
    """What a member's file offers under `attribute`, such as `METHOD`.

    Args:
        package: The registry's full name, such as `tunebench.methods`.
        name: The member that is wanted.
        attribute: The name in the member's file.
        kind: What a member is called in an error message.
        known: The names of all members.

    Raises:
        UnknownName: No member has this name; the message lists those that there are.
        UserError: The member's file fails when it is imported, or does not offer the attribute.
    """
    known = tuple(known)
    if name not in known:
        raise UnknownName(kind, name, known)
    try:
        return getattr(importlib.import_module(f".{name}", package), attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # The file may be anybody's, and whatever it does when it is imported is its own fault.
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{kind} '{name}': its file cannot be imported ({reason})") from error
