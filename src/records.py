"""The records that travel between the rooms: what was planned, tried and found.

Plain data without torch: the store writes them, MLflow and the report read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["complete", "diverged", "error", "missing"]
"""How a cell ended; only `complete` carries a score. `missing` is planned and not yet run."""

Failure = Literal["", "transient", "deterministic"]
"""Why a run did not complete: for want of memory, disk or the like, which the next start may have,
or because of its own settings, code or data, which would fail again. Empty where it did."""


Draw = Literal["", "defaults", "random", "TPE", "enqueued"]
"""Where a trial's settings came from: the method's defaults, chance, the model of what was seen, or
a person who enqueued them. Empty in records from before this was kept."""


@dataclass(frozen=True, repr=False)
class Curve:
    """What was seen while training, at each logged optimizer step."""

    steps: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    """Training loss, mean over the steps since the point before."""
    epochs: tuple[int, ...] = ()
    """The optimizer step at the end of each epoch whose validation score is known."""
    validation: tuple[float, ...] = ()
    """That score: only of trials with several epochs. A winner trains on the validation rows."""

    def __repr__(self) -> str:
        """How many points there are, and the last."""
        last = f", the last {self.loss[-1]:.4g} at step {self.steps[-1]}" if self.loss else ""
        return f"Curve({len(self.loss)} points{last})"


@dataclass(frozen=True, repr=False)
class SystemSamples:
    """The process that trained, at each sample; empty unless samples were asked for."""

    seconds: tuple[float, ...] = ()
    """Since the work began."""
    cpu_percent: tuple[float, ...] = ()
    """Processor time since the sample before, over the time that passed: 100 is one core."""
    memory_mib: tuple[float, ...] = ()
    """Resident memory; 0 where the system does not say."""
    gpu_memory_mib: tuple[float, ...] = ()
    """What torch has allocated; 0 on a processor."""

    def __repr__(self) -> str:
        """How many there are."""
        return f"SystemSamples({len(self.seconds)})"


@dataclass(frozen=True, repr=False)
class TrainingCost:
    """What a training read and took; empty in records from before this was kept."""

    tokens: int | None = None
    """Tokens of text that went through the backbone, in all epochs together; no padding."""
    padded_tokens: int | None = None
    """The same where each text is padded to the longest that is read together with it."""
    seconds: tuple[float, ...] = ()
    """Seconds from the first step until each point of the curve, nothing but training counted."""
    epoch_seconds: tuple[float, ...] = ()
    """The same until each validation score of the curve."""
    joules: Mapping[str, float] = field(default_factory=dict)
    """Energy from the beginning of the training to its end, by the counter that was read, such as
    "package-0" or "gpu"; empty where none can be read or others trained on the machine too."""

    def __repr__(self) -> str:
        """What was read, and in which time."""
        took = f" in {self.seconds[-1]:.4g} s" if self.seconds else ""
        return f"TrainingCost({self.tokens} tokens{took})"


@dataclass(frozen=True)
class Trial:
    """One trial of a study: hyperparameters, judged on the validation split only."""

    study: str
    """The study's identity: task, method and a content hash."""
    number: int
    """0 is the method's defaults."""
    status: Status
    params: Mapping[str, Any]
    score: float | None
    """Validation score; none unless complete."""
    seconds: float
    reason: str = ""
    curve: Curve = Curve()
    failure: Failure = ""
    micro_batch: int | None = None
    """Examples in one pass, where memory was too small for a whole batch; see `Result`."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """What made the record; see `Result`."""
    splits: Mapping[str, str] = field(default_factory=dict)
    """Digests of the ids of the rows that it was trained on and judged on; see `Result`."""
    draw: Draw = ""
    system: SystemSamples = SystemSamples()
    cost: TrainingCost = TrainingCost()


@dataclass(frozen=True)
class Study:
    """A planned search: one method on one task."""

    study: str
    """Its identity, as its trials and cells name it."""
    task: str
    method: str
    validation_examples: int = 0
    """Examples that its trials are judged on."""
    metric: str = ""
    """The name of the validation score."""
    trials: int | None = None
    """How many trials it was planned with: one where no setting is searched. None in records from
    before this was kept."""
    importances: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Each searched setting's share in reaching the best scores, the largest first; empty until the
    run has ended, and where too few trials are complete."""
    number: int = 0
    """Which of several searches with other draws it is (`search.studies`), from 0."""


@dataclass(frozen=True)
class Fold:
    """One round of a K-fold cross-validation: its rows are tested, all others train."""

    task: str
    """The task whose rows are divided; each of its folds is planned and trained as a task."""
    number: int
    """From 1 to K."""
    count: int
    """K."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward pass of the folded model, and its ratio to the base model."""

    batch: int
    tokens: int
    """Text tokens of each example."""
    median_ms: float
    """As it was timed, on a steady machine or not."""
    p95_ms: float | None
    """None where too few passes were timed to know it."""
    ratio: float | None
    """To the base model's pass, timed in turn in one process; None where the machine was too
    unsteady for a number."""
    repeats: int
    ratio_low: float | None = None
    """The lower end of the ratio's 95 % interval; None where there is no ratio, and in records of
    versions that took none."""
    ratio_high: float | None = None


