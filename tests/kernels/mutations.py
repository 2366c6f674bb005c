"""Kernels with one part removed, and what notices: each mutant must fail at least one witness.

The witnesses are small cases of what the other tests ask: results, gradients, and that no address
outside the tensors is read or written.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("TRITON_INTERPRET", "1")

import torch
from tunebench.kernels import reference

from tests.kernels.cases import Case, draw, errors, exact
from tests.kernels.fences import Fences, watching

CPU = torch.device("cpu")
SOURCE = Path(reference.__file__).parent


@dataclass(frozen=True)
class Mutation:
    """One change to one file: `old`, which must stand there, becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    count: int = 1


WITNESSES = {
    "causal": Case((70, 5), (70, 5), 2, 1, 32, 0, True, None),
    "causal prefix": Case((40,), (40,), 2, 1, 32, 10, True, None),
    "crossed": Case((20, 30), (50, 9), 2, 2, 40, 0, True, None),
    "window": Case((150,), (150,), 1, 1, 32, 2, False, 20),
    "full": Case((17, 33), (17, 33), 2, 1, 32, 0, False, None),
    "chunks": Case((530,), (530,), 1, 1, 32, 3, False, 0),
    "loud": Case((1,) * 12, (1,) * 12, 2, 1, 32, 0, False, None),
}
LOUD, BAR = {"loud": 60.0}, {"loud": 1e-2}
"""How loud the queries of a witness are, 4 where not listed, and its bar, 2e-5 where not listed."""


def attention_errors(package: str, case: Case, loud: float) -> dict[str, float]:
    """Errors of a copy of the kernels, launched without the operators (their names are taken)."""
    flash: Any = import_module(f"{package}.flash")
    fences = Fences()
    flash.torch = fences
    torch.manual_seed(3)
    inputs = draw(case, CPU, loud=loud)
    q, k, v, grad = (fences.around(x) for x in (inputs.q, inputs.k, inputs.v, inputs.grad))
    prefix_k, prefix_v = map(fences.around, inputs.prefix) if inputs.prefix else (None, None)
    scale, window = case.head**-0.5, -1 if case.window is None else case.window
    cu_seqlens, mask = (
        tuple(map(fences.around, (inputs.cu_seqlens_q, inputs.cu_seqlens_k))),
        (case.causal, window, scale),
    )
    with watching(fences):
        out, logsum = flash.forward(q, k, v, *cu_seqlens, prefix_k, prefix_v, *mask)
        saved = (grad, logsum, flash.delta(out, grad))
        results = [
            out,
            flash.backward_queries(q, k, v, *cu_seqlens, prefix_k, prefix_v, *saved, *mask),
        ]
        results += flash.backward_keys(q, k, v, *cu_seqlens, *saved, *mask)
        if case.prefix:
            results += flash.backward_prefix(q, prefix_k, prefix_v, *saved, scale)
    return {**errors(tuple(results), exact(inputs)), **strayed(fences)}


def strayed(fences: Fences) -> dict[str, float]:
    """How often memory outside the tensors was touched."""
    return {"addresses": float(fences.strays), "fences": 0.0 if fences.whole else 1.0}


def rotation_error(package: str, interleaved: bool, inverse: bool) -> dict[str, float]:
    """The largest error of a copy of the rotation: partial over lengths, or whole by positions."""
    rotary: Any = import_module(f"{package}.rotary")
    fences = Fences()
    rotary.torch = fences
    torch.manual_seed(3)
    head, packed = (24, False) if inverse else (48, True)
    q, k = (fences.around(torch.randn(70, heads, head)) for heads in (3, 1))
    cos, sin = (fences.around(torch.randn(66, 12)) for _ in range(2))
    cu_seqlens = fences.around(torch.tensor([0, 4, 70], dtype=torch.int32))
    places = fences.around(reference.counted(70, cu_seqlens).to(torch.int32))
    layout = (cu_seqlens if packed else places, packed, interleaved, inverse)
    with watching(fences):
        rotated = rotary.launch_rotary(q, k, cos, sin, *layout)
    sign = -1 if inverse else 1
    truth = reference.rotate(q, k, cos, sign * sin, places, interleaved=interleaved)
    worst = max(float((a - b).abs().max()) for a, b in zip(rotated, truth, strict=True))
    return {"turned": worst, **strayed(fences)}


def decode_error(package: str) -> dict[str, float]:
    """The largest error of a copy of the split attention."""
    decode: Any = import_module(f"{package}.flash_decode")
    fences = Fences()
    decode.torch = fences
    torch.manual_seed(3)
    q, k, v, *prefix = (
        fences.around(torch.randn(n, heads, 40))
        for n, heads in ((2, 2), (600, 1), (600, 1), (3, 1), (3, 1))
    )
    starts, lengths = (
        fences.around(torch.tensor(x, dtype=torch.int32)) for x in ([0, 300], [270, 5])
    )
    with watching(fences):
        out = decode.launch_decode(q, k, v, starts, lengths, 300, *prefix, 0.2)
    caches = [x.view(2, 300, 1, 40) for x in (k, v)]
    truth = reference.decode(
        q, *caches, lengths=lengths, prefix_k=prefix[0], prefix_v=prefix[1], scale=0.2
    )
    return {"out": float((out - truth).abs().max()), **strayed(fences)}


def witnesses(package: str, file: str) -> Iterator[tuple[str, Callable[[], dict[str, float]]]]:
    """The checks of a copy changed in one file, by name: each gives errors by what they are of."""
    apart = file in ("rotary.py", "flash_decode.py")
    for name, case in WITNESSES.items() if not apart else ():
        yield name, partial(attention_errors, package, case, LOUD.get(name, 4.0))
    for interleaved in (False, True):
        for inverse in (False, True):
            name = ("neighbours" if interleaved else "halves") + (" back" if inverse else "")
            yield name, partial(rotation_error, package, interleaved, inverse)
    yield "decode", partial(decode_error, package)


def caught_by(package: str, file: str) -> str:
    """The first witness that a copy fails, by its errors, a warning or a crash; empty if none."""
    for name, check in witnesses(package, file):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                bad = [what for what, e in check().items() if not e <= BAR.get(name, 2e-5)]
        except Exception:  # a mutant that cannot run is caught too
            bad = ["crash"]
        if bad:
            return f"{name} ({', '.join(bad)})"
    return ""


def mutant(mutation: Mutation | None, folder: Path, number: int) -> str:
    """A copy of the kernels with the change made, as an importable package; gives its name."""
    name = f"mutant_{number}"
    target = folder / name
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "__init__.py").write_text("")
    if mutation is not None:
        file = target / mutation.file
        text = file.read_text()
        if text.count(mutation.old) != mutation.count:
            raise LookupError(
                f"{mutation.name}: {mutation.file} holds {text.count(mutation.old)} times "
                f"{mutation.old!r}, not {mutation.count}"
            )
        file.write_text(text.replace(mutation.old, mutation.new))
    return name


def survey(mutations: list[Mutation]) -> dict[str, str]:
    """Mutation → the witness that caught it; `none` is the kernels as they are."""
    caught = {}
    with tempfile.TemporaryDirectory() as place:
        sys.path.insert(0, place)
        try:
            for number, mutation in enumerate([None, *mutations]):
                package = mutant(mutation, Path(place), number)
                name, file = (mutation.name, mutation.file) if mutation else ("none", "")
                caught[name] = caught_by(package, file)
        finally:
            sys.path.remove(place)
            for name in [m for m in sys.modules if m.split(".")[0].startswith("mutant_")]:
                del sys.modules[name]
    return caught
