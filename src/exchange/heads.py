"""Classification heads: ours is W h + b on a pooled state h, transformers' depend on the family.

    score     W h at the last token, without a bias: Llama, Mistral, Qwen, GPT-2
    pooler    W tanh(P h + p) + b at the first token, P the network's own pooler: BERT
    dense     the same, P in the head: RoBERTa
    relu      W relu(P h + p) + b at the first token: DistilBERT

A head goes into PEFT's file where it can be written as the family's. A head on the first token can
where the family has a tanh: with P = 2^-12 · 1 and p = 0 the tanh is linear to fp32's own rounding
(tanh u = u - u³/3 …, and u² / 3 < 1e-6 for states below 7), and W is scaled up by as much. A ReLU
cuts off negative numbers whatever P is, so no linear head can be written with it. Any other head
is written to a file of ours in the same folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import UserError
from ..files import write_whole
from .folder import Tensors, plain
from .names import BASE, PeftNames

FILE, FORMAT = "tunebench_head.safetensors", "tunebench-head-1"
OTHER_HEADS: Mapping[str, str] = {
    "TOKEN_CLS": "each token",
    "QUESTION_ANS": "places in a text",
}
"""PEFT's task types whose heads are none of ours."""
STEP = 2.0**-12
"""The pooler's factor; a power of two, so that scaling by it changes no digit of a float."""


@dataclass(frozen=True)
class Head:
    """A linear map of one state for each text."""

    weight: Float[Tensor, "c d"]
    bias: Float[Tensor, " c"]
    pooling: str
    """Which state it reads: "mean", "first" or "last"; empty where that is not known."""


@dataclass(frozen=True)
class Fitting:
    """A head as tensors of a family's own modules."""

    tensors: Mapping[str, Tensor]
    """By their names in a PEFT file."""
    modules: tuple[str, ...]
    """PEFT's `modules_to_save`."""


def fit(head: Head, names: PeftNames, stem: str = BASE) -> Fitting | str:
    """The head in the family's modules, or why it cannot be written as the family's.

    Args:
        head: Ours.
        names: Transformers' names of the backbone's modules.
        stem: What stands before every name in the file.
    """
    kind = names.family.head
    if kind == "score":
        return _score(head, stem)
    if kind == "relu":
        return "transformers' head has a ReLU between, which no linear head is"
    return _pooled(head, names, stem)


def _score(head: Head, stem: str) -> Fitting | str:
    """A head on the last token, as decoders have it."""
    if head.pooling != "last":
        return f"transformers' head reads the last token, this one {reads(head)}"
    if bool(head.bias.any()):
        return "transformers' head has no bias, this one has"
    return Fitting({f"{stem}score.weight": head.weight}, ("score",))


def _pooled(head: Head, names: PeftNames, stem: str) -> Fitting | str:
    """A head on the first token behind a tanh, as BERT and RoBERTa have it."""
    if head.pooling != "first":
        return f"transformers' head reads the first token, this one {reads(head)}"
    width = head.weight.shape[1]
    dense, last = _maps(names, stem)
    tensors = {
        f"{dense}.weight": STEP * torch.eye(width),
        f"{dense}.bias": torch.zeros(width),
        f"{last}.weight": head.weight / STEP,
        f"{last}.bias": head.bias,
    }
    pooled = names.family.head == "pooler"
    return Fitting(tensors, ("pooler", "classifier") if pooled else ("classifier",))


def _maps(names: PeftNames, stem: str) -> tuple[str, str]:
    """A family's names of the linear map before the activation and of the one after it."""
    if names.family.head == "pooler":
        return f"{stem}{names.family.root}pooler.dense", f"{stem}classifier"
    if names.family.head == "relu":
        return f"{stem}pre_classifier", f"{stem}classifier"
    return f"{stem}classifier.dense", f"{stem}classifier.out_proj"


