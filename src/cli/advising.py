"""`tunebench advise`: which method to take under limits, and how sure that is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnknownName, UserError
from . import quantities
from .flags import KeyPath, Line
from .following import again_command, written
from .places import folder_of_results
from .text_table import format_table

if TYPE_CHECKING:
    from ..analysis.advice import Advice, Choice, Limits
    from ..analysis.cells import Cell
    from ..records import Comparison

FLAGS: Mapping[str, str] = {
    "task": "Which task of the comparison, where it has several.",
    "max-params": "Trained weights at most: 0.5% of the backbone's, or a number such as 300k.",
    "max-latency": "Latency of one text at most: +5% over the base model, 1.05x, or 12ms.",
    "max-memory": "Peak memory of training at most, such as 2GiB or 800MB.",
    "min-score": "The least score, on the scale of the task's own.",
    "tasks-served": "So many tasks are served side by side: what is stored for all is the size.",
    "out": "Folder of results (runs).",
}
SWITCHES: Mapping[str, str] = {"json": "Print one JSON object."}


def flags() -> dict[str, KeyPath]:
    """Flags by name, each its own setting."""
    return {name: (name.replace("-", "_"),) for name in FLAGS}


def advise(line: Line, command: str) -> int:
    """Advise a method for a task of the last comparison, or say what would settle it."""
    for flag in line.flags:
        if len(flag.path) > 1:
            raise UnknownName("flag", flag.typed, [*(f"--{name}" for name in FLAGS), "--json"])
    typed = _typed(line)  # mistakes first: nothing is read for them
    tasks_served = line.count("tasks_served")
    out = folder_of_results(line.text("out"))
    from ..store.store import Store, require_plan
    from ..study.plan import assemble

    store = Store(out)
    comparison = assemble(require_plan(store), store)
    if not comparison.results:
        raise UserError(
            f"the last command in '{out}' searched settings, and nothing was tested: "
            "run `tunebench compare` first"
        )
    from ..analysis import adviser, read_from
    from ..analysis.cells import cells_of
    from ..analysis.folds import as_one_task, parts_of

    task = _task(as_one_task(comparison), line)
    parts = parts_of(comparison, task)
    results = tuple(row for row in comparison.results if row.task in parts)
    of_task = replace(comparison, tasks=parts, results=results)
    cells = cells_of(of_task, read_from(out), lambda result: None)
    limits = replace(_limits(typed, comparison, cells), tasks_served=tasks_served)
    if limits.tasks_served is not None and limits.backbone is None:
        limits = replace(limits, backbone=_backbone(comparison, cells, "--tasks-served"))
    advice = adviser.advise(as_one_task(of_task), cells, task, limits)
    following = _settling(advice, comparison, out)
    if "json" in line.switches:
        print(json.dumps(_content(advice, out, following), allow_nan=False, indent=1))
    else:
        print(_text(advice, out, following))
    return 0


def _typed(line: Line) -> dict[str, Any]:
    """The limits that were typed, by the name of their setting."""
    readers = {
        "max_params": quantities.weights,
        "max_latency": quantities.latency,
        "max_memory": quantities.memory,
        "min_score": quantities.score,
    }
    typed = {name: line.text(name) for name in readers}
    return {
        name: readers[name](text, f"--{name.replace('_', '-')}")
        for name, text in typed.items()
        if text is not None
    }


def _task(comparison: Comparison, line: Line) -> str:
    """The task that is meant: the one that was typed, or the comparison's only one."""
    named = [*line.words, *filter(None, [line.text("task")])]
    if len(set(named)) > 1:
        raise UserError(f"advise takes one task, but got: {', '.join(named)}")
    if named and named[0] not in comparison.tasks:
        raise UnknownName("task of the comparison", named[0], comparison.tasks)
    if not named and len(comparison.tasks) > 1:
        raise UserError(
            "the comparison has several tasks; name one by --task: " + ", ".join(comparison.tasks)
        )
    return named[0] if named else comparison.tasks[0]


def _limits(typed: Mapping[str, Any], comparison: Comparison, cells: Sequence[Cell]) -> Limits:
    """What was typed, as numbers that records can be held against."""
    from ..analysis.advice import Limits

    params, backbone = typed.get("max_params"), None
    if isinstance(params, quantities.Share):
        backbone = _backbone(comparison, cells, "--max-params")
        params = params.of_whole * backbone
    latency = typed.get("max_latency")
    if isinstance(latency, quantities.Milliseconds):
        base = next((cell.base_latency_ms for cell in cells if cell.base_latency_ms), None)
        if base is None:
            raise UserError(
                "--max-latency: the base model's milliseconds were not measured; "
                "write a ratio such as 1.05x"
            )
        latency = latency.value / base
    return Limits(
        weights=params,
        latency=latency,
        memory=typed.get("max_memory"),
        score=typed.get("min_score"),
        backbone=backbone,
    )


