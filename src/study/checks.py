"""What is wrong with an experiment, found without torch, Lightning, MLflow or Optuna.

Whatever can be known from the settings, from the data and from the checkpoint's own config.json is
asked here, before anything heavy is imported, and in the same way for the command line, for a
preview and for a call from Python.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..backbone.config import BackboneConfig
from ..checkpoints.catalogue import KNOWN
from ..checkpoints.checkpoint import Checkpoint
from ..config import BUDGETS, DEFAULT_SEEDS, Experiment
from ..data.leaks import check_test
from ..data.tasks import Task, TaskData
from ..data.text.template import parse
from ..errors import Place, UnknownName, UserError
from ..methods import names as method_names
from ..methods._limits import check_limits
from ..objectives import get_objective
from ..tracking.address import chosen
from ..tracking.address import locate as locate_tracking
from ..tracking.postgresql import require_postgresql, same_database
from . import executors
from .plan import methods_of

UNWRITABLE = "%?#{}"
"""Characters that a database's address cannot have in the path of its file."""
AUTO = "auto"
"""Stands for a task's built-in templates."""


def check_settings_of(experiment: Experiment, place: Place = ".".join) -> None:
    """Refuse settings that no data can make right.

    Args:
        experiment: As the command line resolved it, or as it was made in Python.
        place: Names a setting as the user wrote it.

    Raises:
        UserError: A value does not fit its setting, or a name is unknown.
    """
    for key, names in (("methods", experiment.methods), ("optional", experiment.optional)):
        for name in names:
            if name not in method_names():
                unknown = UnknownName("method", name, method_names())
                raise UserError(f"{place((key,))}: {unknown}")
    check_run_settings(experiment, place)
    cfg = backbone_config(experiment, place)
    for name, values in methods_of(experiment).items():
        if cfg is not None and name not in experiment.optional:
            _check_limits(name, values, cfg, place, experiment.search.trials)


def check_run_settings(experiment: Experiment, place: Place = ".".join) -> None:
    """Refuse settings that hold for any method: what `run_once` has to ask too.

    Args:
        experiment: As the command line resolved it, or as it was made in Python.
        place: Names a setting as the user wrote it.

    Raises:
        UserError: A value does not fit its setting, or a name is unknown.
    """
    from ..validation import validated  # pydantic, which not every caller has to wait for

    # What is set of the methods' own settings is checked by their own types and checks.
    plain = dataclasses.asdict(dataclasses.replace(experiment, methods={}))
    validated(Experiment, plain, place)
    repeated = [seed for seed in experiment.seeds if experiment.seeds.count(seed) > 1]
    if repeated:
        raise UserError(f"{place(('seeds',))}: no seed may stand twice, but got {repeated[0]}")
    check_until(experiment, place)
    _check_devices(experiment, place)
    executors.check_settings(experiment, place)
    _check_out(experiment.out, place(("out",)))
    try:
        locate_tracking(experiment.tracking_uri, Path(experiment.out))
    except UserError as error:
        raise UserError(f"{place(('tracking_uri',))}: {error}") from None
    if experiment.optuna_storage is not None:
        try:
            require_postgresql(experiment.optuna_storage)
            tracking = chosen(experiment.tracking_uri)
            if tracking is not None and same_database(tracking, experiment.optuna_storage):
                raise UserError(
                    "must be another database than MLflow's: both keep a table there "
                    "that is called alembic_version"
                )
        except UserError as error:
            raise UserError(f"{place(('optuna_storage',))}: {error}") from None
    if experiment.data.label_words and not experiment.data.template:
        raise UserError(
            f"{place(('data', 'label_words'))}: are for a template, so data.template must be set"
        )


def _check_devices(experiment: Experiment, place: Place) -> None:
    """Refuse more processes for a training than a batch has examples."""
    devices, size = experiment.train.devices, experiment.train.batch_size
    if devices > size:
        raise UserError(
            f"{place(('train', 'devices'))}: must be at most train.batch_size, of which each "
            f"process gets a share, but got ({devices} > {size})"
        )


