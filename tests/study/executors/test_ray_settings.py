"""The settings of a run on Ray: an address that is well formed and answered, a share of GPUs."""

from __future__ import annotations

import socket

import pytest
from tunebench.config import Experiment
from tunebench.errors import UserError
from tunebench.study.compare import compare
from tunebench.study.executors import check_reachable, check_settings
from tunebench.study.tune import tune

from tests import small


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:70000", "ray://head:10001"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UserError, match=r"^address: must be HOST:PORT of a Ray cluster's head"):
        check_reachable(Experiment(executor="ray", address=address))


@pytest.mark.usefixtures("ray_is_here")
def test_an_address_is_refused_by_the_name_that_it_was_given_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the command line before any data are read; Ray's own variable by its name."""

    def typed(path: tuple[str, ...]) -> str:
        return "--" + ".".join(path)

    with pytest.raises(UserError, match=r"^--address: must be HOST:PORT"):
        check_settings(Experiment(executor="ray", address="head"), typed)
    with pytest.raises(UserError, match=r"^--gpus: goes with --executor ray$"):
        check_settings(Experiment(gpus=1.0), typed)
    monkeypatch.setenv("RAY_ADDRESS", "head:x")
    with pytest.raises(UserError, match=r"^\$RAY_ADDRESS: must be HOST:PORT"):
        check_reachable(Experiment(executor="ray"))


@pytest.mark.usefixtures("ray_is_here")
def test_a_dead_address_is_one_line_whoever_names_it(
    checkpoint, out, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    message = f"no Ray cluster answers: {place} cannot be reached: Connection refused"
    settings = {"executor": "ray", "methods": {"head": {}}}
    named = small.experiment(checkpoint, out, address=place, **settings)
    from_environment = small.experiment(checkpoint, out, **settings)
    monkeypatch.setenv("RAY_ADDRESS", place)
    for run in (
        # First by itself: a command that does not ask would wait for the cluster.
        lambda: check_reachable(named),
        lambda: compare(named),
        lambda: tune(named, trials=1),
        lambda: compare(from_environment),
    ):
        with pytest.raises(UserError) as raised:
            run()
        assert str(raised.value) == message


def test_what_names_no_server_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for address in (None, "auto", "local"):
        check_reachable(Experiment(executor="ray", address=address))
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    check_reachable(Experiment())
