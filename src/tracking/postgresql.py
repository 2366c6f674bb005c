"""A PostgreSQL server as the store of MLflow's runs or of Optuna's trials.

Whoever opens an empty database makes its tables, and two that do it together break each other. So
it is done under a lock that the server itself holds, and lets go of when its holder dies. The
server is asked whether it is there before MLflow is, which tries again for minutes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from ..errors import UserError
from ..text import redact

if TYPE_CHECKING:
    from sqlalchemy import Engine

SCHEME = "postgresql"
DRIVERS = ("psycopg", "psycopg2")
"""What Python reaches the server by, as an address may name it; the first where it names none."""
PORT = 5432
"""Where the server listens, unless an address names another port."""
PATIENCE_S = 4
"""Seconds in which the server has to answer."""
LOCK = 7_809_632_576_001_741
"""The number of the server's lock: any, but the same for all of us."""


def is_postgresql(uri: str) -> bool:
    """Whether an address is that of a PostgreSQL server."""
    return uri.partition("://")[0].partition("+")[0] == SCHEME


def require_driver(uri: str) -> None:
    """Refuse an address whose server cannot be reached, since the package for it is missing.

    Raises:
        UserError: It is.
    """
    driver = uri.partition("://")[0].partition("+")[2] or DRIVERS[0]
    if driver not in DRIVERS:
        known = ", ".join(f"{SCHEME}+{name}://" for name in DRIVERS)
        raise UserError(f"a PostgreSQL address must begin with {SCHEME}:// ({known})")
    if importlib.util.find_spec(driver) is None:
        needed = "'tunebench[postgresql]'" if driver == DRIVERS[0] else driver
        raise UserError(f"{SCHEME}:// needs {driver}, which is not here: pip install {needed}")


def require_postgresql(uri: str) -> None:
    """Refuse an address that is none of a PostgreSQL server that can be reached from here.

    Raises:
        UserError: It is not.
    """
    if not is_postgresql(uri):
        raise UserError(f"must begin with {SCHEME}:// but got '{redact(uri)}'")
    require_driver(uri)


def same_database(one: str, other: str) -> bool:
    """Whether two addresses are those of one database, whoever opens it and by which driver."""

    def place(uri: str) -> tuple[object, ...]:
        parts = urlsplit(uri)
        return parts.hostname, parts.port or PORT, parts.path, sorted(parse_qsl(parts.query))

    return is_postgresql(one) and is_postgresql(other) and place(one) == place(other)


def secrets_of(uri: str) -> tuple[str, ...]:
    """The password of an address, as typed and as decoded."""
    password = urlsplit(uri).password
    return tuple({password, unquote(password)}) if password else ()


@contextmanager
def server_lock(uri: str) -> Iterator[None]:
    """Hold a database against all others that would make tables in it.

    Raises:
        SQLAlchemyError: The server does not answer, or lets nobody in.
    """
    from sqlalchemy import text

    with _engine(uri).connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": LOCK})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": LOCK})


def knock(uri: str) -> None:
    """Ask a server whether it answers.

    Raises:
        SQLAlchemyError: It does not, or lets nobody in.
    """
    with _engine(uri).connect():
        pass


def _engine(uri: str) -> Engine:
    """What opens a connection of its own each time, and gives up soon."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine(
        uri, poolclass=NullPool, connect_args={"connect_timeout": PATIENCE_S}
    ).execution_options(isolation_level="AUTOCOMMIT")
