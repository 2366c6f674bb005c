"""Where a run's numbers come from, and which files belong to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..files import resolved
from ..records import Comparison, Result
from .planned_run import DataSet

REPORTS = ("results.csv", "analysis.json", "report.md", "report.html")

CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}
"""Split → MLflow's word for what its rows are for."""
LONGEST_DIGEST = 36
"""MLflow has no room for more characters of a data set's digest."""

File = tuple[str, str, str]
"""Folder in MLflow, path relative to the output folder, and a mark that changes with it."""


def title(comparison: Comparison) -> str:
    """A comparison's name for people, such as "sst2, rte: 8 methods on minilm, quick"."""
    tasks, methods = comparison.tasks, list(comparison.methods)
    if comparison.studies and not comparison.results:
        methods = [f"study of {' and '.join(methods)}"]
    shown = ", ".join(tasks) if len(tasks) <= 4 else f"{len(tasks)} tasks"
    how = methods[0] if len(methods) == 1 else f"{len(methods)} methods"
    backbone = comparison.experiment.get("backbone", {}).get("name", "")
    return f"{shown}: {how} on {backbone}, {comparison.experiment.get('budget', '')}"


def facts(row: Result) -> Mapping[str, str]:
    """The tags of a cell that was run: data and template, network, machine, packages."""
    return {
        "metric": row.metric,
        "data_source": row.data_source,
        "data_digest": row.data_digest,
        "train_examples": _count(row.train_examples),
        "validation_examples": _count(row.validation_examples),
        "test_examples": _count(row.test_examples),
        "texts_truncated": _count(row.truncated),
        "backbone": row.backbone,
        "backbone_digest": row.backbone_digest,
        "device": row.device,
        "template": row.template,
        "versions": json.dumps(dict(row.versions), sort_keys=True) if row.versions else "",
    }


def _count(examples: int) -> str:
    return str(examples) if examples else ""


def data_sets(row: Result) -> tuple[DataSet, ...]:
    """The rows that a cell was trained, chosen and tested by.

    A record from before digests of the splits were kept has one of the whole data.
    """
    sizes = {
        "train": row.train_examples,
        "validation": row.validation_examples,
        "test": row.test_examples,
    }
    if not row.splits and row.data_digest:
        return (DataSet(row.task, row.data_digest[:LONGEST_DIGEST], row.data_source),)
    return tuple(
        DataSet(
            f"{row.task} {split}",
            digest[:LONGEST_DIGEST],
            row.data_source,
            CONTEXTS.get(split.partition("/")[0], ""),
            sizes.get(split, 0),
        )
        for split, digest in row.splits.items()
    )


def cell_files(row: Result, out: Path) -> Iterator[File]:
    """The cell's own files that are there; weights can be large, so they are not read.

    A record may come from somebody else: a file outside the output folder is none of its files.
    """
    for folder, name in (("adapter", row.adapter), ("predictions", row.predictions)):
        path = resolved(out / name)
        if name and path.is_relative_to(resolved(out)) and path.is_file():
            state = path.stat()
            yield folder, name, f"{state.st_size}/{state.st_mtime_ns}"


def reports(out: Path) -> Iterator[File]:
    """The report's files that are there; they are small and often rewritten alike."""
    for name in REPORTS:
        if (out / name).is_file():
            yield "", name, hashlib.sha256((out / name).read_bytes()).hexdigest()[:16]
