"""Damaged files of every kind that the project reads, each made from a whole one by a seed.

`python -m tests.damage FIRST COUNT WHOLE WORK KIND...` reads so many of each kind in one process,
and writes a line of JSON before and after each: the reader may give a value or one `UserError` of
one line. A bound on its own CPU time, and an alarm, end the process at a file that hangs, a bound
on its memory at one that asks for too much, and the last line then tells the seed. Without
arguments it reads them all, and prints a table of what each kind took.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mistakes import damaged
from tests.whole_files import bring_mlflow, bring_optuna, make

LONGEST_MESSAGE = 1_200
SECONDS = 2.0
"""CPU time that the reading of a file may take, what is imported or built once left out."""
PATIENCE = 120
"""Seconds until a file counts as one that waits for ever; machines may be busy."""
MEMORY = 200_000_000
"""How many bytes a file of some kilobytes may make the process grow by."""


@dataclass(frozen=True)
class Kind:
    """One kind of file: where it lies in a folder that is whole, and what reads the folder."""

    file: str
    """The file that is damaged, relative to the folder."""
    read: Callable[[Path], object]
    sealed: bool = False
    """Whether the digest in a record is made anew, as somebody who forges one would."""


def read_checkpoint(path: Path) -> object:
    """Weights, tokenizer, stop tokens and the language head of a checkpoint."""
    from tunebench.checkpoints.checkpoint import Checkpoint

    checkpoint = Checkpoint.open(path)
    backbone = checkpoint.load_backbone()
    return backbone, checkpoint.load_tokenizer().encode("good film").ids, checkpoint.stop_tokens()


def read_folder_adapter(adapter: Path) -> object:
    """An adapter folder of another library, attached."""
    from tunebench.checkpoints.checkpoint import Checkpoint
    from tunebench.exchange.importing import import_folder
    from tunebench.exchange.names import peft_names

    checkpoint = Checkpoint.open(adapter.parent / "bert")
    return import_folder(adapter, checkpoint.load_backbone(), peft_names(checkpoint))


def read_adapter(path: Path) -> object:
    """An adapter file of ours, with which a text is predicted."""
    from tunebench.training.predictor import load_predictor

    predictor = load_predictor(path, backbone=str(path.parent / "bert"))
    return predictor.predict(["good film"] if len(predictor.task.text) == 1 else [("a", "b")])


def read_records(out: Path) -> object:
    """The store's records as an analysis, and a run as whoever predicts asks for it."""
    from tunebench.analysis import analyse
    from tunebench.analysis.predictions import read_from
    from tunebench.errors import UserError
    from tunebench.store.runs import find_run
    from tunebench.store.store import Store, require_plan
    from tunebench.study.completed import MARK, _read
    from tunebench.study.plan import assemble

    store = Store(out)
    store.damaged()
    _read(out / MARK)
    with contextlib.suppress(UserError):
        find_run(out, "best")
    with contextlib.suppress(UserError):
        find_run(out, "a")
    return analyse(assemble(require_plan(store), store), read_from(out))


def read_report(out: Path) -> object:
    """The store's records as page, text and table."""
    from tunebench.analysis import analyse
    from tunebench.analysis.predictions import read_from
    from tunebench.report.files import write
    from tunebench.store.store import Store, require_plan
    from tunebench.study.plan import assemble

    store = Store(out)
    return write(analyse(assemble(require_plan(store), store), read_from(out)), out, {})


def read_predictions(out: Path) -> object:
    """What cells answered, without the digests that their records hold of it."""
    from tunebench.analysis.predictions import read_from

    from tests.records import comparison

    return [read_from(out)(row) for row in comparison(tasks=("sst2",)).results]


def read_optuna(out: Path) -> object:
    """`optuna.db`, by doctor and by the next run, after which all agrees."""
    from tunebench.store.store import Store, require_plan
    from tunebench.study.doctor import _optuna

    store = Store(out)
    plan = require_plan(store)
    lines = _optuna(store, (plan,), None)
    bring_optuna(out)
    left = [line for line in _optuna(store, (plan,), None) if "added by others" not in line]
    assert not left, left
    return lines


def read_mlflow(out: Path) -> object:
    """`mlflow.db`, by doctor and by the next run, after which all agrees."""
    from tunebench.analysis import analyse
    from tunebench.errors import UserError
    from tunebench.store.store import Store, require_plan
    from tunebench.study.plan import assemble
    from tunebench.tracking import Tracker, TrackingError

    store = Store(out)
    analysis = analyse(assemble(require_plan(store), store))
    try:
        lines = Tracker(None, out).check(analysis)
        bring_mlflow(out)
        left = Tracker(None, out).check(analysis)
    except TrackingError as error:
        raise UserError(str(error)) from None
    assert not left, left
    return lines


def read_yaml(folder: Path) -> object:
    """An experiment file as settings, as `compare --experiment` reads it."""
    from tunebench.cli.commands import COMMANDS
    from tunebench.cli.flags import parse
    from tunebench.cli.settings import resolve

    command = COMMANDS["compare"]
    arguments = [f"--experiment={folder / 'experiment.yaml'}"]
    return resolve(parse(arguments, command.flags(), command.switches))


