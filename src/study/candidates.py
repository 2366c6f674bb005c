"""Which methods a comparison has, and with which settings each may come to be trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from ..backbone.config import BackboneConfig
from ..config import Experiment
from ..errors import UserError
from ..methods import get_method
from ..methods.base import Method
from .plan import methods_of
from .space import Space, boundary_settings, space


def spaces(experiment: Experiment) -> Mapping[str, Space]:
    """Each method's search space."""
    return {
        name: space(get_method(name), settings) for name, settings in methods_of(experiment).items()
    }


def trial_counts(experiment: Experiment) -> Mapping[str, int]:
    """How many trials each method's studies have: one where nothing is searched."""
    return {
        name: experiment.search.trials if one.searched else 1
        for name, one in spaces(experiment).items()
    }


def candidates(experiment: Experiment) -> Mapping[str, tuple[Method, ...]]:
    """Each method at the boundaries of its space; with one trial, as that trial has it."""
    drawn = None if experiment.search.trials > 1 else 1
    made: dict[str, tuple[Method, ...]] = {}
    for name, method_space in spaces(experiment).items():
        made[name] = ()
        for settings in islice(boundary_settings(method_space), drawn):
            with own_fault():
                made[name] += (get_method(name)(**settings),)
    return made


@contextlib.contextmanager
def own_fault() -> Iterator[None]:
    """Lets a method's fault pass, since its own rows will say so; a user's mistake is raised."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException:
        return


def attachable(experiment: Experiment, cfg: BackboneConfig) -> tuple[Experiment, Mapping[str, str]]:
    """The experiment without the optional methods that this backbone cannot have, and why not.

    Asked is what their first trial would be: a range that is too wide is refused as ever.

    Raises:
        UserError: None is left.
    """
    unfit = {
        name: reason
        for name, methods in candidates(experiment).items()
        if name in experiment.optional and methods and (reason := _reason(methods[0], cfg))
    }
    if not unfit:
        return experiment, unfit
    kept = {
        name: settings for name, settings in methods_of(experiment).items() if name not in unfit
    }
    if not kept:
        raise UserError("methods: this backbone can have none of them")
    return replace(experiment, methods=kept), unfit


def _reason(method: Method, cfg: BackboneConfig) -> str:
    """Why a method cannot be attached to this backbone; empty where it can."""
    try:
        with own_fault():
            method.check(cfg)
    except UserError as error:
        return str(error).removeprefix(f"methods.{method.name}: ")
    return ""
