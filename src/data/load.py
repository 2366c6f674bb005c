"""The one door to data: names in, tasks with rows out, and a line about where they came from.

`auto` looks in $GLUE_DIR, then asks the hub, then makes pocket data; a folder, `hub` or `pocket`
forces one. Everything is read or fetched here, before any cell starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..config import DataSettings
from ..errors import UserError
from ..files import at_home
from ..reachability import endpoint, unreachable
from .digest import digest
from .files import beside
from .folds import read_folds
from .glue import has_task, read_glue
from .hub import HubError, read_hub
from .own_file import read_task
from .tasks import GLUE, STAND_INS, SUITES, LoadedTasks, TaskData, expand, get_task, is_file

__all__ = ["digest", "load_task", "load_tasks"]

Say = Callable[[str], None]


def load_tasks(names: Sequence[str], settings: DataSettings, *, say: Say) -> LoadedTasks:
    """The tasks meant by `names`, in the order of mention, with all their rows.

    Args:
        names: tasks, suites, or one file of the user's own.
        settings: where to look.
        say: called with a line each about where data came from and what is missing.

    Returns:
        The tasks; its `left_out` names those of a suite that cannot be read, and why.

    Raises:
        UserError: an unknown name, a source that is not there, a single task that a folder lacks,
            or anything wrong with a file.
    """
    if not names:
        raise UserError("tasks: at least one is needed")
    files = [name for name in names if is_file(name)]
    if files and len(names) > 1:
        raise UserError(f"a file of your own is compared alone, but got: {', '.join(names)}")
    if files:
        loaded = LoadedTasks(_own_file(Path(files[0]), settings))
    else:
        _refuse_table_settings(settings)
        loaded = _built_in(names, settings.source, say)
    if loaded and loaded[0].fold is not None:
        _say_folds(loaded, loaded[0].fold.task, say)
        return loaded
    for data in loaded:
        name = data.task.name
        say(f"{name}: {data.source}, {len(data.train)} train and {len(data.test)} test rows")
        for note in data.notes:
            say(f"{name}: {note}")
    return loaded


def load_task(name: str, settings: DataSettings | None = None) -> TaskData:
    """One task by its name or file, for scripts and notebooks; says nothing, so see `notes`.

    Raises:
        UserError: as `load_tasks`, and for a suite or folds, which are several.
    """
    if name in SUITES:
        members = ", ".join(SUITES[name])
        raise UserError(f"'{name}' is a suite; load one of its tasks: {members}")
    settings = settings or DataSettings()
    if settings.folds is not None:
        raise UserError(f"data.folds: {settings.folds} folds are as many tasks; see load_tasks")
    return load_tasks([name], settings, say=lambda line: None)[0]


def _own_file(path: Path, settings: DataSettings) -> list[TaskData]:
    """The task of a file, or those of its folds."""
    if settings.folds is None:
        return [read_task(path, settings)]
    return read_folds(path, settings, settings.folds)


def _say_folds(folds: Sequence[TaskData], task: str, say: Say) -> None:
    """What there is to say of a file's folds, once for all of them."""
    sizes = [len(fold.test) for fold in folds]
    shown = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    say(f"{task}: {folds[0].source}; {shown} test rows in each fold, all others train")
    for note in folds[0].notes:
        say(f"{task}: {note}")


def _built_in(names: Sequence[str], source: str, say: Say) -> LoadedTasks:
    wanted = expand(names)
    single = {name for name in names if name not in SUITES}
    glue = [name for name in wanted if name in GLUE]
    left_out: dict[str, str] = {}
    glue_data = _glue(glue, single, source, say, left_out) if glue else {}
    loaded: dict[str, TaskData] = {}
    for name in wanted:
        data = glue_data.get(name) if name in GLUE else _pocket(name)
        if data is not None:
            loaded.setdefault(data.task.name, data)
    return LoadedTasks(loaded.values(), left_out)


def _glue(
    names: list[str], single: set[str], source: str, say: Say, left_out: dict[str, str]
) -> dict[str, TaskData]:
    """GLUE tasks, or their stand-ins, from the first source that is there.

    What a folder lacks or cannot be read is entered into `left_out`.
    """
    folder = _folder(source)
    if folder is not None:
        tasks, missing = _from_folder(folder, names, single, say)
        left_out.update(missing)
        return tasks
    if source == "pocket":
        return _stand_ins(names, say)
    why = unreachable()
    if not why:
        say(f"fetching {', '.join(names)} from {endpoint()}")
        try:
            return {name: read_hub(GLUE[name]) for name in names}
        except HubError as error:
            why = str(error)
    if source == "hub":
        raise UserError(f"--data hub: {why}")
    say(f"no $GLUE_DIR and the hub cannot be reached: built-in pocket data, not GLUE ({why})")
    return _stand_ins(names, say)


def _folder(source: str) -> Path | None:
    """The folder that is to be read, or none where another source is meant."""
    if source in ("pocket", "hub"):
        return None
    place = os.environ.get("GLUE_DIR", "") if source == "auto" else source
    if not place:
        return None
    folder = at_home(place)
    if not folder.is_dir():
        setting = "$GLUE_DIR" if source == "auto" else "--data"
        known = "auto, pocket, hub, or a folder in GLUE's layout"
        raise UserError(f"{setting}: no folder '{place}' (known: {known}; {beside(folder)})")
    return folder


def _from_folder(
    folder: Path, names: list[str], single: set[str], say: Say
) -> tuple[dict[str, TaskData], Mapping[str, str]]:
    """The tasks that a folder holds, and those of a suite that it lacks or that cannot be read.

    Raises:
        UserError: A task that was named alone, or every task of a suite, cannot be had.
    """
    there = [name for name in names if has_task(folder, GLUE[name])]
    missing = [name for name in names if name not in there]
    for name in missing:
        if name in single or not there:
            wanted = folder / GLUE[name].folder
            raise UserError(f"task '{name}': no folder {wanted} ({beside(wanted)})")
    if missing:
        say(f"{folder} has no folder for {', '.join(missing)}: left out")
    left_out = {name: f"{folder} has no folder {GLUE[name].folder}" for name in missing}
    tasks: dict[str, TaskData] = {}
    problems: list[UserError] = []
    for name in there:
        try:
            tasks[name] = read_glue(folder, GLUE[name])
        except UserError as error:
            # Of a suite the other tasks can be compared; a task that was asked for is refused.
            if name in single:
                raise
            say(f"{name}: left out, {error}")
            left_out[name] = str(error)
            problems.append(error)
    if not tasks:
        raise problems[0]
    return tasks, left_out


def _stand_ins(names: list[str], say: Say) -> dict[str, TaskData]:
    stand_ins: dict[str, TaskData] = {}
    for stand_in in dict.fromkeys(STAND_INS[name] for name in names):
        places = [name for name in names if STAND_INS[name] == stand_in]
        say(f"{stand_in}: stands in for {', '.join(places)}")
        stand_ins |= dict.fromkeys(places, _pocket(stand_in))
    return stand_ins


def _pocket(name: str) -> TaskData:
    from .pocket import make  # here, so that GLUE and own files need no pocket data

    get_task(name)
    return make(name)


def _refuse_table_settings(settings: DataSettings) -> None:
    flags = [
        flag
        for flag, value in (
            ("--text", settings.text),
            ("--label", settings.label),
            ("--test", settings.test),
            ("--folds", settings.folds),
            ("--data.kind", settings.kind),
            ("--data.metric", settings.metric),
        )
        if value
    ]
    if flags:
        raise UserError(f"{', '.join(flags)}: only for a file of your own, not for built-in tasks")