def _backbone(comparison: Comparison, cells: Sequence[Cell], flag: str) -> int:
    """How many weights the backbone has: as full fine-tuning counted them, or by its files."""
    from ..analysis.advice import WHOLE_MODEL

    for cell in cells:
        result = cell.result
        if result.method == WHOLE_MODEL and result.status == "complete" and result.trainable_params:
            return result.trainable_params
    from ..checkpoints.checkpoint import Checkpoint

    settings = comparison.experiment.get("backbone")
    recorded = settings if isinstance(settings, Mapping) else {}
    layers = recorded.get("layers")
    try:
        checkpoint = Checkpoint.open(
            str(recorded.get("name")), layers if isinstance(layers, int) else None
        )
        return checkpoint.config.count()
    except UserError as error:
        raise UserError(f"{flag}: how large the backbone is is not known: {error}") from None


def _settling(advice: Advice, comparison: Comparison, out: Path) -> str:
    """The command that would settle what is open; empty where none would."""
    run = advice.run
    if run is None:
        return ""
    if run.again:
        return again_command(comparison, out.with_name(f"{out.name}-again"), {})
    if run.seeds is not None:
        seeds = list(comparison.seeds)
        seeds += [n for n in range(run.seeds + len(seeds)) if n not in seeds]
        return again_command(comparison, out, {"seeds": ",".join(map(str, seeds[: run.seeds]))})
    from ..methods import names

    if set(names()) <= set(comparison.methods):
        return ""
    return again_command(comparison, out, {"methods": "all"})


def pins(choice: Choice) -> list[str]:
    """A method's settings as flags."""
    return [
        f"--methods.{choice.method}.{name}={written(value)}"
        for name, value in choice.hyperparameters.items()
    ]


def _predict(choice: Choice, task: str, out: Path) -> str:
    """The line that loads a method's adapter; empty where none is stored."""
    if not choice.cell:
        return ""
    texts = ["A text."] if _columns(choice.cell, task, out) < 2 else ["A text.", "Another text."]
    where = [] if str(out) == "runs" else ["--out", str(out)]
    return shlex.join(["tunebench", "predict", choice.cell, *texts, *where])


def _columns(cell: str, task: str, out: Path) -> int:
    """How many texts an adapter takes: as its file says, or as the task of that name has."""
    from ..data.tasks import get_task, task_names
    from ..training.adapter_file import open_adapter

    try:
        return len(open_adapter(cell, out, None, {}).metadata.text)
    except UserError:  # a file of an older layout, which `predict` asks about
        return len(get_task(task).text) if task in task_names() else 1


def _text(advice: Advice, out: Path, following: str) -> str:
    """The answer for a reader."""
    from ..report import advice as words

    parts = ["\n".join(words.sentences(advice))]
    for one in filter(None, (advice.advised, advice.runner_up)):
        lines = [shlex.join(pins(one)), _predict(one, advice.task, out)]
        parts.append("\n  ".join([one.method, *filter(None, lines)]))
    if following:
        parts.append(f"What would settle it: {words.run_line(advice)}\n  {following}")
    if advice.choices:
        table = format_table([words.HEADER, *map(words.line_of, advice.choices)])
        parts.append(f"{table}\n{words.UNDER}")
    return "\n\n".join(parts)


def _content(advice: Advice, out: Path, following: str) -> dict[str, Any]:
    """The answer for a script."""
    from ..report import advice as words

    def plain(choice: Choice | None) -> dict[str, Any] | None:
        if choice is None:
            return None
        more = {
            "flags": pins(choice),
            "predict": _predict(choice, advice.task, out) or None,
        }
        return {**asdict(choice), "cell": choice.cell or None, **more}

    return {
        "task": advice.task,
        "metric": advice.metric or None,
        "limits": asdict(advice.limits),
        "seeds": advice.seeds,
        "advised": plain(advice.advised),
        "runner_up": plain(advice.runner_up),
        "no_advice": advice.why or None,
        "sentences": words.sentences(advice),
        "settle": {"what": words.run_line(advice), "command": following} if following else None,
        "choices": [plain(one) for one in advice.choices],
        "not_judged": dict(advice.missing),
    }