def reads(head: Head) -> str:
    """Which state a head reads, in words."""
    where = {"mean": "the mean of all", "first": "the first", "last": "the last"}
    return where.get(head.pooling, "one that is not known")


def find(
    tensors: Tensors, names: PeftNames, width: int, stem: str = BASE
) -> tuple[Head | None, tuple[str, ...]]:
    """The head in a PEFT file, and notes; a head that is more than a linear map is left out.

    Args:
        tensors: The file's; those of the head are read.
        names: Transformers' names of the backbone's modules.
        width: The width of a state.
        stem: What stands before every name in the file.
    """
    if names.family.head == "score":
        return _read_score(tensors, width, stem)
    return _read_pooled(tensors, width, names, stem)


def leave_out(
    tensors: Tensors, settings: Mapping[str, Any], stem: str = BASE
) -> tuple[str, ...] | None:
    """Notes on a head that answers for something else than a text; none where it may be for one.

    Args:
        tensors: The file's; those of such a head are taken out.
        settings: The folder's.
        stem: What stands before every name in the file.
    """
    answers_for = OTHER_HEADS.get(str(settings.get("task_type")))
    if answers_for is None:
        return None
    modules = settings.get("modules_to_save")
    names = [f"{stem}{one}." for one in modules] if isinstance(modules, list) else []
    keys = [key for key in tensors.left if key.startswith(tuple(names))]
    for key in keys:
        del tensors.left[key]
    return (f"its head answers for {answers_for}, not for a text: it is left out",) if keys else ()


def _read_score(tensors: Tensors, width: int, stem: str) -> tuple[Head | None, tuple[str, ...]]:
    key = f"{stem}score.weight"
    if key not in tensors:
        return None, ()
    weight = tensors.read(key, (_classes(tensors, key), width))
    return Head(weight, torch.zeros(len(weight)), "last"), ()


def _read_pooled(
    tensors: Tensors, width: int, names: PeftNames, stem: str
) -> tuple[Head | None, tuple[str, ...]]:
    dense, last = _maps(names, stem)
    key = f"{last}.weight"
    if key not in tensors:
        return None, ()
    weight = tensors.read(key, (_classes(tensors, key), width))
    bias = tensors.read(f"{last}.bias", (len(weight),))
    if f"{dense}.weight" in tensors:
        pooler = tensors.read(f"{dense}.weight", (width, width))
        shift = tensors.read(f"{dense}.bias", (width,))
        linear = torch.equal(pooler, STEP * torch.eye(width)) and not bool(shift.any())
        if linear and names.family.head != "relu":
            return Head(weight * STEP, bias, "first"), ()
    activation = "a ReLU" if names.family.head == "relu" else "a tanh"
    return None, (f"its head has {activation} inside, so it is not linear: it is left out",)


def _classes(tensors: Tensors, key: str) -> int:
    """How many rows a matrix has; 0 for what is none, so that `read` names its shape."""
    shape = tensors.left[key].shape
    return int(shape[0]) if len(shape) else 0


def write_beside(folder: Path, head: Head) -> None:
    """Write a head to a file of ours in the adapter's folder."""
    meta = {"format": FORMAT, "pooling": head.pooling}
    content = save(plain({"weight": head.weight, "bias": head.bias}), metadata=meta)
    write_whole(folder / FILE, content)


def read_beside(folder: Path, width: int) -> Head | None:
    """The head that `write_beside` wrote, or none.

    Raises:
        UserError: The file is there and is not such a head.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    tensors = Tensors(path)
    with safe_open(path, framework="pt") as file:
        meta = file.metadata() or {}
    if meta.get("format") != FORMAT or "weight" not in tensors:
        raise UserError(f"{path} is not a head that was saved here")
    weight = tensors.read("weight", (_classes(tensors, "weight"), width))
    head = Head(weight, tensors.read("bias", (len(weight),)), meta.get("pooling", ""))
    tensors.done()
    return head
