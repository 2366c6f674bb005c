"""`tunebench disagreements`: test examples on which methods disagree, with their texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..errors import UnknownName, UserError
from .flags import KeyPath, Line
from .places import folder_of_results

if TYPE_CHECKING:
    from ..analysis.disagreements import Disagreements
    from ..records import Comparison, Result

FLAGS: Mapping[str, str] = {
    "methods": "Only these methods, commas between; by default all of the comparison.",
    "count": "Show at most so many examples (10).",
    "out": "Folder of results (runs).",
}
SWITCHES: Mapping[str, str] = {"json": "Print one JSON object."}
Texts = Sequence[tuple[str, ...]]


def flags() -> dict[str, KeyPath]:
    """Flags by name, each its own setting."""
    return {name: (name,) for name in FLAGS}


def disagree(line: Line, command: str) -> int:
    """Print where the methods of the last comparison disagree on a task."""
    for flag in line.flags:
        if len(flag.path) > 1:
            raise UnknownName("flag", flag.typed, [*(f"--{name}" for name in FLAGS), "--json"])
    count = line.text("count") or "10"
    if not count.isdecimal() or int(count) < 1:
        raise UserError(f"--count: must be a whole number >= 1, but got '{count}'")
    out = folder_of_results(line.text("out"))
    from ..store.store import Store, require_plan
    from ..study.plan import assemble

    store = Store(out)
    comparison = assemble(require_plan(store), store)
    from dataclasses import replace

    from ..analysis import read_from
    from ..analysis.cells import cells_of
    from ..analysis.disagreements import disagreements
    from ..analysis.folds import as_one_task, parts_of
    from ..report.disagreements import show

    task = _task(as_one_task(comparison), line.words)
    methods = _methods(comparison, line.text("methods"))
    parts = parts_of(comparison, task)
    results = tuple(row for row in comparison.results if row.task in parts)
    of_task = replace(comparison, tasks=parts, results=results)
    where = disagreements(cells_of(of_task, read_from(out)), task, methods, int(count))
    if where is None:
        raise UserError(_why_none(task, results, methods or comparison.methods))
    texts, columns, reason = _texts(comparison, parts, results)
    if "json" in line.switches:
        print(json.dumps(_content(where, texts, columns), ensure_ascii=False))
    else:
        show(where, texts, columns)
    if reason and where.chosen:
        print(f"tunebench: no texts: {reason}", file=sys.stderr)
    return 0


def _content(where: Disagreements, texts: Texts, columns: Sequence[str]) -> dict[str, Any]:
    """The answer for a script; an example has its texts where the data are there."""
    return {
        "task": where.task,
        "seeds": dict(where.seeds),
        "examples": where.examples,
        "counts": [{"right": a, "wrong": b, "examples": n} for (a, b), n in where.counts.items()],
        "single": [
            {"method": method, "right": right, "examples": n}
            for (method, right), n in where.single.items()
        ],
        "chosen": [
            asdict(one)
            | {"texts": dict(zip(columns, texts[one.place] if texts else (), strict=False))}
            for one in where.chosen
        ],
    }


def _task(comparison: Comparison, words: Sequence[str]) -> str:
    """The task that is meant: the one that was typed, or the comparison's only one."""
    if len(words) > 1:
        raise UserError(f"disagreements takes one task, but got: {', '.join(words)}")
    if words and words[0] not in comparison.tasks:
        raise UnknownName("task of the comparison", words[0], comparison.tasks)
    if not words and len(comparison.tasks) > 1:
        raise UserError(
            f"the comparison has several tasks; name one: {', '.join(comparison.tasks)}"
        )
    return words[0] if words else comparison.tasks[0]


def _methods(comparison: Comparison, text: str | None) -> tuple[str, ...]:
    """The methods that are meant; none typed means all."""
    methods = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    for name in methods:
        if name not in comparison.methods:
            raise UnknownName("method of the comparison", name, comparison.methods)
    if len(set(methods)) == 1:
        raise UserError(f"--methods: two at least can disagree, but got only '{methods[0]}'")
    return methods


def _why_none(task: str, results: Sequence[Result], methods: Sequence[str]) -> str:
    """Why there is nothing to compare, in one sentence."""
    done = {row.method for row in results if row.status == "complete"} & set(methods)
    if len(done) < 2:
        known = f"complete: {', '.join(sorted(done))}" if done else "none is complete"
        return f"{task}: two complete methods at least can disagree, but {known}"
    return (
        f"{task}: the answers are no classes, so that none is simply right or wrong, "
        "or their files are not there"
    )


def _texts(
    comparison: Comparison, parts: Sequence[str], results: Sequence[Result]
) -> tuple[Texts, tuple[str, ...], str]:
    """The texts of the test rows and the names of their columns, read from the data again.

    Args:
        comparison: It says where the data come from.
        parts: The task, or those that a file's folds are, whose test rows come one after the other.
        results: The cells of these.

    Returns:
        Both empty where the data are not there, or are other data by now; last the reason.
    """
    from ..config import DataSettings
    from ..data.load import load_tasks
    from ..data.tasks import task_names
    from ..validation import validated

    recorded = comparison.experiment
    asked = [str(name) for name in recorded.get("tasks", ())]
    names = list(parts) if set(parts) <= {*task_names()} else asked
    try:
        settings = validated(DataSettings, recorded.get("data", {}), _place)
        loaded = load_tasks(names, settings, say=lambda note: None)
    except UserError as error:
        return (), (), str(error)
    digests = {row.data_digest for row in results}
    same = {data.task.name: data for data in loaded if data.digest in digests}
    if same.keys() >= set(parts):
        texts = [text for part in parts for text in same[part].test.texts]
        return texts, same[parts[0]].task.text, ""
    return (), (), "the data that are read now are not those of the comparison"


def _place(path: tuple[str, ...]) -> str:
    """A recorded setting, for messages."""
    return ".".join(("data", *path))
