"""Where a Ray cluster is, and whether it answers: asked before torch or Ray is imported."""

from __future__ import annotations

import os

from ...config import Experiment
from ...errors import UserError
from ...reachability import grpc_unreachable
from ...text import quoted

HERE, AUTO = "local", "auto"
"""Addresses that name no head: a cluster that is started for this run, and this machine's own."""


def address_of(experiment: Experiment) -> str | None:
    """Where the cluster is: as the settings say, else Ray's own variable; none looks for one."""
    return experiment.address or os.environ.get("RAY_ADDRESS") or None


def check_address(address: str) -> None:
    """Ask whether a cluster's head answers: Ray itself tries for minutes.

    Raises:
        UserError: It does not, or the address is none.
    """
    if address in (AUTO, HERE):
        return
    host, _, port = address.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if not host or "/" in host or not 0 < number < 2**16:
        raise UserError(
            f"address: must be HOST:PORT of a Ray cluster's head, {AUTO} or {HERE}, "
            f"but got {quoted(address)}"
        )
    reason = grpc_unreachable(host.strip("[]"), number)
    if reason:
        raise UserError(f"address: no Ray cluster there: {reason}")
