"""Damaged files of every kind that the project reads, each made from a whole one by a seed.

`python -m tests.damage FIRST COUNT WHOLE WORK KIND...` reads so many of each kind in one process,
and writes a line of JSON before and after each: the reader may give a value or one `UserError` of
one line. An alarm ends the process at a file that hangs, a bound on its memory at one that asks for
too much, and the last line then tells the seed.
"""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_MESSAGE = 1_200
SECONDS = 30
"""Until a file counts as one that hangs; far above what any takes, since machines may be busy."""
MEMORY = 256 << 20
"""How many bytes a file of some kilobytes may make the process grow by."""
ODD: Sequence[Any] = (
    None, True, -1, 0, 1, 2**31, 2**62, 10**30, -(2**63), 0.5, -0.0, float("nan"), float("inf"),
    1e308, "", "x", "../../x", "\ud800", "ü\n", [], [1], {}, {"a": 1}, [[]],
)  # fmt: skip
"""Values that stand where others should."""
LENGTHS = (0, 1, 2**31 - 1, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**64 - 1)


def damaged(content: bytes, kind: str, seed: int) -> bytes:
    """The content with a few mistakes, which the seed alone decides."""
    draw = random.Random(f"{kind}/{seed}")
    ways: list[Callable[[bytes, random.Random], bytes]] = [_flip, _cut, _repeat, _numbers]
    if kind.endswith(".safetensors"):
        ways += [_safetensors] * 6
    elif kind.endswith((".json", ".jsonl")):
        ways += [_json_bytes] * 6
    elif kind.endswith((".yaml", ".csv", "latest")):
        ways += [_text] * 4
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        content = draw.choice(ways)(content, draw)
    return content


def _flip(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    # Headers stand first, and say more than what follows.
    reach = draw.choice((64, 1_024, len(changed)))
    for _ in range(draw.choice((1, 2, 16))):
        if changed:
            changed[draw.randrange(min(reach, len(changed)))] = draw.randrange(256)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.choice((0, 1, 8, 9, draw.randrange(len(content) + 1), len(content) - 1))]


def _repeat(content: bytes, draw: random.Random) -> bytes:
    begin, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[begin:end][:4_096] + content[end:]


def _numbers(content: bytes, draw: random.Random) -> bytes:
    """An eight-byte or four-byte number somewhere, often in the header, is another."""
    size, code = draw.choice(((8, "<Q"), (4, "<I")))
    place = draw.randrange(max(1, min(draw.choice((32, 512, len(content))), len(content) - size)))
    number = draw.choice(LENGTHS) % 2 ** (8 * size)
    return content[:place] + struct.pack(code, number) + content[place + size :]


def _text(content: bytes, draw: random.Random) -> bytes:
    signs = (b"\n", b"\t", b":", b"- ", b"[" * 5_000, b"{", b'"', b"&a *a", b"!!python/object:x ",
             b"\0", b"\xff\xfe", b"9" * 5_000, b"1e999", b"../", b"%", b"? ", b"<<: ")  # fmt: skip
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.choice(signs) + content[place + draw.choice((0, 1, 5)) :]


def _safetensors(content: bytes, draw: random.Random) -> bytes:
    """The header with other shapes, types or places, or another length before it."""
    try:
        length = int.from_bytes(content[:8], "little")
        header, body = content[8 : 8 + length], content[8 + length :]
        changed = _json_bytes(header, draw)
    except ValueError:
        return _flip(content, draw)
    length = len(changed) if draw.random() < 0.9 else draw.choice(LENGTHS)
    return length.to_bytes(8, "little") + changed + body


def _json_bytes(content: bytes, draw: random.Random) -> bytes:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return _flip(content, draw)
    if draw.random() < 0.1:
        deep = 5_000
        return b"[" * deep + b"]" * deep if draw.random() < 0.5 else b'{"a":' * deep
    for _ in range(draw.choice((1, 1, 2))):
        value = _json_value(value, draw)
    text = json.dumps(value)
    if draw.random() < 0.1 and '":' in text:
        key = text[text.index('"') :].partition(":")[0]
        text = text.replace("{", f"{{{key}: 1, ", 1)
    return text.encode("utf-8", "surrogatepass")


