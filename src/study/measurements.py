"""What claims need beside trained cells: counts, bytes and times of a backbone and its methods.

    start     by how much an untrained method changes the states, relative to the largest
    work      floating-point operations of one text through the served model, and through the base
    memory    bytes of one training step: gradients and optimizer state, and saved activations
    latency   the served model in turn with the base model, in rounds; of LoRA the unmerged one too
    merge     by how much merging a trained LoRA changes its logits, in fp32 and in bf16

Texts are random tokens, the same each time: none of these figures depends on what a text says. A
method has its own defaults. Each measurement is a record of the store, made where it is missing.
"""

from __future__ import annotations

import contextlib
import copy
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from ..backbone.model import Backbone
from ..checkpoints.checkpoint import Checkpoint
from ..costs.texts import random_batch
from ..data.text.batches import Batch
from ..files import file_lock
from ..measure.interleaved import rounds_in_turn
from ..methods import get_method
from ..methods._catalogue import compared
from ..methods._fold import replace as replace_modules
from ..methods.base import Method
from ..progress import Progress
from ..records import Measurement, Result
from ..store.store import Store, identity
from ..training.adapter_file import open_adapter
from ..training.classifier import Classifier
from ..training.predictor import build_predictor
from .cell import device_name, versions
from .plan import assemble

TOKENS, SHORT = 128, 32
"""Of a text: where work is counted, and elsewhere."""
BATCH = 16
"""Texts of a training step."""
ROUNDS = 15
FEWEST = 3
"""Rounds of passes in turn in each of them."""
MOST_MERGED = 3
"""Trained LoRA cells that are merged: the first ones by name."""
PROMPTS = ("prompt", "p_tuning")
PREFIXES = ("prefix", "p_tuning_v2")
EXACT = ("lora", "adapter")
"""Methods that begin as the identity."""
TIMED = ("lora", "adapter", *PROMPTS, *PREFIXES)
MANY = 32
"""Texts in the larger batch."""
ZERO_PREFIX = "zero prefix"


