"""Trained prompts that an experiment starts from: found by file or by run, named by their content.

`methods.prompt.init_from` names a file, a folder, or a run of the experiment's own folder, whose
digest may be left out: `mnli-prompt-seed0` is the one that the newest comparison there trained from
a fresh start. A study's name has the digest of the file, so that another prompt is another study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checkpoints.checkpoint import Checkpoint
from ..config import BackboneSettings, Experiment
from ..errors import UserError
from ..files import at_home, sha256
from ..methods._trained_prompt import trained_prompt
from ..progress import Progress
from ..store.store import Plan, Store

METHOD, SETTING = "prompt", "init_from"
"""A method that somebody adds may have a setting of this name that means something else."""
PLACE = f"methods.{METHOD}.{SETTING}"


def with_sources(experiment: Experiment, progress: Progress | None = None) -> Experiment:
    """The experiment with files in the place of runs that its methods start from.

    Args:
        experiment: As it was asked for.
        progress: Hears which file a run stands for.

    Raises:
        UserError: There is no such file or run, it holds no soft prompt, or one of another
            backbone.
    """
    settings = experiment.methods.get(METHOD, {})
    if not settings.get(SETTING):
        return experiment

    def located(value: str) -> str:
        path = str(_path(value, Path(experiment.out)))
        check_source(path, experiment.backbone)
        if progress is not None and path != value:
            progress.note(f"{PLACE}: {value} is {path}")
        return path

    methods = {**experiment.methods, METHOD: _replaced(settings, located)}
    return replace(experiment, methods=methods)


def check_source(value: str, backbone: BackboneSettings) -> None:
    """Refuse a file without a soft prompt, or with one of another backbone.

    Raises:
        UserError: It is such a file.
    """
    checkpoint = Checkpoint.open(backbone.name, backbone.layers)
    try:
        trained_prompt(value).check_digest(checkpoint.digest)
    except UserError as error:
        raise UserError(f"{PLACE}: {error}") from None


def content_of(method: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """A method's settings with digests in the place of files that it starts from."""
    if method != METHOD:
        return settings
    return _replaced(settings, lambda value: sha256(trained_prompt(value).file))


def _replaced(settings: Mapping[str, Any], new: Callable[[str], str]) -> Mapping[str, Any]:
    """The settings with each file that they start from replaced; one that is empty means none."""
    value = settings.get(SETTING)
    if isinstance(value, list):
        return {**settings, SETTING: [new(str(one)) if one else one for one in value]}
    return {**settings, SETTING: new(str(value))} if value else settings


def _path(value: str, out: Path) -> Path:
    """The file or folder of this name; else the adapter of the newest run that is called so."""
    path = at_home(value)
    if path.exists():
        return path
    for adapter in _runs(value, Store(out)):
        return out / adapter
    raise UserError(
        f"{PLACE}: no adapter file, no folder, and no trained run of '{out}' is called '{value}'"
    )


def _runs(name: str, store: Store) -> Iterator[str]:
    """The adapters of runs of this name, with its digest or without, newest comparison first."""
    for plan in sorted(store.plans(), key=lambda one: one.created, reverse=True):
        transfers = _transfers(plan)
        for cell in plan.cells:
            # A short name never means a prompt that began at another.
            fresh = not (transfers and cell.method == METHOD)
            if cell.cell == name or (fresh and cell.cell.rpartition("-")[0] == name):
                result = store.result(cell.cell)
                if result is not None and result.adapter:
                    yield result.adapter


def _transfers(plan: Plan) -> bool:
    """Whether a comparison's prompts began at another."""
    methods = plan.experiment.get("methods")
    settings = methods.get(METHOD) if isinstance(methods, Mapping) else None
    return isinstance(settings, Mapping) and bool(settings.get(SETTING))
