"""Every number of a comparison, in frozen dataclasses: what YAML files and flags may set.

A field's annotation holds its type and its range, the string below it its meaning. Nothing
here imports torch, so that the command line can answer at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt

from .errors import UserError

Count = Annotated[int, Ge(1)]
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]


@dataclass(frozen=True)
class Choice:
    """A search range: one of these values."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        """One of `values`."""
        object.__setattr__(self, "values", values)


@dataclass(frozen=True)
class Range:
    """A search range: any number from low to high, both included."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class AtMost:
    """Marks a method's setting that the backbone bounds, so that it is checked without torch."""

    limit: Literal["width", "sites"]
    """The backbone's width, or the smaller side of each linear map in the setting `sites`."""


@dataclass(frozen=True)
class Below:
    """Marks a method's setting that must leave room in the backbone's context for a text."""

    limit: Literal["context"]


@dataclass(frozen=True)
class Sites:
    """Marks a list of a block's linear maps, such as `attn.q`: at least one, and none twice."""


@dataclass(frozen=True)
class Uncut:
    """Marks a list of which a flag gives one entry, commas and all."""


@dataclass(frozen=True)
class BackboneSettings:
    """The frozen network that all methods share."""

    name: str = "minilm"
    """A known name (`tunebench backbones`), a Hugging Face folder, or a GGUF file."""
    layers: Count | None = None
    """Only the first so many layers; none means all."""
    pooling: Literal["mean", "first", "last"] = "mean"
    """How the text's own token states become one vector for the head."""
    attention: Literal["auto", "triton", "sdpa", "reference"] = "auto"
    """Which attention runs; auto picks by device (CUDA: triton, CPU: sdpa)."""

    def __post_init__(self) -> None:
        """Take a path where a name is meant."""
        object.__setattr__(self, "name", _path_as_text(self.name))


def _as_tuples(settings: Any, *names: str) -> None:
    """Keep lists and ranges as tuples, and a single text or path as a tuple of one text."""
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, str | os.PathLike):
            value = (value,)
        if isinstance(value, list | range | tuple):
            plain = tuple(map(_path_as_text, value))
            # An equal tuple stays the very object, by which the defaults are known.
            if plain != getattr(settings, name):
                object.__setattr__(settings, name, plain)


def _as_text(settings: Any, *names: str) -> None:
    """Keep paths as text, and read a leading `~` as the home folder.

    Shells leave that alone in `--out=~/runs`.
    """
    for name in names:
        value = _path_as_text(getattr(settings, name))
        if isinstance(value, str) and value.startswith("~"):
            value = os.path.expanduser(value)
        object.__setattr__(settings, name, value)


def _at_home(settings: Any, name: str) -> None:
    """Read a leading `~` of each text in a list as the home folder."""
    value = getattr(settings, name)
    if isinstance(value, tuple) and any(isinstance(v, str) and v.startswith("~") for v in value):
        read = tuple(os.path.expanduser(v) if isinstance(v, str) else v for v in value)
        object.__setattr__(settings, name, read)


def _path_as_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _method_settings(methods: Any) -> Any:
    """Methods without settings may be named alone: `"lora"`, `["lora", "head"]`."""
    if isinstance(methods, str):
        methods = [methods]
    if isinstance(methods, list | tuple):
        methods = dict.fromkeys(methods)
    if not isinstance(methods, Mapping):
        return methods
    return {name: {} if settings is None else settings for name, settings in methods.items()}


def _group(kind: type[Any], name: str, value: Any) -> Any:
    """A group of settings, which may be written as a mapping: `search={"trials": 4}`.

    Raises:
        UserError: It has no such setting.
    """
    if not isinstance(value, Mapping):
        return value
    known = [one.name for one in fields(kind)]
    for key in value:
        if key not in known:
            raise UserError(f"{name}.{key}: no such setting (known: {', '.join(known)})")
    return kind(**value)


@dataclass(frozen=True)
class DataSettings:
    """Where the examples come from."""

    source: str = "auto"
    """auto ($GLUE_DIR, then the hub, then pocket), pocket, hub, or a folder in GLUE's layout."""
    text: Annotated[tuple[str, ...], Uncut()] = ()
    """A user's own file: the text column, or two for sentence pairs."""
    label: str | None = None
    """A user's own file: the label column."""
    kind: Literal["classes", "number"] | None = None
    """A user's own file: what the labels are; none guesses, and says how."""
    metric: str | None = None
    """A user's own file: the score, such as macro_f1, mcc, balanced_accuracy or f1 (of the rarer of
    two classes; f1:NAME of any); none: accuracy, or correlations of numbers."""
    test: str | None = None
    """A user's own file: the test file; without it a fifth of the rows is held out."""
    folds: Annotated[int, Ge(2)] | None = None
    """A user's own file: K-fold cross-validation, each row tested once; none: one test split."""
    max_length: Annotated[int, Ge(8)] = 128
    """Longer texts are cut to so many tokens, and the cuts are counted."""
    template: Annotated[tuple[str, ...], Uncut()] = ()
    """Writes a task as text, such as 'Review: {sentence} Sentiment:'; auto takes the built-in ones.
    Of several (in YAML) the best on the validation rows, untrained, is taken."""
    label_words: tuple[str, ...] = ()
    """With a template: each class's word, in the order of the classes; none: the built-in ones."""

    def __post_init__(self) -> None:
        """Take what Python users write for the same."""
        _as_tuples(self, "text", "template", "label_words")
        _as_text(self, "test")
        object.__setattr__(self, "source", _path_as_text(self.source))


