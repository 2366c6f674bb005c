"""A job on a node of a cluster: what it is sent, how it runs there, and what comes back.

A node need not see the output folder. Settings and data are sent to each process once; a training
that was interrupted travels with its job, and record, files and lines come back as one parcel. Who
sent the job writes them, as it does what its own processes make.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import Experiment
from ..data.tasks import TaskData
from ..errors import UserError
from ..files import write_whole
from ..progress import Quiet
from ..records import Result, Trial
from ..store.store import Store
from ..store.workers import Workers
from ..text import one_line
from .execution import Execution, StagedStore
from .jobs import Job, execute
from .prepare_run import prepare_run, usable_cores
from .terms import check_in_common, in_common

FileBytes = NDArray[np.uint8]
"""A file's content: an array, since clusters pass arrays on without copying them."""


@dataclass(frozen=True)
class Setup:
    """What a process has to know once for all jobs of a run."""

    runner: str
    """The command that sends the jobs; empty where its folder is not shared."""
    experiment: Experiment
    data: tuple[TaskData, ...]
    common: Mapping[str, Any]
    """What must be the same there; see `terms.in_common`."""

    @classmethod
    def of(cls, execution: Execution) -> Setup:
        """From what the sender has prepared; the number of threads is the same on all nodes."""
        experiment = execution.experiment
        threads = experiment.train.threads or usable_cores()
        out = str(Path(experiment.out).absolute())
        return cls(
            "" if execution.member is None else execution.member.runner,
            replace(experiment, out=out, train=replace(experiment.train, threads=threads)),
            tuple(execution.data),
            in_common(execution),
        )


@dataclass(frozen=True)
class Node:
    """What a process has prepared for a run."""

    execution: Execution
    sees_folder: bool
    """Whether the output folder is here too."""


_prepared: dict[str, Node] = {}
"""Run → what is prepared for it: a process runs many jobs of one run, and then of another."""


@dataclass(frozen=True)
class Returned:
    """What comes back from a node."""

    host: str
    record: Trial | Result | None = None
    """None where the job was stopped, or refused."""
    refused: str = ""
    """Why this node cannot make what the sender would make."""
    notes: tuple[str, ...] = ()
    """Lines that the user should read."""
    files: Mapping[str, FileBytes] = field(default_factory=dict)
    """A cell's files, by their names in the output folder."""
    kept: FileBytes | None = None
    """The training as far as it came, where it is to go on elsewhere."""


class Notes(Quiet):
    """Keeps the lines; what else happens on a node stays there."""

    def __init__(self) -> None:
        """There is none yet."""
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """One line that the user should read."""
        self.lines.append(text)


def kept_of(job: Job, store: Store) -> FileBytes | None:
    """What is kept of a job's training, to be sent with it."""
    path = store.unfinished_path(job.writes)
    return np.fromfile(path, np.uint8) if path.is_file() else None


def run_there(
    run: str, setup: Callable[[], Setup], job: Job, kept: FileBytes | None = None
) -> Returned:
    """Run a trial or a cell in a process that knows nothing of it.

    Args:
        run: Names the setup, which is asked for once in a process.
        setup: Gives it.
        job: What is to be trained.
        kept: What the sender has kept of the training, if anything.
    """
    host = socket.gethostname()
    try:
        return _run_on(_node(run, setup), host, job, kept)
    except (UserError, OSError) as error:
        return Returned(host, refused=one_line(str(error)))


def _run_on(node: Node, host: str, job: Job, kept: FileBytes | None) -> Returned:
    """Run a job, and pack what it made.

    Raises:
        UserError: Its folder for temporary files cannot be written to.
    """
    prepared, notes = node.execution.run, Notes()
    with tempfile.TemporaryDirectory(prefix="tunebench-") as folder:
        # Where the folder is shared a training is kept there while it runs, so that another node
        # can go on if this one is lost; else it travels.
        records = prepared.context.store if node.sees_folder else Store(Path(folder) / "kept")
        store = StagedStore(Path(folder) / "made", records)
        if kept is not None and not node.sees_folder:
            write_whole(store.unfinished_path(job.writes), kept.data)
        context = replace(prepared.context, store=store, progress=notes, measures_latency=False)
        record = None
        with contextlib.suppress(KeyboardInterrupt):
            record = execute(job, replace(prepared, context=context))
        assert record is None or isinstance(record, Trial | Result)
        goes_on = record is None or record.failure == "transient"
        return Returned(
            host,
            record,
            notes=tuple(notes.lines),
            files=_files(store.out),
            kept=kept_of(job, store) if goes_on and not node.sees_folder else None,
        )


def unpack(returned: Returned, job: Job, execution: Execution, folder: Path) -> None:
    """Write what came back where the sender's own processes would have written it.

    Args:
        returned: The parcel.
        job: What was run.
        execution: The sender's.
        folder: Takes the files of a cell.

    Raises:
        UserError: The disk is full, or the folder cannot be written to.
    """
    for line in returned.notes:
        execution.run.context.progress.note(line)
    if returned.kept is not None:
        write_whole(execution.run.context.store.unfinished_path(job.writes), returned.kept.data)
    if isinstance(returned.record, Result):
        for name in (returned.record.adapter, returned.record.predictions):
            if name in returned.files:
                write_whole(folder / name, returned.files[name].data)


def _node(run: str, setup: Callable[[], Setup]) -> Node:
    """Prepare a run, unless this process has done so.

    Raises:
        UserError: Weights are missing here, or what is made here would not be what the sender
            makes.
    """
    if run not in _prepared:
        _prepared.clear()
        # Lightning would take a process that was started under Slurm for one of several that
        # train together; it lets an interactive job alone.
        os.environ["SLURM_JOB_NAME"] = "interactive"
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        sent = setup()
        out = Path(sent.experiment.out)
        execution = Execution(
            prepare_run(sent.experiment, Store(out), Quiet(), data=sent.data), sent.data
        )
        check_in_common(sent.common, execution)
        there = Workers(out).run()
        sees_folder = there is not None and there[0].get("runner") == sent.runner
        _prepared[run] = Node(execution, sees_folder)
    return _prepared[run]


def _files(folder: Path) -> dict[str, FileBytes]:
    """The files of a folder, by their names in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): np.fromfile(path, np.uint8) for path in files}
