"""The type checker that watches the package under pytest: shapes, and every annotated argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintNonpepException

Target = TypeVar("Target", bound=Callable[..., Any])
# PEP 484: where a float is asked for, an int will do.
_check: Any = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(target: Target) -> Target:
    """The target with its arguments and its answer checked at each call.

    A hint that beartype cannot read, such as pydantic's `TypeAdapter[…]`, leaves it unchecked.
    """
    try:
        wrapped: Target = _check(target)
    except BeartypeDecorHintNonpepException:
        return target
    return wrapped