@dataclass(frozen=True)
class TrainSettings:
    """How every run is trained; the learning rate but for the head's belongs to the method."""

    batch_size: Count = 16
    """Examples in an optimizer step."""
    head_lr: Annotated[float, Gt(0)] = 3e-3
    """The head's learning rate under all methods but head-only, which searches its own."""
    warmup: Annotated[float, Ge(0), Lt(1)] = 0.06
    """Share of the steps in which the learning rate rises linearly from zero."""
    weight_decay: Annotated[float, Ge(0)] = 0.01
    """AdamW's decoupled decay, on matrices only."""
    clip: Annotated[float, Ge(0)] = 1.0
    """Largest norm of a gradient; 0 clips none."""
    head_dropout: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Dropout before the linear head; the backbone itself has none."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Lightning's accelerator."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Lightning's precision."""
    threads: Annotated[int, Ge(0), Le(1024)] = 1
    """CPU threads of each worker; 0 takes all cores the process may use."""
    devices: Annotated[int, Ge(1), Le(1024)] = 1
    """Processes of each training, by DDP: a GPU each, or on a CPU `threads` threads each. A batch
    is shared among them."""


@dataclass(frozen=True)
class SearchSettings:
    """The budget, equal for all methods. `--budget` fills it, single keys override."""

    trials: Count = 2
    """Optuna trials per task and method; trial 0 is the method's defaults."""
    studies: Count = 1
    """Searches per task and method, each with other draws and its own winner. The seeds are dealt
    out to the winners in turn; with fewer seeds there are only so many searches."""
    random_trials: Count = 4
    """So many trials do not follow what was seen: trial 0, and random ones. TPE draws the rest."""
    trial_epochs: Count = 1
    """Epochs of a trial."""
    epochs: Count = 2
    """Epochs of the winner, on each seed."""
    train_examples: Annotated[int, Ge(0)] = 1000
    """At most so many training examples, validation included; 0 means all."""
    pocket_examples: Count = 200
    """The same cap for the built-in pocket data."""
    validation: Annotated[float, Gt(0), Le(0.5)] = 0.2
    """Share of the training examples set aside for selection."""
    validation_examples: Count = 1000
    """At most so many examples set aside for selection."""


BUDGETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {"search": {}, "seeds": (0,)},
    "standard": {
        "search": {
            "trials": 12,
            "random_trials": 9,
            "trial_epochs": 2,
            "epochs": 4,
            "train_examples": 2000,
            "pocket_examples": 2000,
        },
        "seeds": (0, 1, 2, 3, 4),
    },
    "full": {
        "search": {
            "trials": 30,
            "random_trials": 16,
            "studies": 3,
            "trial_epochs": 5,
            "epochs": 10,
            "train_examples": 0,
            "pocket_examples": 2000,
        },
        "seeds": (0, 1, 2, 3, 4),
    },
}
"""Presets laid under an experiment: they fill `search` and `seeds` where nothing else does."""


def preset_search(budget: str, until: object) -> dict[str, Any]:
    """What a budget fills `search` with; under `until` each method is searched once."""
    preset = dict(BUDGETS.get(budget, {}).get("search", {}))
    if until is not None:
        preset.pop("studies", None)
    return preset


WHERE = ("out", "tracking_uri", "optuna_storage", "executor", "address", "gpus", "workers")
"""Settings of an experiment that say where its work is done and kept, and change no result of it.
Each process of a comparison has them for itself; addresses may hold passwords."""
DEFAULT_SEARCH = SearchSettings()
DEFAULT_SEEDS = (0,)
# An experiment that has these very objects was given neither search nor seeds: its budget decides.


