"""From what was typed to a frozen experiment.

Four layers, a later one wins: the dataclasses' defaults, the budget's preset, the YAML file, the
flags. The result is complete: every method is named, and every number is there.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..checkpoints.catalogue import locate
from ..config import BUDGETS, Experiment, preset_search
from ..data.tasks import expand, is_file
from ..errors import UnknownName, UserError
from ..files import at_home
from .draft import Draft, KeyPath
from .fields import from_text, table
from .flags import Line
from .selection import put_methods
from .yaml_file import Document, read


def resolve(line: Line, document: Document | None = None) -> Experiment:
    """The experiment that a command line means.

    Args:
        line: Tasks as words; settings as flags, `experiment` among them.
        document: What is taken in the place of the file that the flag `experiment` names.

    Raises:
        UserError: A name is unknown, or a value does not fit its setting.
    """
    draft = Draft()
    file = line.text("experiment")
    if document is not None or file is not None:
        draft.document = document or read(at_home(str(file)))
        _check_keys(draft.document)
        draft.values = dict(draft.document.value)
    _put_flags(draft, line)
    _put_budget(draft)
    put_methods(draft, line)
    _check_names(draft)
    experiment = _typed(draft)
    _check_meaning(experiment, draft)
    return experiment


def tasks_of(experiment: Experiment) -> tuple[str, ...]:
    """The tasks that are meant: suites opened; a file of one's own stands for itself."""
    files = tuple(name for name in experiment.tasks if is_file(name))
    return files or expand(experiment.tasks)


def _check_keys(document: Document) -> None:
    """Every key of the file is a setting or a group of settings."""
    paths = set(table())
    groups = {path[:1] for path in paths if len(path) > 1}

    def known(above: KeyPath) -> list[str]:
        depth = len(above)
        return sorted({path[depth] for path in paths if path[:depth] == above})

    for name, value in document.value.items():
        if name not in known(()):
            raise UserError(f"{document.place((name,))}: {UnknownName('key', name, known(()))}")
        if (name,) in groups and isinstance(value, dict):
            for key in value:
                if key not in known((name,)):
                    unknown = UnknownName(f"key of {name}", key, known((name,)))
                    raise UserError(f"{document.place((name, key))}: {unknown}")


def _put_flags(draft: Draft, line: Line) -> None:
    for flag in line.flags:
        if flag.path in table() and flag.path != ("methods",):
            value = from_text(table()[flag.path].annotation, flag.text, flag.typed)
            draft.put(flag.path, value, flag.typed)
    if line.words:
        tasks = [one for word in line.words for one in _tasks(word)]
        draft.put(("tasks",), tasks, "tasks")


def _tasks(word: str) -> list[str]:
    """A word names one task, or several with commas between them; a file keeps its commas."""
    return [word] if os.path.isfile(word) else [part for part in word.split(",") if part]


def _put_budget(draft: Draft) -> None:
    """The preset fills what nothing else does."""
    budget = draft.values.get("budget", "quick")
    preset = BUDGETS.get(budget, {}) if isinstance(budget, str) else {}
    search = draft.values.get("search", {})
    if isinstance(search, dict):
        of_budget = preset_search(budget, draft.values.get("until")) if preset else {}
        draft.values["search"] = {**of_budget, **search}
    if "seeds" in preset:
        draft.values.setdefault("seeds", list(preset["seeds"]))


def _check_names(draft: Draft) -> None:
    """Tasks and backbone exist: asked first, for a misspelt name is answered in no time."""
    tasks, backbone = draft.values.get("tasks", []), draft.values.get("backbone", {})
    if isinstance(tasks, list) and all(isinstance(name, str) for name in tasks):
        _known_tasks([name for name in tasks if not is_file(name)], draft)
    name = backbone.get("name") if isinstance(backbone, dict) else None
    if isinstance(name, str):
        locate(name)


def _known_tasks(tasks: list[str], draft: Draft) -> None:
    try:
        expand(tasks)
    except UnknownName as unknown:
        place = draft.place(("tasks",))
        raise unknown if place == "tasks" else UserError(f"{place}: {unknown}") from None


def _typed(draft: Draft) -> Experiment:
    """The experiment, every value fit for its field."""
    from ..validation import under, validated  # pydantic, which a misspelt name need not wait for
    from .pins import checked

    draft.values["methods"] = {
        name: checked(name, settings, under(draft.place, "methods", name))
        for name, settings in draft.values["methods"].items()
    }
    experiment: Experiment = validated(Experiment, draft.values, draft.place)
    return experiment


def _check_meaning(experiment: Experiment, draft: Draft) -> None:
    """What types cannot say: names, addresses, the backbone's limits, a file's settings."""
    from ..study.checks import check_settings_of

    check_settings_of(experiment, draft.place)
    if not experiment.tasks:
        raise UserError(f"{draft.place(('tasks',))}: must name a task, a suite or a file")
    files = [name for name in experiment.tasks if is_file(name)]
    if files and len(experiment.tasks) > 1:
        raise UserError(
            f"a file of your own is compared alone, but got {', '.join(experiment.tasks)}"
        )
    for name in files:
        if not Path(name).is_file():
            raise UserError(f"no such file '{name}'")
    for key in ("text", "label", "test", "folds"):
        if not files and getattr(experiment.data, key):
            place = draft.place(("data", key))
            raise UserError(f"{place}: is for a file of your own, not for a built-in task")