def _check_out(out: str, place: str) -> None:
    """The folder can stand in an address, since Optuna and MLflow open their databases by one."""
    if not out.strip():
        raise UserError(f"{place}: must name a folder (. is the one you are in)")
    path = str(Path(out).absolute())
    unfit = [character for character in UNWRITABLE if character in path]
    if unfit:
        raise UserError(
            f"{place}: the folder's path must have none of {' '.join(UNWRITABLE)}, which the "
            f"addresses of its databases cannot hold, but got '{path}'"
        )


def _check_limits(
    method: str, settings: Mapping[str, Any], cfg: BackboneConfig, place: Place, trials: int
) -> None:
    """Ask what the backbone allows, and name a setting as the user wrote it."""

    def place_of(path: tuple[str, ...]) -> str:
        return place(("methods", method, *path))

    check_limits(method, settings, cfg, place_of, trials=trials)


def check_data(experiment: Experiment, data: Sequence[TaskData]) -> None:
    """Refuse test rows that train, and templates that the loaded tasks cannot be written with.

    Raises:
        UserError: Test rows are training rows; a template or the label words do not fit a task.
    """
    cfg = backbone_config(experiment)
    for one in data:
        check_test(one)
        _check_templates(experiment, one.task, cfg)


def check_until(experiment: Experiment, place: Place = ".".join) -> None:
    """Refuse settings that contradict `until`, or that mean nothing without it.

    Raises:
        UserError: They do.
    """
    if experiment.until is None:
        if experiment.hours is not None:
            raise UserError(f"{place(('hours',))}: is for until=decided")
        return
    if experiment.seeds not in (DEFAULT_SEEDS, BUDGETS[experiment.budget]["seeds"]):
        raise UserError(
            f"{place(('seeds',))}: not with until=decided, which takes seeds 0, 1, 2, … itself"
        )
    if experiment.data.folds is not None:
        raise UserError(
            f"{place(('data', 'folds'))}: not with until=decided, since folds share training rows"
        )
    if experiment.search.studies > 1:
        raise UserError(
            f"{place(('search', 'studies'))}: must be 1 with until=decided, which adds seeds to "
            f"settings that were searched once, but got {experiment.search.studies}"
        )
    if len(methods_of(experiment)) < 2:
        raise UserError(
            f"{place(('until',))}: two methods at least must be compared, but got "
            f"{', '.join(methods_of(experiment))}"
        )


def backbone_config(experiment: Experiment, place: Place = ".".join) -> BackboneConfig | None:
    """The backbone's shape from its config.json; none for a GGUF file, which is read with numpy.

    Raises:
        UserError: The checkpoint is not there or its config.json is not understood, or it has
            fewer layers than are asked for.
    """
    settings = experiment.backbone
    checkpoint = Checkpoint.open(settings.name)
    cfg = checkpoint.config if checkpoint.path.is_dir() else None
    known = KNOWN.get(settings.name)
    most = cfg.layers if cfg is not None else known.layers if known else None
    if settings.layers is not None and most is not None and not 1 <= settings.layers <= most:
        raise UserError(
            f"{place(('backbone', 'layers'))}: must be from 1 to {most} for '{settings.name}', "
            f"but got {settings.layers}"
        )
    if cfg is None or settings.layers is None:
        return cfg
    return dataclasses.replace(cfg, layers=settings.layers)


def _check_templates(experiment: Experiment, task: Task, cfg: BackboneConfig | None) -> None:
    templates = experiment.data.template
    objective = get_objective(task.objective)
    if templates and not objective.takes_label_words:
        raise UserError(
            f"data.template: {task.name} asks for {objective.answer}, which no label word is"
        )
    words: Any = experiment.data.label_words
    if words and len(set(words)) != len(task.labels):
        raise UserError(
            f"data.label_words: {task.name} needs {len(task.labels)} different words, one for each "
            f"of {', '.join(task.labels)}, but got {', '.join(words)}"
        )
    for written in templates:
        if written != AUTO and cfg is not None:
            parse(written, task, causal=cfg.causal)
