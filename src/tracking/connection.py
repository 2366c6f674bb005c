"""The store of an output folder as it is reached: opened, guarded, and made again where spoilt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import is_out_of_reach, set_aside
from ..text import redact
from .address import Address, TrackingError, owner_of, quiet
from .database import damage, initialise, made_again, relocate
from .postgresql import is_postgresql, knock, server_lock
from .registration import RegistrationError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PATIENCE_S = 60.0
"""A server that failed is left alone so long, so that a long run does not wait for it each time."""


class Connection:
    """One store, as far as it can be reached."""

    def __init__(self, address: Address, out: Path) -> None:
        """Remembers where it is; nothing is opened.

        Args:
            address: The store.
            out: The output folder whose runs are written there.
        """
        self.address, self.out = address, out
        self.breaks = 0
        """How often what was known of its content ceased to count: it failed, or was replaced."""
        self._down_until, self._answers = 0.0, False

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client of runs and registry."""
        quiet()
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.address.uri, registry_uri=self.address.uri)

    @property
    def is_left_alone(self) -> bool:
        """Whether it failed so lately that asking it again would hold up a run."""
        return time.monotonic() < self._down_until

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turns whatever MLflow, SQLAlchemy or the network raise into one line without secrets."""
        try:
            if is_postgresql(self.address.uri) and not self._answers:
                knock(self.address.uri)  # MLflow would try again for minutes
            yield
        except RegistrationError:
            raise
        except Exception as error:  # a mirror may fail in any way without losing a result
            self._answers = False
            self._down_until = time.monotonic() + PATIENCE_S
            self.breaks += 1
            reason = redact(" ".join(str(error).split()), self.address.secrets)[:300]
            where = f"MLflow at {self.address.shown} is not reachable or not writable"
            # Chained errors are cut off: their texts hold the address with its password.
            raise TrackingError(f"{where}: {type(error).__name__}: {reason}") from None
        else:
            self._down_until, self._answers = 0.0, True

    def prepare(self) -> str:
        """Makes the store ready; the folder's own database is made again where it is no use.

        Returns:
            What a reader should know of it; mostly nothing.
        """
        note = ""
        if (reason := self.damage()) and self.address.file is not None:
            note = made_again(reason, self.set_aside(self.address.file))
        try:
            with self._table_lock():
                self._probe()
        except Exception as error:
            if not self.is_spoilt(error) or self.address.file is None:
                raise
            note = made_again(self.shortly(error), self.set_aside(self.address.file))
            self._probe()
        return note

    def open(self) -> None:
        """Makes the folder's own store where it is not there, and mends it where it was moved."""
        if self.address.file is not None:
            initialise(self.address.file)
        if self.address.private and self.address.file and self.address.artifacts:
            relocate(self.address.file, self.address.artifacts)

    def owner(self, make: bool = False) -> str:
        """What sets this folder's runs apart in a store that others may use too."""
        return "" if self.address.private else owner_of(self.out, make=make)

    def damage(self) -> str:
        """What keeps the folder's own database from being used; another one is not ours."""
        if not self.address.private or self.address.file is None:
            return ""
        return damage(self.address.file)

    def is_spoilt(self, error: Exception) -> bool:
        """Whether the folder's own database may hold something that MLflow cannot read."""
        return self.address.private and not is_out_of_reach(error)

    def set_aside(self, file: Path) -> Path:
        """Renames the folder's own database; nothing in this process has it open any more."""
        self.release()
        return set_aside(file)

    def release(self) -> None:
        """Lets go of the database: another one may take its place."""
        quiet()
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        engine = SqlAlchemyStore._engine_map.get(self.address.uri)
        if engine is not None:
            engine.dispose()
        self.breaks += 1

    def shortly(self, error: Exception) -> str:
        """What an exception says, as far as it fits into a sentence."""
        text = redact(" ".join(str(error).split()), self.address.secrets)
        return f"{type(error).__name__}: {text}"[:100]

    def _table_lock(self) -> AbstractContextManager[None]:
        """Nobody else makes tables meanwhile; a server that is not there is found out here."""
        return server_lock(self.address.uri) if is_postgresql(self.address.uri) else nullcontext()

    def _probe(self) -> None:
        """Opens the store and asks it something."""
        self.open()
        self.client.search_experiments(max_results=1)
