"""Made-up records of a comparison, for tests of whatever reads them: nothing here was trained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunebench.config import BackboneSettings, DataSettings, Experiment, SearchSettings
from tunebench.records import Comparison, Curve, Latency, Reference, Result, Status, Trial

SOURCE = "made-up records, no data"
REGRESSIONS = ("stsb", "pocket-similarity")

Key = tuple[str, str, int]


def draw(*parts: object) -> float:
    """A number in 0..1 that depends on nothing but its arguments."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def name_of(*parts: object) -> str:
    """An identity as the store makes them: readable parts and a content hash."""
    readable = "-".join(map(str, parts))
    return f"{readable}-{hashlib.sha256(readable.encode()).hexdigest()[:12]}"


def curve(*parts: object, points: int = 4) -> Curve:
    """A loss that falls."""
    steps = tuple(5 * (i + 1) for i in range(points))
    return Curve(
        steps=steps,
        loss=tuple(round(0.7 / (1 + i) + 0.05 * draw(*parts, i), 4) for i in range(points)),
    )


def trial(task: str, method: str, number: int, status: Status = "complete") -> Trial:
    """One trial of a study."""
    ended = status == "complete"
    return Trial(
        study=name_of(task, method),
        number=number,
        status=status,
        params={
            "lr": round(0.001 * (1 + draw(method, number)), 6),
            "rank": 8 if number == 0 else 4,
        },
        score=round(0.7 + 0.1 * draw(task, method, number), 4) if ended else None,
        seconds=round(1 + draw(task, number), 2),
        reason="" if ended else f"made-up {status}",
        curve=curve(task, method, number),
    )


def missing(task: str, method: str, seed: int) -> Result:
    """A planned cell that has not run."""
    return Result(
        cell=name_of(task, method, seed),
        study=name_of(task, method),
        task=task,
        method=method,
        seed=seed,
        status="missing",
    )


def result(task: str, method: str, seed: int, status: Status = "complete") -> Result:
    """One cell; without a score and with a reason unless it is complete."""
    if status == "missing":
        return missing(task, method, seed)
    ended = status == "complete"
    value = round(0.75 + 0.2 * draw(task, method, seed), 4)
    trained = 1000 + int(100_000 * draw(method))
    latency = round(4 + 2 * draw(method, seed), 3)
    regression = task in REGRESSIONS
    other: Mapping[str, float] = {"pearson": value} if regression else {"accuracy": value}
    return Result(
        cell=name_of(task, method, seed),
        study=name_of(task, method),
        task=task,
        method=method,
        seed=seed,
        status=status,
        reason="" if ended else f"made-up {status}",
        metric="mean(pearson, spearman)" if regression else "accuracy",
        score=value if ended else None,
        accuracy=value if ended and not regression else None,
        metrics=other if ended else {},
        validation_score=round(value - 0.02, 4) if ended else None,
        hyperparameters={"lr": 0.0012, "rank": 8, "sites": ["attn.q", "attn.v"]},
        best_trial=0,
        trainable_params=trained,
        trainable_params_with_head=trained + 770,
        stored_params=0 if method in ("head", "lora") else trained,
        latency_ms=latency if ended else None,
        latency=(Latency(1, 24, latency, 1.4 * latency, 1.07, 50),) if ended else (),
        train_seconds=round(3 + draw(task, method, seed), 2),
        peak_memory_mib=round(700 + 100 * draw(method), 1),
        data_source=SOURCE,
        data_digest=hashlib.sha256(task.encode()).hexdigest(),
        train_examples=400,
        validation_examples=100,
        test_examples=200,
        backbone="made-up-backbone",
        backbone_digest="0" * 64,
        device="made-up device",
        versions={"torch": "0.0.0", "tunebench": "0.0.0"},
        finished="2026-01-02T03:04:05+00:00",
        curve=curve(task, method, seed),
        adapter=f"cells/{name_of(task, method, seed)}/adapter.safetensors" if ended else "",
        predictions=f"cells/{name_of(task, method, seed)}/predictions.parquet" if ended else "",
    )


def references(task: str) -> tuple[Reference, ...]:
    """The rows that need no training."""
    if task in REGRESSIONS:
        return (Reference(task, "cosine of embeddings", 0.71, None, {"pearson": 0.71}),)
    return (
        Reference(task, "majority class", 0.5, 0.5, {"accuracy": 0.5}),
        Reference(task, "bag of words", 0.64, 0.64, {"accuracy": 0.64}),
    )


def comparison(
    tasks: Sequence[str] = ("sst2", "stsb"),
    methods: Sequence[str] = ("lora", "head"),
    seeds: Sequence[int] = (0, 1),
    trials: int = 2,
    status: Mapping[Key, Status] | None = None,
    out: Path | None = None,
) -> Comparison:
    """A comparison whose cells are complete, or as `status` says for (task, method, seed).

    With `out`, the adapter and prediction files that complete cells name are made there.
    """
    states = status or {}
    cells = [(t, m, s) for t in tasks for m in methods for s in seeds]
    results = tuple(result(*cell, status=states.get(cell, "complete")) for cell in cells)
    begun = {r.study for r in results if r.status != "missing"}
    studies = [(t, m) for t in tasks for m in methods if name_of(t, m) in begun]
    made = tuple(trial(t, m, number) for t, m in studies for number in range(trials))
    if out is not None:
        make_files(results, out)
    experiment: dict[str, Any] = asdict(
        Experiment(
            tasks=tuple(tasks),
            methods={m: {} for m in methods},
            seeds=tuple(seeds),
            backbone=BackboneSettings(name="made-up-backbone"),
            data=DataSettings(source="pocket"),
            search=SearchSettings(trials=max(1, trials)),
        )
    )
    return Comparison(
        id=name_of(*tasks, *methods, *seeds),
        experiment=experiment,
        tasks=tuple(tasks),
        methods=tuple(methods),
        seeds=tuple(seeds),
        sources=dict.fromkeys(tasks, SOURCE),
        notes={task: (f"the rows of {task} were made up",) for task in tasks},
        results=results,
        references=tuple(r for task in tasks for r in references(task)),
        trials=made,
        command="tunebench compare " + " ".join(tasks),
        created="2026-01-02T03:00:00+00:00",
    )


def make_files(results: Sequence[Result], out: Path) -> None:
    """The files that the cells name, with a few bytes each."""
    for row in results:
        for name in filter(None, (row.adapter, row.predictions)):
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row.cell.encode())
