"""What the cost lab measured on a folder of results: its latency.json and costs.json, as data.

`tunebench latency` and `tunebench costs` write the files; the report shows them beside the scores.
A folder may come from somebody else, so what a file holds is checked against the types here. What
is not as they say, or belongs to another backbone, is a sentence and no figure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, Gt, Le, Lt

from ..errors import UserError
from ..text import one_line

LARGEST = 64 * 2**20
"""Bytes that are read of a file; ours have some hundred thousand."""
Count = Annotated[int, Ge(0), Le(2**63 - 1)]
Positive = Annotated[float, Gt(0), Lt(math.inf)]
Kind = Literal["classify", "prefill", "new token"]
Length = Annotated[int, Ge(1)] | Literal["context", "texts"]
Form = Literal["either", "folded", "unfolded"]
FORMS: dict[Form, str] = {"either": "as it is", "folded": "folded", "unfolded": "unfolded"}


@dataclass(frozen=True)
class Interval:
    """A ratio to the base model, and the two ends of its 95 % interval."""

    value: Positive
    low: Positive
    high: Positive


@dataclass(frozen=True)
class Timing:
    """A method's pass in turn with the base model's; none where the machine was too unsteady."""

    ratio: Interval | None
    p50_ms: Positive | None
    half_width: Annotated[float, Ge(0), Lt(math.inf)]
    """Of the p50's 95 % interval, relative to it."""


@dataclass(frozen=True)
class Point:
    """One method in one form on one shape of batch."""

    kind: Kind
    texts: Annotated[int, Ge(1)]
    length: Length
    """Tokens of each text; as many as there is room for; or those of real texts."""
    method: str
    form: Form
    timing: Timing | None
    reason: str
    """Why nothing was timed; empty where something was."""


@dataclass(frozen=True)
class Latencies:
    """latency.json."""

    backbone: str
    backbone_digest: str
    device: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step at the moment when most are held, by what they are."""

    weights: Count
    gradients: Count
    optimizer: Count
    activations: Count
    working: Count
    measured: Count | None
    """The rise of the measured peak; none where it cannot be read."""

    @property
    def parts(self) -> dict[str, int]:
        """What is counted, by name, in the order in which bars stack it."""
        names = ("weights", "gradients", "optimizer", "activations", "working")
        return {name: getattr(self, name) for name in names}

    @property
    def counted(self) -> int:
        """All of it."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Operations:
    """Multiplications and additions, as torch counted them."""

    by_torch: Count


@dataclass(frozen=True)
class Cost:
    """What one method takes on one batch."""

    method: str
    memory: Memory
    training: Operations
    serving: Operations
    file: Count
    """Bytes of the adapter file, head included."""


@dataclass(frozen=True)
class Costs:
    """costs.json."""

    backbone: str
    backbone_digest: str
    device: str
    texts: Annotated[int, Ge(1)]
    tokens: Annotated[int, Ge(1)]
    """Of all texts."""
    costs: tuple[Cost, ...]


Content = TypeVar("Content", Latencies, Costs)


@dataclass(frozen=True)
class Lab:
    """What is there of both files."""

    latency: Latencies | None = None
    costs: Costs | None = None
    problems: tuple[str, ...] = ()
    """Why a file that is there is not shown, each a sentence."""


def read_lab(out: Path, digests: Collection[str]) -> Lab:
    """Read what the lab left in a folder of results; a file that is not there is no problem.

    Args:
        out: The folder.
        digests: Of the comparison's backbones; where there are any, other backbones are not shown.
    """
    problems: list[str] = []
    latency = _read(Latencies, out / "latency.json", digests, problems)
    costs = _read(Costs, out / "costs.json", digests, problems)
    return Lab(latency, costs, tuple(problems))


def unmeasured(entries: Iterable[tuple[str, str, str]]) -> list[str]:
    """A line for each reason why a shape has no figure; methods together.

    Args:
        entries: Shape, method and reason of each.
    """
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for shape, method, reason in entries:
        reasons.setdefault((shape, reason), {})[method] = None
    return [
        f"not measured: {shape} ({', '.join(methods)}): {reason}"
        for (shape, reason), methods in reasons.items()
    ]


def _read(
    kind: type[Content], path: Path, digests: Collection[str], problems: list[str]
) -> Content | None:
    """A file's content; none, and a problem, where it is not what it should be."""
    from ..validation import validated  # pydantic, which most folders' reports need not wait for

    if not path.exists():
        return None
    try:
        content: Content = validated(kind, _plain(path), lambda parts: ".".join(parts) or "file")
    except UserError as error:
        problems.append(one_line(f"{path.name} is damaged or not ours, and not shown: {error}"))
        return None
    if digests and content.backbone_digest not in digests:
        name = one_line(content.backbone)
        problems.append(
            f"{path.name} is of {name} with other weights than this comparison's, and not shown."
        )
        return None
    return content


def _plain(path: Path) -> Any:
    """A file's content as plain data.

    Raises:
        UserError: It cannot be read, is too large, or is no JSON.
    """
    if not path.is_file():
        raise UserError("it is no file")
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"it has more than {LARGEST // 2**20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror or error})") from error
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError("it is no JSON") from error
