"""A claim of the literature, and what the runs at hand say of it.

A claim is a list of parts, each a figure and where it would have to lie. A part *holds* where its
whole 95 % interval lies there, *fails* where all of it lies elsewhere, and is open otherwise.

- A claim about *every* part is reproduced where every part holds, each at 95 % (the
  intersection-union test needs no correction), and contradicted where one fails, at 95 % over all
  parts together (Bonferroni).
- A claim that *some* part does is reproduced where one holds, at 95 % over all parts together, and
  contradicted where every part fails.

What is neither is undecided, and what no run bears on is not tested. Every claim stands for itself:
of twenty claims that are all wrong by nothing but chance one would seem right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..verdict.pseudo_values import CannotPair
from ..verdict.task_verdict import LEVEL
from .estimate import Contrast, Estimate, Unit, contrast
from .evidence import Arm, Evidence

Finding = Literal["reproduced", "contradicted", "undecided", "not tested"]
Held = Literal["holds", "fails", "open"]


@dataclass(frozen=True)
class Part:
    """One figure of a claim."""

    what: str
    """What the figure is, as a part of a sentence."""
    estimate: Estimate
    unit: Unit = "score"
    above: float = -math.inf
    """The part holds above this and below `below`."""
    below: float = math.inf
    fails_below: float | None = None
    """It fails below this; none means `above`."""
    fails_above: float | None = None
    """It fails above this; none means `below`."""

    def held(self, confidence: float = 1 - LEVEL) -> Held:
        """Where the interval lies."""
        interval = self.estimate.interval(confidence)
        if interval is None:
            return "open"
        low, high = interval
        if low > self.above and high < self.below:
            return "holds"
        lower = self.above if self.fails_below is None else self.fails_below
        upper = self.below if self.fails_above is None else self.fails_above
        return "fails" if high <= lower or low >= upper else "open"

    @property
    def room(self) -> float:
        """How far the figure lies within its bounds, in half-widths of its interval."""
        interval = self.estimate.interval()
        figure = self.estimate.figure
        inside = min(figure - self.above, self.below - figure)
        if interval is None:
            return -math.inf
        half = (interval[1] - interval[0]) / 2
        return inside / half if half > 0 else math.copysign(math.inf, inside)

    @property
    def to_settle(self) -> str:
        """What would decide it."""
        figure = self.estimate.figure
        near = self.above if figure - self.above <= self.below - figure else self.below
        return self.estimate.to_settle(near) if math.isfinite(near) else ""


@dataclass(frozen=True)
class Claim:
    """What somebody found, as a check."""

    name: str
    """C1 to C17, or the method whose drawback it is."""
    sentence: str
    source: str
    """Where it was found."""
    needs: str
    """The runs that it takes."""
    parts: Callable[[Evidence], Iterable[Part | str]]
    """Its parts; a text is the reason why one could not be computed."""
    every: bool = True
    """Whether it is about every part, or says that some part does."""


@dataclass(frozen=True)
class Checked:
    """A claim and its finding."""

    claim: Claim
    finding: Finding
    parts: tuple[Part, ...]
    deciding: Part | None
    """The part that decided it, or that leaves it open; none where it was not tested."""
    reason: str
    """What is missing, or what would settle it; empty where it is decided."""

    @property
    def figure(self) -> float | None:
        """That of the deciding part."""
        return None if self.deciding is None else self.deciding.estimate.figure

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the figure by itself; none where there is none."""
        return None if self.deciding is None else self.deciding.estimate.interval()

    @property
    def holding(self) -> int:
        """How many parts hold by themselves."""
        return sum(part.held() == "holds" for part in self.parts)

    @property
    def runs(self) -> tuple[str, ...]:
        """Every cell and measurement that its parts come from."""
        return tuple(dict.fromkeys(run for part in self.parts for run in part.estimate.runs))

    def as_json(self) -> dict[str, Any]:
        """Everything of it as plain data; null where there is none."""
        deciding, interval = self.deciding, self.interval
        return {
            "claim": self.claim.name,
            "sentence": self.claim.sentence,
            "source": self.claim.source,
            "finding": self.finding,
            "what": None if deciding is None else deciding.what,
            "unit": None if deciding is None else deciding.unit,
            "figure": self.figure,
            "low": None if interval is None else interval[0],
            "high": None if interval is None else interval[1],
            "parts": len(self.parts),
            "parts_that_hold": self.holding,
            "reason": self.reason or None,
            "runs": list(self.runs),
        }


def check(claim: Claim, evidence: Evidence) -> Checked:
    """What the runs say of a claim."""
    parts, refused = [], []
    for part in claim.parts(evidence):
        if isinstance(part, str):
            refused.append(part)
        else:
            parts.append(part)
    if not parts:
        why = f"The runs are there, but {refused[0]}." if refused else f"It needs {claim.needs}."
        return Checked(claim, "not tested", (), None, why)
    finding = _finding(parts, every=claim.every)
    deciding = _deciding(parts, finding, every=claim.every)
    reason = deciding.to_settle if finding == "undecided" else ""
    return Checked(claim, finding, tuple(parts), deciding, reason)


def part(what: str, *terms: tuple[float, Arm], **bounds: float) -> Part | str:
    """A part about scores, or the reason why it cannot be computed."""
    try:
        estimate: Contrast = contrast(*terms)
    except CannotPair as why:
        return str(why)
    return Part(what, estimate, "score", **bounds)


def _finding(parts: Sequence[Part], *, every: bool) -> Finding:
    each = [part.held() for part in parts]
    together = [part.held(1 - LEVEL / len(parts)) for part in parts]
    if every:
        if all(held == "holds" for held in each):
            return "reproduced"
        return "contradicted" if "fails" in together else "undecided"
    if "holds" in together:
        return "reproduced"
    return "contradicted" if all(held == "fails" for held in each) else "undecided"


def _deciding(parts: Sequence[Part], finding: Finding, *, every: bool) -> Part:
    """The part that a reader should see: the weakest link, or the strongest where one is enough."""
    wanted: dict[Finding, Held] = {"reproduced": "holds", "contradicted": "fails"}
    held = wanted.get(finding, "open")
    among = [part for part in parts if part.held() == held] or list(parts)
    if every:
        return min(among, key=lambda part: part.room)
    return max(among, key=lambda part: part.room)
