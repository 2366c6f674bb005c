"""One training in several processes of this machine, by Lightning's DDP: `--train.devices N`.

The process that is asked to train is rank 0. It starts the others, which run the same function on
their shares of each batch; what is judged, kept, shown and handed on is rank 0's. A process that is
lost ends the training with an error: rank 0 looks after the others, and they after rank 0.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from ..measure.memory import out_of_memory
from ..text import one_line
from .stops import NUMBERS
from .watch import DivergedError

HOST = "127.0.0.1"
MEETING = timedelta(minutes=1)
"""All processes are there and have read what they need: they find each other within this time."""
PATIENCE = timedelta(minutes=30)
"""So long the others wait for rank 0, which judges at the end of an epoch."""
SETTLING = 2.0
"""Seconds until it is known of an error whether it comes from a process that is lost."""


class RankLostError(RuntimeError):
    """A process of a training ended, or failed, while the others went on."""


@dataclass(frozen=True)
class Rank:
    """Which of a training's processes this is."""

    number: int = 0
    world_size: int = 1

    @property
    def strategy(self) -> DDPStrategy | str:
        """Lightning's strategy for it."""
        if self.world_size == 1:
            return "auto"
        return _Joined(cluster_environment=_Place(self.number))

    def seed_dropout(self, seed: int) -> None:
        """Seed what is drawn while it trains: a seed for rank 0, one that follows for others."""
        torch.manual_seed(seed)
        if self.number:
            torch.manual_seed(int(torch.randint(2**62, (self.number,))[-1]))


ALONE = Rank()