@dataclass(frozen=True, repr=False)
class Experiment:
    """One comparison: tasks × methods × seeds on one backbone under one budget."""

    tasks: tuple[str, ...] = ("glue",)
    """Tasks or suites (`tunebench tasks`), or one file of the user's own."""
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Methods, each with pins (scalars), choices (lists) or ranges (mappings); none: the usual."""
    optional: tuple[str, ...] = ()
    """Methods that are left out where the backbone cannot have them: those that only
    `--methods all` names. Any other is refused."""
    seeds: Annotated[tuple[Seed, ...], Len(1)] = DEFAULT_SEEDS
    """Each seed re-runs the winner: data order, head and method start from it. No seed twice."""
    budget: Literal["quick", "standard", "full"] = "quick"
    """The preset that fills `search` and `seeds`."""
    backbone: BackboneSettings = BackboneSettings()
    data: DataSettings = DataSettings()
    train: TrainSettings = TrainSettings()
    search: SearchSettings = DEFAULT_SEARCH
    until: Literal["decided"] | None = None
    """decided: look after 3, 5, 8, 12 and 20 seeds, and give more seeds only to methods that are
    undecided and that more seeds have a chance to decide. Seeds are then 0, 1, 2, …"""
    margin: Annotated[float, Gt(0), Lt(1)] = 0.01
    """Scores that differ by less count as equivalent: 0.01 is one point."""
    target_score: Annotated[float, Ge(-1), Le(1)] | None = None
    """A validation score: the tables show how long training takes to reach it. None: the highest
    that every method of a task reached."""
    hours: Annotated[float, Gt(0)] | None = None
    """With `until`: begin no look that would take the run beyond so many hours."""
    workers: Annotated[int, Ge(0), Le(1024)] = 0
    """Trainings that run side by side; 0: as many as there are cores, or GPUs. The table is the
    same for any number of them."""
    executor: str | None = None
    """Where trials and cells run (a file of `study/executors`); none: here with one worker, else in
    processes of this machine. ray: on a Ray cluster."""
    address: str | None = None
    """With executor=ray: the cluster's head as HOST:PORT; auto: the cluster of this machine; local:
    one that is started for this run. None: $RAY_ADDRESS, else auto, else local."""
    gpus: Annotated[float, Ge(0)] | None = None
    """With executor=ray: GPUs of each training, such as 0.25; none: one, where the command itself
    is on a GPU."""
    save_every: Annotated[float, Ge(0)] = 60.0
    """Seconds after which a training under way is kept on disk, again and again: one that was
    interrupted goes on from there, and gives the same. 0 keeps every step."""
    system_metrics: Annotated[float, Ge(0)] = 0.0
    """Seconds between samples of processor and memory of each process that trains, which MLflow
    shows as system metrics; 0 takes none."""
    out: str = "runs"
    """Folder of results, report and databases."""
    tracking_uri: str | None = None
    """MLflow's tracking server, or a database (postgresql://); none means SQLite inside `out`."""
    optuna_storage: str | None = None
    """A PostgreSQL database for Optuna's copy of the trials; none means SQLite inside `out`."""

    def __post_init__(self) -> None:
        """Let the budget fill what was not given, and take what Python users write for the same."""
        _as_tuples(self, "tasks", "optional", "seeds")
        _at_home(self, "tasks")
        _as_text(self, "out")
        object.__setattr__(self, "methods", _method_settings(self.methods))
        groups = {
            "backbone": BackboneSettings,
            "data": DataSettings,
            "train": TrainSettings,
            "search": SearchSettings,
        }
        for name, kind in groups.items():
            object.__setattr__(self, name, _group(kind, name, getattr(self, name)))
        # The quick budget has these very defaults, so that it may still be replaced by another.
        if self.budget in BUDGETS and self.budget != "quick":
            preset = BUDGETS[self.budget]
            if self.search is DEFAULT_SEARCH:
                search = SearchSettings(**preset_search(self.budget, self.until))
                object.__setattr__(self, "search", search)
            if self.seeds is DEFAULT_SEEDS:
                object.__setattr__(self, "seeds", preset["seeds"])

    def __repr__(self) -> str:
        """The settings that differ from the defaults, on one line."""
        changed = ", ".join(_changed(self, type(self)(), ""))
        return f"Experiment({changed})"


def _changed(settings: Any, default: Any, above: str) -> Iterator[str]:
    """Each setting that is not the default's, as `search.trials=4`."""
    for one in fields(settings):
        value, usual = getattr(settings, one.name), getattr(default, one.name)
        if is_dataclass(usual):
            yield from _changed(value, usual, f"{above}{one.name}.")
        elif value != usual:
            yield f"{above}{one.name}={value!r}"


@dataclass(frozen=True)
class Generation:
    """How a decoder continues a text."""

    backbone: str = "smollm2"
    """A decoder: a known name (`tunebench backbones`), a Hugging Face folder, or a GGUF file."""
    tokens: Count = 64
    """At most so many new tokens; a text ends earlier where the model ends it."""
    temperature: Annotated[float, Ge(0)] | None = None
    """Divides the logits; 0 takes the likeliest token. None means 0, or 1 beside a flag below."""
    top_k: Count | None = None
    """Draws among so many of the likeliest tokens."""
    top_p: Annotated[float, Gt(0), Le(1)] | None = None
    """Draws among the likeliest tokens, until their probabilities reach this sum."""
    seed: Seed | None = None
    """The same seed draws the same text; none means 0."""
    adapter: str | None = None
    """A trained adapter for this backbone: a file (`runs/adapters/*.safetensors`), or a run: a
    cell's name, a MLflow run id, or best."""
    out: str = "runs"
    """Folder of results, where the adapter is a run."""