def _json_value(value: Any, draw: random.Random) -> Any:
    """The value with one place in it changed."""
    if isinstance(value, dict) and value and draw.random() < 0.92:
        key = draw.choice(sorted(value))
        action = draw.random()
        if action < 0.08:
            return {name: each for name, each in value.items() if name != key}
        if action < 0.14:
            return {**value, draw.choice(("", "more", "\ud800", key.upper(), "a" * 5_000)): 1}
        return {**value, key: _json_value(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        place = draw.randrange(len(value))
        return [*value[:place], _json_value(value[place], draw), *value[place + 1 :]]
    if isinstance(value, str) and draw.random() < 0.5:
        return draw.choice(
            ("F64", "I64", "BF16", "F8_E4M3", "BOOL", "relu", "auto", value * 50, "é")
        )
    if isinstance(value, int) and draw.random() < 0.3:
        return value + draw.choice((-1, 1, 10**6))
    return draw.choice(ODD)


@dataclass(frozen=True)
class Kind:
    """One kind of file: where it lies in a folder that is whole, and what reads the folder."""

    file: str
    """The file that is damaged, relative to the folder."""
    read: Callable[[Path], object]
    sealed: bool = False
    """Whether the digest in a record is made anew, as somebody who forges one would."""


def make_checkpoints(folder: Path) -> None:
    """A BERT and a Llama, as folders, the Llama as GGUF too, with adapters for the BERT."""
    from tests import small

    small.make_folder(folder / "bert")
    small.make_decoder(folder / "llama")
    (folder / "llama" / "generation_config.json").write_text('{"eos_token_id": [3, 2]}')
    _make_gguf(folder / "llama.gguf")
    _make_adapters(folder)


def _make_gguf(path: Path) -> None:
    import numpy as np
    from gguf import GGUFWriter

    from tests import tiny, vocabularies

    cfg = tiny.DECODER
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(cfg.context)
    writer.add_embedding_length(cfg.width)
    writer.add_block_count(cfg.layers)
    writer.add_feed_forward_length(cfg.hidden)
    writer.add_head_count(cfg.heads)
    writer.add_head_count_kv(cfg.key_heads)
    writer.add_layer_norm_rms_eps(cfg.epsilon)
    writer.add_rope_freq_base(cfg.rope_theta)
    writer.add_key_length(cfg.head_size)
    writer.add_eos_token_id(2)
    pieces = [f"▁w{number}" for number in range(cfg.vocabulary - 3)]
    vocabularies.write_vocabulary(
        writer,
        "llama",
        None,
        vocabularies.Vocabulary(_tokens(pieces), scores=[-float(rank) for rank in range(50)]),
    )
    names = {
        "attn_norm": (32,), "attn_q": (32, 32), "attn_k": (16, 32), "attn_v": (16, 32),
        "attn_output": (32, 32), "ffn_norm": (32,), "ffn_gate": (48, 32), "ffn_up": (48, 32),
        "ffn_down": (32, 48),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (50, 32),
        "output_norm.weight": (32,),
    }
    for layer in range(cfg.layers):
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in names.items()}
    for name, shape in shapes.items():
        writer.add_tensor(name, np.ones(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tokens(pieces: Sequence[str]) -> dict[str, Any]:
    from gguf import TokenType

    marks = {"<unk>": TokenType.UNKNOWN, "<s>": TokenType.CONTROL, "</s>": TokenType.CONTROL}
    return marks | dict.fromkeys(pieces, TokenType.NORMAL)


def _make_adapters(folder: Path) -> None:
    import torch
    from tunebench.checkpoints.checkpoint import Checkpoint
    from tunebench.exchange.adapterhub import export_adapters
    from tunebench.exchange.heads import Head
    from tunebench.exchange.names import peft_names
    from tunebench.exchange.ours import save_adapter
    from tunebench.exchange.peft import export_peft
    from tunebench.methods import get_method
    from tunebench.methods._metadata import AdapterMetadata

    checkpoint = Checkpoint.open(folder / "bert")
    names = peft_names(checkpoint)
    head = Head(torch.ones(2, 32), torch.zeros(2), "mean")
    for method_name in ("lora", "adapter", "prefix", "ia3"):
        backbone = checkpoint.load_backbone()
        method = get_method(method_name)(**EXPORTABLE.get(method_name, {}))
        method.attach(backbone)
        metadata = AdapterMetadata(str(folder / "bert"), None, checkpoint.digest)
        save_adapter(folder / f"{method_name}.safetensors", method, backbone, head, metadata)
        if method_name == "adapter":
            first = Head(head.weight, head.bias, "first")
            export_adapters(folder / "hub", method, backbone, names, head=first)
        else:
            export_peft(folder / f"peft-{method_name}", method, backbone, names, head=head)


EXPORTABLE: Mapping[str, Mapping[str, Any]] = {
    "adapter": {"train_norms": False},
    "prefix": {"position_offset": "length"},
}
"""Settings under which another library has an equal."""


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


def make_records(folder: Path) -> None:
    """A folder of results as a comparison leaves it, with what was tried in `optuna.db`."""
    import optuna
    import pyarrow as pa
    import pyarrow.parquet as pq
    from tunebench.records import Study
    from tunebench.store.store import Plan, PlannedCell, Store

    from tests.records import comparison

    made = comparison(tasks=("sst2",), out=folder)
    for row in made.results:
        if row.predictions:
            table = pa.table({"id": ["a", "b"], "label": ["0", "1"], "prediction": ["0", "0"]})
            pq.write_table(table, folder / row.predictions)
    store = Store(folder)
    for trial in made.trials:
        store.put_trial(trial)
    for row in made.results:
        store.put_result(row)
    keys = ("cell", "study", "task", "method", "seed")
    store.put_plan(
        Plan(
            id=made.id,
            experiment=made.experiment,
            tasks=made.tasks,
            methods=made.methods,
            seeds=made.seeds,
            trials=2,
            sources=made.sources,
            notes=made.notes,
            cells=tuple(PlannedCell(*(getattr(r, key) for key in keys)) for r in made.results),
            studies=tuple(dict.fromkeys(Study(r.study, r.task, r.method) for r in made.results)),
            references=made.references,
            command=made.command,
            created=made.created,
        )
    )
    (folder / "completed.json").write_text('{"inputs": "a", "records": "b", "reports": {}}')
    (folder / "results.csv").write_text("mlflow_run_id,cell\na,b\n")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'optuna.db'}", study_name=made.trials[0].study
    )
    study.optimize(lambda trial: trial.suggest_float("lr", 0, 1), n_trials=2)


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
    """`optuna.db`, by doctor and by the next run."""
    from tunebench.methods import get_method
    from tunebench.store.store import Store, require_plan
    from tunebench.study.doctor import _optuna
    from tunebench.study.search import OptunaDatabase
    from tunebench.study.space import space

    store = Store(out)
    plan = require_plan(store)
    _optuna(store, (plan,))
    database = OptunaDatabase(store, lambda line: None)
    try:
        return database.reconcile(plan.studies[0].study, space(get_method("lora"), {}))
    finally:
        database.close()


def make_yaml(folder: Path) -> None:
    """An experiment with every kind of value in it."""
    (folder / "experiment.yaml").write_text(
        "tasks: [sst2, rte]\nmethods:\n  lora: {rank: [4, 8]}\n  head: {}\nseeds: [0, 1]\n"
        "backbone: {name: minilm, layers: 2}\ntrain:\n  head_lr: 1e-3\n"
        "search:\n  trials: 3\n  epochs: 2\ndata: {max_length: 64}\nout: runs\n"
    )


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
}
SEALED = ("cells/*.json", "trials/*/*.json", "comparisons/*.json")
KINDS: Mapping[str, Kind] = (
    {name: Kind(name, read) for name, read in (CHECKPOINTS | RECORDS).items()}
    | {f"sealed {name}": Kind(name, read_report, sealed=True) for name in SEALED}
    | {"experiment.yaml": Kind("experiment.yaml", read_yaml)}
)


