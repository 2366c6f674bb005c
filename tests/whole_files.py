"""One whole file of every kind that the project reads, small, with all that belongs to it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


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


def make_records(folder: Path) -> None:
    """A folder of results as a comparison leaves it, with both of its databases."""
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
    bring_optuna(folder)
    bring_mlflow(folder)
    for name in ("optuna.db", "mlflow.db"):
        with contextlib.closing(sqlite3.connect(folder / name)) as database:
            # What stands in the log beside it goes into the file, which is what is damaged.
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def bring_optuna(out: Path) -> None:
    """Do what the next run does with `optuna.db`."""
    from tunebench.methods import get_method
    from tunebench.store.store import Store, require_plan
    from tunebench.study.optuna_database import OptunaDatabase
    from tunebench.study.space import space

    store = Store(out)
    database = OptunaDatabase(store, lambda line: None)
    try:
        for study in require_plan(store).studies:
            database.reconcile(study.study, space(get_method(study.method), {}))
    finally:
        database.close()


def bring_mlflow(out: Path) -> None:
    """Do what the next run does with `mlflow.db`."""
    from tunebench.analysis import analyse
    from tunebench.store.store import Store, require_plan
    from tunebench.study.plan import assemble
    from tunebench.tracking import Tracker

    store = Store(out)
    analysis = analyse(assemble(require_plan(store), store))
    tracker = Tracker(None, out)
    tracker.prepare()
    tracker.sync(analysis, status="finished")
    tracker.close(analysis, status="finished")


def make_yaml(folder: Path) -> None:
    """An experiment with every kind of value in it."""
    (folder / "experiment.yaml").write_text(
        "tasks: [sst2, rte]\nmethods:\n  lora: {rank: [4, 8]}\n  head: {}\nseeds: [0, 1]\n"
        "backbone: {name: minilm, layers: 2}\ntrain:\n  head_lr: 1e-3\n"
        "search:\n  trials: 3\n  epochs: 2\ndata: {max_length: 64}\nout: runs\n"
    )


def make(folder: Path) -> None:
    """Every file, whole."""
    make_checkpoints(folder / "checkpoints")
    (folder / "records").mkdir(parents=True)
    make_records(folder / "records")
    (folder / "yaml").mkdir()
    make_yaml(folder / "yaml")