def _in(name: str, read: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: read(folder / name)


CHECKPOINTS = {
    "bert/model.safetensors": _in("bert", read_checkpoint),
    "bert/config.json": _in("bert", read_checkpoint),
    "llama/config.json": _in("llama", read_checkpoint),
    "llama/generation_config.json": _in("llama", read_checkpoint),
    "bert/tokenizer.json": _in("bert", read_checkpoint),
    "llama/tokenizer.json": _in("llama", read_checkpoint),
    "llama.gguf": _in("llama.gguf", read_checkpoint),
    "lora.safetensors": _in("lora.safetensors", read_adapter),
    "prefix.safetensors": _in("prefix.safetensors", read_adapter),
    "peft-lora/adapter_config.json": _in("peft-lora", read_folder_adapter),
    "peft-lora/adapter_model.safetensors": _in("peft-lora", read_folder_adapter),
    "peft-prefix/adapter_config.json": _in("peft-prefix", read_folder_adapter),
    "peft-ia3/adapter_config.json": _in("peft-ia3", read_folder_adapter),
    "hub/adapter_config.json": _in("hub", read_folder_adapter),
    "hub/adapter.safetensors": _in("hub", read_folder_adapter),
    "hub/head_config.json": _in("hub", read_folder_adapter),
}
RECORDS = {
    "cells/*.json": read_records,
    "trials/*/*.json": read_records,
    "comparisons/*.json": read_records,
    "latest": read_records,
    "completed.json": read_records,
    "results.csv": read_records,
    "cells/*/predictions.parquet": read_predictions,
    "optuna.db": read_optuna,
    "mlflow.db": read_mlflow,
}
SEALED = ("cells/*.json", "trials/*/*.json", "comparisons/*.json")
KINDS: Mapping[str, Kind] = (
    {name: Kind(name, read) for name, read in (CHECKPOINTS | RECORDS).items()}
    | {f"sealed {name}": Kind(name, read_report, sealed=True) for name in SEALED}
    | {"experiment.yaml": Kind("experiment.yaml", read_yaml)}
)


def home(name: str) -> str:
    """The folder in which the files of a kind lie."""
    file = KINDS[name].file
    return "checkpoints" if file in CHECKPOINTS else "records" if file in RECORDS else "yaml"


def _sealed(content: bytes) -> bytes:
    """A record with a digest that fits what it says."""
    from tunebench.store.record_file import digest

    try:
        record = json.loads(content)
        record["sha256"] = digest(record["record"], record["files"])
        return json.dumps(record).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return content


def outcomes(name: str, seeds: Sequence[int], whole: Path, work: Path) -> Iterator[dict[str, Any]]:
    """What became of each damaged file of a kind: read, refused, or a fault."""
    from tunebench.errors import UserError

    kind = KINDS[name]
    source = whole / home(name)
    shutil.copytree(source, work / "whole")
    path = next(iter(sorted((work / "whole").glob(kind.file)))).relative_to(work / "whole")
    content = (work / "whole" / path).read_bytes()
    kind.read(work / "whole")  # so that what is imported or built once is there
    for seed in seeds:
        folder = work / str(seed)
        shutil.copytree(source, folder)
        changed = damaged(content, kind.file, seed)
        (folder / path).write_bytes(_sealed(changed) if kind.sealed else changed)
        yield {"kind": name, "seed": seed}
        begun, peak = _cpu(), _peak()
        resource.setrlimit(resource.RLIMIT_AS, (_size() + MEMORY, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(PATIENCE)
        try:
            kind.read(folder)
            ended = {"outcome": "read", "message": ""}
        except UserError as error:
            ended = {"outcome": "refused", "message": str(error)}
        except BaseException as error:
            last = traceback.format_exception(error)[-4:]
            ended = {"outcome": "fault", "message": "".join(last)[-2_000:]}
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        cost = {"cpu": _cpu() - begun, "grown": _peak() - peak}
        yield {"kind": name, "seed": seed, **ended, **cost}
        shutil.rmtree(folder)


def _cpu() -> float:
    """CPU seconds of this process: what a busy machine lets it wait is not among them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _size() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def main(first: str, count: str, whole: str, work: str, *kinds: str) -> None:
    """Write what became of so many files of each kind, a line before and a line after each."""
    import torch

    torch.set_num_threads(1)
    seeds = range(int(first), int(first) + int(count))
    for number, name in enumerate(kinds):
        for line in outcomes(name, seeds, Path(whole), Path(work) / str(number)):
            print(json.dumps(line), flush=True)


def show(count: int = 40) -> None:
    """Print a table: what became of so many files of each kind, and what the dearest one took."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "whole")
        print("| kind | read | refused | most CPU, s | most memory, MB |\n| --- " * 1, end="")
        print("| ---: | ---: | ---: | ---: |")
        for number, name in enumerate(KINDS):
            lines = outcomes(name, range(count), Path(folder) / "whole", Path(folder) / str(number))
            ended = [line for line in lines if "outcome" in line]
            by = [
                sum(line["outcome"] == outcome for line in ended) for outcome in ("read", "refused")
            ]
            seconds = max(line["cpu"] for line in ended)
            memory = max(line["grown"] for line in ended) / 1e6
            print(f"| {name} | {by[0]} | {by[1]} | {seconds:.2f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:]) if sys.argv[1:] else show()