def make(folder: Path) -> None:
    """Every file, whole."""
    make_checkpoints(folder / "checkpoints")
    (folder / "records").mkdir(parents=True)
    make_records(folder / "records")
    (folder / "yaml").mkdir()
    make_yaml(folder / "yaml")


def home(name: str) -> str:
    """The folder in which the files of a kind lie."""
    file = KINDS[name].file
    return "checkpoints" if file in CHECKPOINTS else "records" if file in RECORDS else "yaml"


def _sealed(content: bytes) -> bytes:
    """A record with a digest that fits what it says."""
    from tunebench.store.store import _digest

    try:
        record = json.loads(content)
        record["sha256"] = _digest(record["record"], record["files"])
        return json.dumps(record).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return content


def outcomes(name: str, seeds: Sequence[int], whole: Path, work: Path) -> Iterator[dict[str, Any]]:
    """What became of each damaged file of a kind: read, refused, or a fault."""
    from tunebench.errors import UserError

    kind = KINDS[name]
    source = whole / home(name)
    shutil.copytree(source, work, dirs_exist_ok=True)
    path = next(iter(sorted(work.glob(kind.file))))
    content = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    kind.read(work)  # whole, so that what is imported or built once is there
    resource.setrlimit(resource.RLIMIT_AS, (_size() + MEMORY, resource.RLIM_INFINITY))
    for seed in seeds:
        if home(name) == "records":
            shutil.rmtree(work)
            shutil.copytree(source, work)
        changed = damaged(content, kind.file, seed)
        path.write_bytes(_sealed(changed) if kind.sealed else changed)
        yield {"kind": name, "seed": seed}
        begun, peak = time.perf_counter(), _peak()
        signal.alarm(SECONDS)
        try:
            kind.read(work)
            ended = {"outcome": "read", "message": ""}
        except UserError as error:
            ended = {"outcome": "refused", "message": str(error)}
        except BaseException as error:
            last = traceback.format_exception(error)[-4:]
            ended = {"outcome": "fault", "message": "".join(last)[-2_000:]}
        signal.alarm(0)
        seconds = time.perf_counter() - begun
        yield {"kind": name, "seed": seed, **ended, "seconds": seconds, "grown": _peak() - peak}


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


if __name__ == "__main__":
    main(*sys.argv[1:])
