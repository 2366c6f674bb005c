"""`--register`: the winners of a comparison in MLflow's model registry."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.own_file import safe_name
from ..data.tasks import is_file
from ..errors import UserError
from .flags import KeyPath, Line

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..config import Experiment

FLAGS: Mapping[str, KeyPath] = {"register": ("register",), "alias": ("alias",)}
HELP: Mapping[str, str] = {
    "register": "Put each task's best adapter into MLflow's model registry under this name.",
    "alias": "With --register: what the version is called there (champion).",
}


def check(line: Line, experiment: Experiment) -> None:
    """Refuse a name that could not be had once everything is trained.

    Raises:
        UserError: Name or alias are not fit, or the name is another model's.
    """
    name = line.text("register")
    if name is None:
        if line.text("alias") is not None:
            raise UserError("--alias goes with --register")
        return
    from ..tracking import Tracker, TrackingError
    from .settings import tasks_of

    tasks = tuple(safe_name(Path(one)) if is_file(one) else one for one in tasks_of(experiment))
    try:
        tracker = Tracker(experiment.tracking_uri, Path(experiment.out))
        tracker.check_registration(tasks, name, *_alias(line))
    except TrackingError as error:
        raise UserError(f"--register: {error}") from None


def register(line: Line, analysis: Analysis, out: Path, tracking_uri: str | None) -> int:
    """Register what was asked for, and print what loads and serves it; nothing where nothing was.

    Returns:
        The exit code: 1 where the registry refuses.

    Raises:
        UserError: Name or alias are not fit, or the name is another model's.
    """
    name = line.text("register")
    if name is None:
        return 0
    from ..tracking import Tracker, TrackingError

    tracker = Tracker(tracking_uri, out)
    try:
        done, lines = tracker.register(analysis, name, *_alias(line))
    except TrackingError as error:
        print(f"tunebench: not registered: {error}", file=sys.stderr)
        return 1
    address = shlex.quote(tracker.address.shown)
    serve = shlex.join(["mlflow", "models", "serve", "-m", done[0].address])
    shown = [f"{one.task}: version {one.version} of '{one.name}' is {one.address}" for one in done]
    shown += [f"  {each}" for each in lines]
    shown.append(f"  or: MLFLOW_TRACKING_URI={address} {serve} --env-manager local")
    # With --json, standard output has one JSON text and nothing else.
    print("\n".join(shown), file=sys.stderr if "json" in line.switches else None)
    return 0


def _alias(line: Line) -> tuple[str, ...]:
    """The alias that was typed, if one was."""
    alias = line.text("alias")
    return () if alias is None else (alias,)
