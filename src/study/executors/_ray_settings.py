"""The settings of a run on Ray: where its cluster is, whether that answers, and its GPUs.

They are asked before torch or Ray is imported.
"""

from __future__ import annotations

import os

from ...config import Experiment
from ...errors import Place, UserError
from ...reachability import grpc_unreachable
from ...text import quoted

VARIABLE = "RAY_ADDRESS"
HERE, AUTO = "local", "auto"
"""Addresses that name no head: a cluster that is started for this run, and this machine's own."""


def address_of(experiment: Experiment) -> str | None:
    """Where the cluster is: as the settings say, else Ray's own variable; none looks for one."""
    return experiment.address or os.environ.get(VARIABLE) or None


def check_settings(experiment: Experiment, place: Place) -> None:
    """Refuse an address or a share of GPUs that cannot be meant, and what Ray cannot be asked for.

    Raises:
        UserError: It cannot.
    """
    if experiment.address is not None:
        check_address(experiment.address, place(("address",)))
    gpus = experiment.gpus
    if gpus is not None and gpus > 1 and not gpus.is_integer():
        raise UserError(f"{place(('gpus',))}: must be a part of one, or whole, but got {gpus}")
    if (devices := experiment.train.devices) > 1:
        raise UserError(
            f"{place(('train', 'devices'))}: must be 1 with {place(('executor',))} ray, which "
            f"gives each training one process, but got {devices}"
        )


def check_reachable(experiment: Experiment) -> None:
    """Ask whether the cluster's head answers, where one is named: Ray itself tries for minutes.

    Raises:
        UserError: It does not.
    """
    if (address := address_of(experiment)) is None:
        return
    check_address(address, "address" if experiment.address else f"${VARIABLE}")
    head = _head_of(address)
    if head is not None and (reason := grpc_unreachable(*head)):
        raise UserError(f"no Ray cluster answers: {reason}")


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


def _head_of(address: str) -> tuple[str, int] | None:
    """Host and port of a head; none where the address has not both."""
    host, _, port = address.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if not host or "/" in host or not 0 < number < 2**16:
        return None
    return host.strip("[]"), number
