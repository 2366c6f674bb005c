"""Winners in MLflow's model registry, under a name and an alias."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UserError
from ..text import quoted
from .models import REGISTERED, PlannedModel

if TYPE_CHECKING:
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.tracking import MlflowClient

ALIAS = "champion"
"""The alias where none is named."""
TASK = "tunebench.task"
"""The tag of a registered model that says whose it is."""
CELL, MODEL = "tunebench.cell", "tunebench.model"
"""Tags of a version: the run that it came from, and its Logged Model."""
ALIASES = re.compile(r"[\w-]{1,255}")
NUMBERED = re.compile(r"[vV][0-9]+")


class RegistrationError(UserError):
    """A name or an alias that cannot be had; the text says why in one line."""


@dataclass(frozen=True)
class Registered:
    """A version of a registered model."""

    task: str
    name: str
    version: str
    alias: str

    @property
    def address(self) -> str:
        """What `mlflow.pyfunc.load_model` takes."""
        return f"models:/{self.name}@{self.alias}"


def check_name(name: str) -> None:
    """Refuse a name that MLflow has no place for.

    Raises:
        RegistrationError: It is empty, has a slash or a colon, or is a relative path.
    """
    unfit = any(mark in name for mark in "/:\"'`") or name in (".", "..")
    if not name.strip() or unfit or len(name) > 200 or not name.isprintable():
        raise RegistrationError(
            "--register: must be a name of at most 200 characters without / : or quotes, "
            f"but got {quoted(name)}"
        )


def check_alias(alias: str) -> None:
    """Refuse an alias that MLflow does not take, or that means something else to it.

    Raises:
        RegistrationError: It has other characters than letters, digits, - and _, or is reserved.
    """
    if not ALIASES.fullmatch(alias) or NUMBERED.fullmatch(alias) or alias.lower() == "latest":
        raise RegistrationError(
            "--alias: must be letters, digits, - and _, neither 'latest' nor a version such as v1, "
            f"but got {quoted(alias)}"
        )


def names(name: str, tasks: tuple[str, ...]) -> dict[str, str]:
    """Task → the name of its registered model: the name itself, or with several tasks one each."""
    if len(tasks) == 1:
        return {tasks[0]: name}
    return {task: f"{name}-{re.sub('[/:]', '-', task)}" for task in tasks}


@dataclass(frozen=True)
class Registry:
    """Registers models through a client."""

    client: MlflowClient

    def require_free(self, names: Mapping[str, str]) -> None:
        """Refuse names that other models have.

        Args:
            names: Task → name.

        Raises:
            RegistrationError: A name is that of a model for another task, or of one from elsewhere.
        """
        for task, name in names.items():
            self._registered(name, task)

    def _registered(self, name: str, task: str) -> RegisteredModel | None:
        """The registered model of that name, if it is there and for this task."""
        from mlflow.exceptions import MlflowException

        try:
            model = self.client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        owner = model.tags.get(TASK)
        if owner is None:
            raise RegistrationError(
                f"--register: the registry has a model '{name}' that tunebench did not register; "
                "choose another name"
            )
        if owner != task:
            raise RegistrationError(
                f"--register: '{name}' is the registry's model for '{owner}', not for '{task}'; "
                "choose another name"
            )
        return model

    def register(
        self, planned: PlannedModel, model_id: str, name: str, alias: str, sentence: str
    ) -> Registered:
        """Put a model into the registry and give it the alias; a model that is there stays alone.

        Args:
            planned: What the model is.
            model_id: Its Logged Model.
            name: The registered model's name.
            alias: What the version is called; the version that had it loses it.
            sentence: How it was chosen, for the version's description.

        Raises:
            RegistrationError: The name is another model's.
        """
        task, row = planned.winner.task, planned.winner.cell.result
        if self._registered(name, task) is None:
            about = f"The best of what tunebench compared on {task}."
            self.client.create_registered_model(name, {TASK: task}, about)
        version = self._version(name, model_id)
        if version is None:
            logged = self.client.get_logged_model(model_id)
            version = str(
                self.client.create_model_version(
                    name,
                    # Not models:/…, which SQL stores look up where the process has its default.
                    logged.artifact_location,
                    planned.run_id,
                    {CELL: row.cell, MODEL: model_id},
                    description=sentence,
                    model_id=model_id,
                ).version
            )
        self.client.set_registered_model_alias(name, alias, version)
        self.client.set_logged_model_tags(model_id, {REGISTERED: name})
        return Registered(task, name, version, alias)

    def _version(self, name: str, model_id: str) -> str | None:
        """The version that is this very model; none where it is not there."""
        versions = self.client.search_model_versions(f"name = '{name}'")
        same = [one for one in versions if one.tags.get(MODEL) == model_id]
        return str(same[0].version) if same else None
