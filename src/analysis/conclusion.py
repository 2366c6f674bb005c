"""What the pairs of a task show, in sentences: nothing that no pair carries.

Every claim is about the method with the highest score and each other one, and follows the pair's
verdict, never the two means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..records import Comparison
from .format import listed
from .leaders import Leaders
from .rows import Row

if TYPE_CHECKING:
    from .verdict import Judged, Pair, TaskVerdict

LETTERS = "Methods that share a letter under “group” are not shown to differ."


@dataclass(frozen=True)
class Conclusion:
    """What is shown of the method with a task's highest score."""

    task: str
    leads: bool
    """Whether it is shown to be better than every other method."""
    open: bool
    """Whether it is neither better than another method nor equivalent to it."""
    sentences: str
    """Who it is, whom it is better than or equivalent to, and what would settle the others."""


def conclusion(
    comparison: Comparison, rows: Sequence[Row], top: Leaders | None, judged: Judged | None
) -> Conclusion | None:
    """What the pairs say of the method with the highest score.

    None where they cannot: with one seed, in a cross-validation, without stored answers, and while
    no method has a score. Where methods have scores of which no two compare there is no highest,
    and the sentences name the reason.
    """
    known = [row for row in rows if row.trained and row.score is not None]
    if judged is not None and top is None and known:
        sentences = f"On {known[0].task}, no two scores compare. {judged.verdict.reason}"
        return Conclusion(known[0].task, False, True, sentences)
    if top is None or judged is None or comparison.folds:
        return None
    first = max(top.rows, key=_score)
    all_ranked = len(judged.verdict.rankable([row.name for row in known])) == len(known)
    if len(comparison.seeds) == 1:
        if all_ranked:
            return None
        sentences = f"{highest(top, len(known), all_ranked=False)} {judged.verdict.reason}"
        return Conclusion(first.task, False, True, sentences)
    others = sorted((row for row in rows if row.trained and row is not first), key=_score)[::-1]
    verdict, names = judged.verdict, [row.name for row in others]
    pairs = {name: verdict.pair(first.name, name) for name in names}
    better = [name for name, pair in pairs.items() if pair and pair.better == first.name]
    worse = [name for name, pair in pairs.items() if pair and pair.better == name]
    equal = [name for name, pair in pairs.items() if pair and pair.verdict == "equivalent"]
    leads = bool(names) and len(better) == len(names)
    if leads:
        everyone = names[0] if len(names) == 1 else "every other method"
        parts = [
            f"On {first.task}, {first.name} leads ({first.metric or 'score'} {top.score:.3f}): "
            f"it is better than {everyone}."
        ]
    else:
        parts = [highest(top, len(known), all_ranked=all_ranked)]
        subject = "It" if len(top.rows) == 1 else first.name
        clauses = [
            f"better than {listed(better)}" if better else "",
            f"equivalent to {listed(equal)} within {verdict.margin:g}" if equal else "",
        ]
        undecided = [pair for pair in pairs.values() if pair and pair.verdict == "undecided"]
        parts += [_of_leader(subject, clauses, first.name, undecided), *_worse(worse, subject)]
    if judged.looks is None or judged.looks.look:
        parts.append(verdict.reason)
    parts.append(judged.progress)
    is_open = len(known) > 1 and len(better) + len(equal) < len(names)
    return Conclusion(first.task, leads, is_open, " ".join(filter(None, parts)))


def highest(top: Leaders, scores: int, *, all_ranked: bool = True) -> str:
    """Which methods have the highest score: one sentence.

    Args:
        top: Those methods.
        scores: How many methods have a score: a single one is no highest.
        all_ranked: Whether every one of these scores compares with the others.
    """
    row, score = top.rows[0], f"{top.score:.3f}"
    metric = row.metric or "score"
    if scores == 1:
        return f"On {row.task}, {row.name} has {metric} {score}."
    among = "" if all_ranked else " of those that compare"
    if len(top.rows) > 1:
        return f"On {row.task}, {listed(top.names)} share the highest {metric}{among}, {score}."
    return f"On {row.task}, {row.name} has the highest {metric}{among}, {score}."


def ordered(verdict: TaskVerdict, top: Leaders | None) -> list[tuple[Pair, int]]:
    """The pairs of the method with the highest score first, each with the sign to show it with.

    The sign is -1 where that method is the second of its pair, so that it always stands first. Of
    pairs that have one seed, and so no verdict, only its own are listed.
    """
    first = "" if top is None else max(top.rows, key=_score).name
    of_first = [pair for pair in verdict.pairs if first in (pair.a, pair.b)]
    others = [p for p in verdict.pairs if p not in of_first and p.verdict != "examples alone"]
    return [(pair, -1 if pair.b == first else 1) for pair in (*of_first, *others)]


def smallest_seen_line(verdict: TaskVerdict) -> str:
    """The smallest differences that the study could see; empty without two seeds."""
    sizes = [size for pair in verdict.pairs if (size := pair.smallest_seen) is not None]
    if not sizes:
        return ""
    least, most = f"{min(sizes):.3f}", f"{max(sizes):.3f}"
    start = f"With 80 % power this study finds a true difference of {least}"
    if least == most:
        return f"{start}."
    return (
        f"{start} between the two methods that vary least against each other, and of {most} "
        "between those that vary most."
    )


def _of_leader(subject: str, clauses: Sequence[str], first: str, undecided: Sequence[Pair]) -> str:
    """Whom the first method is better than, equivalent to and undecided beside."""
    others = [pair.b if pair.a == first else pair.a for pair in undecided]
    beside = f"undecided beside {listed(others)}" if others else ""
    clauses = [*filter(None, (*clauses, beside))]
    if not clauses:
        return ""
    start = f"{subject} is {'; '.join(clauses)}"
    if not undecided or undecided[0].to_decide is None:
        return f"{start}."
    # The pairs stand by score: the first is the nearest rival.
    settles = undecided[0].to_decide.sentence
    if len(others) > 1:
        return f"{start}. Beside {others[0]}, {_inside(settles)}"
    return f"{start}: {_inside(settles)}"


def _worse(better: Sequence[str], subject: str) -> list[str]:
    """The methods that are better than the one with the highest mean, which rests on more seeds."""
    if not better:
        return []
    verb, whom = "is" if len(better) == 1 else "are", "it" if subject == "It" else subject
    return [f"But {listed(better)} {verb} better than {whom} on the seeds that both have."]


def _inside(sentence: str) -> str:
    """A sentence as the rest of another."""
    return sentence[0].lower() + sentence[1:]


def _score(row: Row) -> float:
    return float("-inf") if row.score is None else row.score.value