@dataclass(frozen=True)
class Result:
    """One cell: task × method × seed. A row of every table."""

    cell: str
    """The cell's identity: task, method, seed and a content hash."""
    study: str
    task: str
    method: str
    seed: int
    status: Status
    reason: str = ""
    """Why a cell did not complete, in one line."""
    metric: str = ""
    """The name of the score, such as "mcc" or "mean(accuracy, f1)"."""
    score: float | None = None
    """The task's own metric on the test split, -1..1 or 0..1."""
    accuracy: float | None = None
    """Test accuracy; none for a regression."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Every test metric by name, extra test sets as "mismatched/accuracy"."""
    validation_score: float | None = None
    """The winner's score on the validation split, by which it was chosen."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    best_trial: int | None = None
    trainable_params: int | None = None
    """Weights the method trains, head not counted."""
    trainable_params_with_head: int | None = None
    stored_params: int | None = None
    """Weights to keep for each task once training is over (encoders of prompts and prefixes fold
    away), head not counted."""
    latency_ms: float | None = None
    """Median of one text at the task's median length, folded, batch 1."""
    latency: tuple[Latency, ...] = ()
    train_seconds: float | None = None
    """Wall time of the winner's training, validation excluded."""
    peak_memory_mib: float | None = None
    """Peak resident memory of the process while it trained (on a GPU: peak allocated)."""
    data_source: str = ""
    data_digest: str = ""
    train_examples: int = 0
    validation_examples: int = 0
    test_examples: int = 0
    truncated: int = 0
    """Training and test texts that were cut to `data.max_length`."""
    template: str = ""
    """The sentence that the task was put into; empty where a linear head reads the plain text."""
    backbone: str = ""
    backbone_digest: str = ""
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    finished: str = ""
    """ISO 8601, UTC."""
    curve: Curve = Curve()
    adapter: str = ""
    """The trained weights (safetensors), relative to the output folder."""
    predictions: str = ""
    """Per-example predictions (Parquet), relative to the output folder."""
    failure: Failure = ""
    micro_batch: int | None = None
    """Examples in one pass, where memory was too small for a whole batch: the gradients of several
    passes then make one optimizer step. None where a batch was passed whole."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """What made the record: digests of the code that decides, versions of the packages that do,
    and the class of the device. A record of another origin is made again."""
    splits: Mapping[str, str] = field(default_factory=dict)
    """Digests of the ids of the rows that trained, selected and were tested: train, validation,
    test, and test/NAME for each further test set."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The origin, and what may move a figure without making the record another one: threads, the
    processor's instructions, Python and the system."""
    system: SystemSamples = SystemSamples()
    cost: TrainingCost = TrainingCost()


@dataclass(frozen=True)
class Reference:
    """A row that needs no training: majority class, bag of words, zero-shot, cosine."""

    task: str
    name: str
    score: float | None
    accuracy: float | None
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Measurement:
    """What was measured of a backbone and a method beside training: counts, bytes, times."""

    name: str
    """Its identity: kind, method and a content hash."""
    kind: str
    """What was measured: "start", "work", "memory", "latency" or "merge"."""
    method: str
    values: Mapping[str, float]
    """Figures by name; see `study/measurements.py`."""
    rounds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Figures that were taken repeatedly, in their order."""
    cell: str = ""
    """The trained cell that it was measured on; empty where none was needed."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    backbone: str = ""
    backbone_digest: str = ""
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    finished: str = ""
    """ISO 8601, UTC."""


@dataclass(frozen=True, repr=False)
class PlainTextLosses:
    """The loss of a cell's language model on plain texts, beside the untuned model's."""

    cell: str
    trained: str
    """When the cell was (`Result.finished`): of another training it says nothing."""
    source: str
    """Which texts, as a reader knows them."""
    texts: str
    """A digest of the texts and of how they are read."""
    tokens: tuple[int, ...]
    """How many tokens of each text were asked for."""
    untuned: tuple[float, ...]
    """The untuned model's loss on each text, summed over its tokens, in nats."""
    as_trained: tuple[float, ...]
    """The tuned model's."""
    folded: tuple[float, ...]
    """The same in the form that is served."""
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    finished: str = ""
    """ISO 8601, UTC."""

    def __repr__(self) -> str:
        """Of which cell, on how many texts."""
        return f"PlainTextLosses({self.cell!r}: {self.source}, {len(self.tokens)} texts)"


@dataclass(frozen=True, repr=False)
class Comparison:
    """What one command asked for, and what is there of it."""

    id: str
    """Content hash of the resolved experiment and the data."""
    experiment: Mapping[str, Any]
    """The resolved experiment, as plain data."""
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    sources: Mapping[str, str]
    """Task → data source, as every table shows it."""
    notes: Mapping[str, tuple[str, ...]]
    """Task → what a reader should know of its data."""
    results: tuple[Result, ...]
    """Every planned cell, in the order of tasks, methods, seeds; unfinished ones as `missing`."""
    references: tuple[Reference, ...]
    trials: tuple[Trial, ...]
    command: str
    """The line that makes this comparison again."""
    created: str
    """ISO 8601, UTC."""
    studies: tuple[Study, ...] = ()
    """Every planned search, in the order of tasks and methods."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Task of a suite that cannot be read, or method of `--methods all` that the backbone cannot
    have → why."""
    folds: Mapping[str, Fold] = field(default_factory=dict)
    """Task → which fold it is; empty without cross-validation."""
    retention: tuple[PlainTextLosses, ...] = ()
    """What `tunebench retention` measured of its cells."""

    def __repr__(self) -> str:
        """What was compared and how the cells ended, on one line."""
        ended = [row.status for row in self.results]
        counts = ", ".join(f"{ended.count(status)} {status}" for status in dict.fromkeys(ended))
        what = f"{', '.join(self.methods)} on {', '.join(self.tasks)}"
        return f"Comparison({self.id!r}: {what}; {len(ended)} cells: {counts or 'none'})"
