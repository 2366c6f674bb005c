"""Where a command reads results and where it writes, asked before the work and not at its end."""

from __future__ import annotations

import os
from pathlib import Path

from ..config import Experiment
from ..errors import UserError
from ..files import at_home


def results_folder(text: str | None) -> Path:
    """The folder of results that is meant: `--out` as typed, or the usual one."""
    return at_home(text or Experiment().out)


def folder_of_results(text: str | None) -> Path:
    """The same for a command that only looks.

    Raises:
        UserError: There is no such folder.
    """
    out = results_folder(text)
    if not out.is_dir():
        raise UserError(
            f"no folder '{out}': run `tunebench compare` first, or name another by --out"
        )
    return out


def made_folder(text: str, flag: str) -> Path:
    """A folder to write to, made if it is not there.

    Raises:
        UserError: It cannot be made, or nothing can be written there.
    """
    folder = at_home(text)
    _refuse_dead_link(folder, flag)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{flag}: cannot make the folder '{folder}' ({error.strerror})") from None
    return folder_to_write(text, flag)


def folder_to_write(text: str, flag: str) -> Path:
    """A folder that is there and can be written to, or can be made; nothing is made yet.

    Raises:
        UserError: A file stands in its way, or nothing can be written there.
    """
    folder = at_home(text)
    _refuse_dead_link(folder, flag)
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise UserError(f"{flag}: '{nearest}' is a file, and a folder is to be written")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{flag}: cannot write to the folder '{nearest}'")
    return folder


def _refuse_dead_link(folder: Path, flag: str) -> None:
    """Name a link to nothing, or to itself: the system would say that the file exists."""
    if folder.is_symlink() and not folder.exists():
        raise UserError(f"{flag}: '{folder}' is a link that leads nowhere")


def file_to_write(text: str, flag: str) -> Path:
    """A file in such a folder.

    Raises:
        UserError: There is a folder of that name, or its own folder cannot be written to.
    """
    file = at_home(text)
    if file.is_dir():
        raise UserError(f"{flag}: '{file}' is a folder, and a file is to be written")
    folder_to_write(str(file.parent), flag)
    return file


def keep_inputs(output: Path, flag: str, *inputs: Path) -> None:
    """See that nothing is written over what the command reads.

    Args:
        output: The file, or the folder, that is to be written.
        flag: What named it.
        inputs: Files that are read, and folders whose files are.

    Raises:
        UserError: The output is one of them, or an existing file in one of the folders.
    """
    for one in inputs:
        if not output.exists() or not one.exists():
            continue
        inside = one.is_dir() and any(part.samefile(one) for part in output.absolute().parents)
        if output.samefile(one) or (inside and output.is_file()):
            raise UserError(f"{flag}: '{output}' is what is read here, and would be written over")