class _Place(LightningEnvironment):
    """Tells Lightning the rank, which it would read from a variable of the environment."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self._rank = rank

    def local_rank(self) -> int:
        return self._rank


class _Joined(DDPStrategy):
    """DDP between processes that are there already: Lightning starts none, nor changes threads."""

    def _configure_launcher(self) -> None:
        self._launcher = None


def gathered(value: Any, world_size: int) -> list[Any]:
    """What each process of a training has, by rank; all of them call this at once."""
    if world_size == 1:
        return [value]
    values = [None] * world_size
    dist.all_gather_object(values, value)
    return values


def one_of_all(trainer: Trainer, decision: bool) -> bool:
    """Whether one process of the training decides so; all of them call this at once."""
    return bool(trainer.strategy.reduce_boolean_decision(decision, all=False))


@contextlib.contextmanager
def started(
    world_size: int, device_type: str, function: Callable[..., Any], arguments: Mapping[str, Any]
) -> Iterator[Rank]:
    """Have further processes call `function(**arguments, rank=...)`, and join them as rank 0.

    They start afresh: threads and a GPU's context do not survive a fork.

    Args:
        world_size: All processes, with this one.
        device_type: "cuda" gives each a GPU, by its rank; else they compute on the CPU.
        function: What this process calls too, in the block; it has to be importable.
        arguments: Tensors in them arrive on the CPU.

    Raises:
        RankLostError: One of them failed, or ended too early.
        torch.OutOfMemoryError: One of them had too little memory.
    """
    store = TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    others = _Others(world_size, device_type, store.port)
    try:
        others.send(function, arguments)
        with _joined(Rank(0, world_size), device_type, store):
            others.listen()
            yield Rank(0, world_size)
    except DivergedError:
        raise  # the mean loss is the same everywhere, and so is the reason
    except Exception as error:
        lost = others.failure()
        if lost is None:
            raise
        raise lost from error
    finally:
        others.end()


@contextlib.contextmanager
def _joined(rank: Rank, device_type: str, store: TCPStore) -> Iterator[None]:
    gpu = torch.device("cuda", rank.number) if device_type == "cuda" else None
    if gpu is None and sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(
        "gloo" if gpu is None else "nccl",
        store=store,
        rank=rank.number,
        world_size=rank.world_size,
        timeout=MEETING,
        device_id=gpu,
    )
    try:
        assert dist.group.WORLD is not None
        dist.group.WORLD.set_timeout(PATIENCE)
        yield
    finally:
        dist.destroy_process_group()


class _Others:
    """The other processes of a training, as rank 0 sees them."""

    def __init__(self, world_size: int, device_type: str, port: int) -> None:
        """Start them."""
        self._processes: dict[Connection, BaseProcess] = {}
        self._known = threading.Event()
        self._failure: Exception | None = None
        self._ending = False
        context, threads = multiprocessing.get_context("spawn"), torch.get_num_threads()
        for number in range(1, world_size):
            connection, child_end = context.Pipe()
            process = context.Process(
                target=_main,
                args=(child_end, Rank(number, world_size), device_type, port, threads),
                name=f"tunebench rank {number}",
                daemon=True,
            )
            process.start()
            child_end.close()
            self._processes[connection] = process

    def send(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        """Send all of them what to do, and wait until they have read it."""
        content = io.BytesIO()
        torch.save((function, dict(arguments)), content)
        try:
            for connection in self._processes:
                connection.send_bytes(content.getbuffer())
        except OSError:
            pass  # lost: found out where it is listened to
        for connection in self._processes:
            if (failure := self._failure_of(connection)) is not None:
                self._lost(failure)
                raise failure

    def listen(self) -> None:
        """From now on a thread waits for the end of each."""
        threading.Thread(target=self._listen, name="tunebench ranks", daemon=True).start()

    def failure(self) -> Exception | None:
        """Why one of them is lost; none where none is."""
        self._known.wait(SETTLING)
        return self._failure

    def end(self) -> None:
        """End those that still run: what they hold is nothing of its own."""
        self._ending = True
        for process in self._processes.values():
            process.kill()
            process.join()

    def _listen(self) -> None:
        running = list(self._processes)
        while running:
            for connection in wait(running):
                assert isinstance(connection, Connection)
                running.remove(connection)
                failure = self._failure_of(connection)
                if failure is not None and not self._ending:
                    self._lost(failure)

    def _lost(self, failure: Exception) -> None:
        self._failure = self._failure or failure
        self._known.set()
        # gloo sees a connection closed; NCCL would wait for the one that is gone.
        if dist.is_initialized() and dist.get_backend() == "nccl" and dist.group.WORLD is not None:
            dist.group.WORLD.abort()

    def _failure_of(self, connection: Connection) -> Exception | None:
        """Why a process failed; none where it has done what it was asked for."""
        process = self._processes[connection]
        try:
            failure: tuple[str, bool] | None = connection.recv()
        except (EOFError, OSError):
            process.join(SETTLING)
            code = process.exitcode
            how = (
                f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
            )
            return RankLostError(f"{process.name.removeprefix('tunebench ')} ended {how}")
        if failure is None:
            return None
        reason, memory = failure
        kind = torch.OutOfMemoryError if memory else RankLostError
        return kind(f"{process.name.removeprefix('tunebench ')}: {reason}")


def _main(connection: Connection, rank: Rank, device_type: str, port: int, threads: int) -> None:
    """A further process: it says when it has read what to do, and once more in the end."""
    for number in NUMBERS:
        signal.signal(number, _leave_to_rank_zero)
    threading.Thread(target=_end_with_rank_zero, daemon=True).start()
    torch.set_num_threads(threads)
    if device_type == "cuda":
        torch.cuda.set_device(rank.number)
    try:
        content = io.BytesIO(connection.recv_bytes())
        # From the process that started this one, by a pipe that nobody else has.
        function, arguments = torch.load(content, map_location="cpu", weights_only=False)
        store = TCPStore(HOST, port, is_master=False)
        connection.send(None)
        with _joined(rank, device_type, store):
            connection.send(_called(function, {**arguments, "rank": rank}))
    except BaseException as error:
        connection.send(_described(error))


def _called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> tuple[str, bool] | None:
    try:
        function(**arguments)
    except (KeyboardInterrupt, DivergedError):
        return None  # rank 0 stops at the same step, and knows why
    except BaseException as error:
        return _described(error)
    return None


def _described(error: BaseException) -> tuple[str, bool]:
    return f"{type(error).__name__}: {one_line(str(error))}"[:200], out_of_memory(error)


def _leave_to_rank_zero(number: int, frame: object) -> None:
    """A signal outside of a training; in one, all processes stop after the step (`Stops`)."""


def _end_with_rank_zero() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
