"""Where a Ray cluster is, and whether it answers: asked before torch or Ray is imported."""

from __future__ import annotations

import os

from ...config import Experiment
from ...errors import UserError
from ...reachability import grpc_unreachable
from ...text import quoted

VARIABLE = "RAY_ADDRESS"
HERE, AUTO = "local", "auto"
"""Addresses that name no head: a cluster that is started for this run, and this machine's own."""


def address_of(experiment: Experiment) -> str | None:
    """Where the cluster is: as the settings say, else Ray's own variable; none looks for one."""
    return experiment.address or os.environ.get(VARIABLE) or None


def check_address(address: str, name: str) -> None:
    """Refuse what is no address.

    Args:
        address: A cluster's.
        name: How the user wrote the setting.

    Raises:
        UserError: It is none.
    """
    if address not in (AUTO, HERE) and _head_of(address) is None:
        raise UserError(
            f"{name}: must be HOST:PORT of a Ray cluster's head, {AUTO} or {HERE}, "
            f"but got {quoted(address)}"
        )


def check_answers(address: str) -> None:
    """Ask whether a cluster's head answers: Ray itself tries for minutes.

    Raises:
        UserError: It does not.
    """
    head = _head_of(address)
    if head is not None and (reason := grpc_unreachable(*head)):
        raise UserError(f"no Ray cluster answers: {reason}")


def _head_of(address: str) -> tuple[str, int] | None:
    """Host and port of a head; none where the address has not both."""
    host, _, port = address.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if not host or "/" in host or not 0 < number < 2**16:
        return None
    return host.strip("[]"), number