def measure(out: Path, progress: Progress) -> tuple[Measurement, ...]:
    """Make every measurement of the last comparison's backbone, and of its trained LoRA cells.

    Args:
        out: A folder of results.
        progress: Hears what is measured.

    Returns:
        Those that were made now; what is in the store already is left as it is.
    """
    store = Store(out)
    results = [r for plan in store.plans() for r in assemble(plan, store).results]
    done = [r for r in results if r.status == "complete"]
    last = store.plan()
    if last is None or not done:
        return ()
    settings: Mapping[str, Any] = last.experiment["backbone"]
    checkpoint = Checkpoint.open(settings["name"], settings["layers"])
    digest = checkpoint.digest
    mine = {r.cell: r for r in done if r.backbone_digest == digest}
    made = []
    with file_lock(out):
        laboratory = Laboratory(checkpoint.load_backbone())
        for record, values in _planned(laboratory, tuple(mine.values()), out):
            backbone = settings["name"]
            if settings["layers"] is not None:
                backbone = f"{backbone}:{settings['layers']}"
            name = identity(
                f"{record.kind}-{record.method.replace(' ', '-')}",
                digest,
                record.cell,
                dict(record.hyperparameters),
            )
            if store.measurement(name) is not None:
                continue
            progress.note(f"measured: {record.kind}, {record.method}")
            figures, rounds = values()
            whole = replace(
                record,
                name=name,
                values=figures,
                rounds=rounds,
                backbone=backbone,
                backbone_digest=digest,
                device=device_name(torch.device("cpu")),
                versions=versions(),
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            store.put_measurement(whole)
            made.append(whole)
    return tuple(made)


Figures = Callable[[], tuple[dict[str, float], dict[str, tuple[float, ...]]]]


def _planned(
    laboratory: Laboratory, results: Sequence[Result], out: Path
) -> Iterator[tuple[Measurement, Figures]]:
    """What there is to measure, and the function that does it."""

    def one(
        kind: str, method: str, measured: Callable[[Method], dict[str, float]]
    ) -> tuple[Measurement, Figures]:
        made = get_method(method)()
        record = Measurement("", kind, method, {}, hyperparameters=made.hyperparameters())
        return record, lambda: (measured(made), {})

    for method in EXACT:
        yield one("start", method, laboratory.change_at_start)
    zero = Measurement("", "start", ZERO_PREFIX, {})
    yield zero, lambda: ({"change": laboratory.change_of_zero_prefix()}, {})
    for method in (*PROMPTS, *PREFIXES):
        yield one("work", method, laboratory.work)
    for method in compared():
        yield one("memory", method, laboratory.memory)
    for method in TIMED:
        timed = get_method(method)()
        record = Measurement("", "latency", method, {}, hyperparameters=timed.hyperparameters())
        yield record, lambda timed=timed: laboratory.latency(timed)  # type: ignore[misc]
    trained = sorted((r for r in results if r.method == "lora"), key=lambda r: r.cell)
    for result in trained[:MOST_MERGED]:
        record = Measurement(
            "", "merge", "lora", {}, cell=result.cell, hyperparameters=result.hyperparameters
        )
        yield record, lambda cell=result.cell: (merged(out, cell), {})  # type: ignore[misc]


class Laboratory:
    """A backbone, and what is measured of methods on it."""

    def __init__(self, base_model: Backbone) -> None:
        """Keep the backbone as it is; each measurement takes a copy."""
        self.base_model = base_model.eval()

    def classifier(self, method: Method | None, base_model: Backbone | None = None) -> Classifier:
        """A classifier on a copy of the backbone, with a method that begins at seed 0."""
        torch.manual_seed(0)
        classifier = Classifier(copy.deepcopy(base_model or self.base_model), lr=1e-3)
        if method is not None:
            method.release()
            method.attach(classifier.backbone)
        return classifier

    def batch(self, texts: int, tokens: int, room: int = 0) -> Batch:
        """Random tokens, the same each time; shorter where the context has not so many."""
        cfg = self.base_model.cfg
        return random_batch(cfg, texts, min(tokens, cfg.context - room))

    def states(self, backbone: Backbone, batch: Batch) -> Tensor:
        """Final states of the texts' own tokens."""
        with torch.inference_mode():
            return backbone.eval().encode(batch.ids, batch.layout, segments=batch.segments)

    def change_at_start(self, method: Method) -> dict[str, float]:
        """By how much an untrained method changes the states."""
        batch = self.batch(4, SHORT)
        before = self.states(self.base_model, batch)
        after = self.states(self.classifier(method).backbone, batch)
        return {"change": relative_change(before, after)}

    def change_of_zero_prefix(self) -> float:
        """The same of keys and values that are all 0."""
        method = get_method("p_tuning_v2")()
        backbone = self.classifier(method).backbone
        with torch.no_grad():
            for weight in backbone.memory.parameters():
                weight.zero_()
        batch = self.batch(4, SHORT)
        return relative_change(self.states(self.base_model, batch), self.states(backbone, batch))

    def work(self, method: Method) -> dict[str, float]:
        """Operations of one text through the served model and the base, and what its layers see."""
        backbone = self.classifier(method).backbone
        method.fold(backbone)
        length = int(method.hyperparameters()["length"])
        batch = self.batch(1, TOKENS, room=length)
        tokens = len(batch.ids)
        seen: list[int] = []
        hook = backbone.blocks[0].register_forward_pre_hook(
            lambda _, inputs: seen.append(len(inputs[0]))
        )
        flops = self._flops(backbone, batch)
        hook.remove()
        return {
            "flops": flops,
            "base_flops": self._flops(copy.deepcopy(self.base_model), batch),
            "length": length,
            "tokens": tokens,
            "positions": seen[0] - tokens,
        }

    def _flops(self, backbone: Backbone, batch: Batch) -> float:
        # The reference is made of plain products, which torch counts.
        backbone.implementation = "reference"
        with FlopCounterMode(display=False) as counter:
            self.states(backbone, batch)
        return float(counter.get_total_flops())

    def memory(self, method: Method) -> dict[str, float]:
        """Bytes that one training step of AdamW keeps."""
        classifier = self.classifier(method)
        classifier.train()
        weights = [p for p in classifier.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(weights)
        batch = self.batch(BATCH, SHORT, room=method.inserted(self.base_model.cfg))
        with kept_for_backward(classifier) as activations:
            torch.autograd.backward(classifier.logits(batch).sum())
        optimizer.step()
        state = sum(p.grad.nbytes for p in weights if p.grad is not None)
        for each in optimizer.state.values():
            state += sum(value.nbytes for value in each.values() if isinstance(value, Tensor))
        return {"state": float(state), "activations": float(sum(activations.values()))}

    def latency(self, method: Method) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
        """A method's served model, each time in turn with the base model: a ratio each round."""
        served = type(method)(**method.hyperparameters())
        base, folded = self.classifier(None).eval(), self.classifier(served).eval()
        served.fold(folded.backbone)
        sides = {"served": (folded, 1)}
        if method.name == "lora":
            sides["before folding"] = (self.classifier(method).eval(), 1)
        if method.name == "adapter":
            sides[f"served, {MANY} texts"] = (folded, MANY)
        room = method.inserted(self.base_model.cfg)
        batches = {texts: self.batch(texts, SHORT, room) for texts in (1, MANY)}
        rounds: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(ROUNDS):
            # The order changes from round to round, so that no side is always the first.
            for side in sorted(sides, reverse=bool(number % 2)):
                tuned, texts = sides[side]
                rounds[side].append(_ratio(tuned, base, batches[texts]))
        return {"tokens": float(SHORT)}, {side: tuple(each) for side, each in rounds.items()}


def _ratio(tuned: Classifier, base: Classifier, batch: Batch) -> float:
    """The latency of one classifier to that of another."""
    rounds = rounds_in_turn(
        lambda: tuned.logits(batch),
        lambda: base.logits(batch),
        half_width=0.0,
        seconds=0.2,
        fewest=FEWEST,
        device=torch.device("cpu"),
    )
    return math.exp(statistics.median(each.log_ratio for each in rounds))


def merged(out: Path, cell: str) -> dict[str, float]:
    """By how much merging changes the logits of a trained cell, in two precisions."""
    changes = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        predictor = build_predictor(open_adapter(cell, out, None, {}), "cpu")
        classifier = predictor.classifier.to(kind).eval()
        batch = Laboratory(classifier.backbone).batch(BATCH, SHORT)
        with torch.inference_mode():
            before = classifier.logits(batch)
        replace_modules(classifier.backbone, "fold")
        with torch.inference_mode():
            changes[name] = relative_change(before.float(), classifier.logits(batch).float())
    return changes


def relative_change(before: Tensor, after: Tensor) -> float:
    """The largest difference, by the largest value before."""
    return float((after - before).abs().max() / before.abs().max())


@contextlib.contextmanager
def kept_for_backward(module: nn.Module) -> Iterator[dict[int, int]]:
    """Bytes by storage of what autograd keeps in the block, weights not counted."""
    weights = {p.untyped_storage().data_ptr() for p in (*module.parameters(), *module.buffers())}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []

    def pack(x: Tensor) -> Tensor:
        place = x.untyped_storage().data_ptr()
        if place not in weights:
            kept[place] = x.untyped_storage().nbytes()
            # What is kept stays alive, so that no other tensor takes its place meanwhile.
            alive.append(x)
        return x

    with saved_tensors_hooks(pack, lambda x: x):
        yield kept
