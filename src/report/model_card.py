"""README.md of an exported adapter: a model card as the hub of Hugging Face reads it.

Its metadata are written by huggingface_hub itself. What is not known reads "unknown", or is
left out: a licence is never concluded from anything, and a backbone or data set is named only
where it is one of the hub's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ..analysis.format import ABSENT
from ..analysis.metric_range import components
from ..analysis.studies import settings_line
from ..records import Result
from .markdown_text import bullets, escape, table

UNKNOWN = "unknown"
"""The hub's own word for a licence that nobody named."""
LIBRARIES: Mapping[str, str] = {"peft": "peft", "adapters": "adapter-transformers"}
"""What the hub calls the libraries whose folders are written."""
HUB_METRICS: Mapping[str, str] = {
    "mcc": "matthews_correlation",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
}
"""What the hub calls our metrics, where it has another name."""
MARK = (
    "<!-- Written by `tunebench export`, which replaces this file as long as this line stands. -->"
)
"""The line by which a card of ours is known."""


@dataclass(frozen=True)
class Dataset:
    """What the scores were measured on, in the hub's terms."""

    id: str
    """On the hub; empty where it is not there."""
    name: str
    config: str = ""
    split: str = "test"
    licence: str = ""
    """Empty where it is not known."""


@dataclass(frozen=True)
class Evaluation:
    """A run's record, and how far each of its metrics can be trusted."""

    result: Result
    dataset: Dataset
    intervals: Mapping[str, tuple[float, float]]
    """Metric → its 95 % interval over test examples, where that is known."""

    def metrics(self) -> dict[str, float]:
        """The task's score first, then its further metrics; of the main test set."""
        result = self.result
        named = {} if result.score is None else {result.metric: result.score}
        return named | {name: one for name, one in result.metrics.items() if "/" not in name}


@dataclass(frozen=True)
class ModelCard:
    """All that a card says."""

    name: str
    library: str
    """`peft` or `adapters`."""
    method: str
    settings: Mapping[str, Any]
    backbone: str
    """What it is called here; a folder by its name, without the path to it."""
    hub_name: str
    """`owner/name` of the backbone; empty where it is not known."""
    backbone_digest: str
    backbone_licence: str
    """As the backbone's own files name it; empty where they do not."""
    licence: str
    """That of the adapter; empty where nobody named it."""
    question: str
    """What the model answers, in a sentence; empty where that is not known."""
    labels: Sequence[str]
    classifies: bool
    loading: str
    """Python that loads the folder."""
    notes: Sequence[str]
    """What to know of the files."""
    evaluation: Evaluation | None
    """None where no run's record is there: the card then has no scores."""


def text(card: ModelCard) -> str:
    """The whole file."""
    metadata = _metadata(card).to_yaml()
    parts = [f"---\n{metadata}\n---", MARK, f"# {escape(card.name)}", _opening(card)]
    parts += ["## Scores", *_scores(card.evaluation)]
    parts += [
        "## How to load it",
        f"```python\n{card.loading}\n```",
        bullets(("", n) for n in card.notes),
    ]
    parts += [
        "## How it was trained",
        bullets(_training(card)),
        "## Licence",
        bullets(_licences(card)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _metadata(card: ModelCard) -> ModelCardData:
    """The card's YAML."""
    dataset = card.evaluation.dataset if card.evaluation else None
    results = _results(card.evaluation) if card.evaluation else []
    return ModelCardData(
        model_name=card.name,
        library_name=LIBRARIES[card.library],
        base_model=card.hub_name or None,
        license=card.licence or UNKNOWN,
        datasets=[dataset.id] if dataset and dataset.id else None,
        pipeline_tag="text-classification" if card.classifies else None,
        metrics=list(dict.fromkeys(one.metric_type for one in results)) or None,
        tags=["tunebench", card.method],
        eval_results=results or None,
    )


def _results(evaluation: Evaluation) -> list[EvalResult]:
    """Each metric of the main test set; a score that is a mean of metrics is none of the hub's."""
    dataset, result = evaluation.dataset, evaluation.result
    return [
        EvalResult(
            task_type="text-classification",
            dataset_type=dataset.id or result.task,
            dataset_name=dataset.name,
            dataset_config=dataset.config or None,
            dataset_split=dataset.split,
            dataset_args={"sha256": result.data_digest} if result.data_digest else None,
            metric_type=HUB_METRICS.get(name, name.partition(":")[0]),
            metric_value=value,
            metric_name=name,
            metric_args=_interval_entry(evaluation.intervals.get(name)),
        )
        for name, value in evaluation.metrics().items()
        if len(components(name)) == 1
    ]


def _interval_entry(interval: tuple[float, float] | None) -> dict[str, Any] | None:
    """An interval beside its metric's value."""
    if interval is None:
        return None
    return {"confidence": 0.95, "low": interval[0], "high": interval[1], "over": "test examples"}


def _opening(card: ModelCard) -> str:
    """What it is, in a paragraph."""
    backbone = escape(card.hub_name or card.backbone)
    first = f"An adapter of the method {escape(card.method)} for {backbone}"
    labels = f" Its answers: {escape(', '.join(card.labels))}." if card.labels else ""
    question = f" {escape(card.question)}" if card.question else ""
    return f"{first}, written by tunebench.{question}{labels}"


def _scores(evaluation: Evaluation | None) -> list[str]:
    """The table of scores and what its intervals are; a sentence where there are none."""
    if evaluation is None:
        return ["None are known: this adapter belongs to no run whose record was there."]
    lines = [
        [name, f"{value:.3f}", _interval(evaluation.intervals.get(name))]
        for name, value in {**evaluation.metrics(), **evaluation.result.metrics}.items()
    ]
    result = evaluation.result
    on = f"{result.test_examples:,} test examples of {evaluation.dataset.name}"
    under = (
        f"On {on}. Intervals are over test examples, for this trained model alone: another seed "
        "gives another model."
    )
    return [table(["metric", "score", "95 % interval"], lines), escape(under)]


def _interval(interval: tuple[float, float] | None) -> str:
    return ABSENT if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _training(card: ModelCard) -> list[tuple[str, str]]:
    """Named facts; those that nothing is known of are left out."""
    result = card.evaluation.result if card.evaluation else None
    backbone = card.backbone + (f" (sha256 {card.backbone_digest})" if card.backbone_digest else "")
    known = [("Backbone", backbone), ("Method", f"{card.method}: {settings_line(card.settings)}")]
    if result is not None:
        known += [
            ("Data", f"{result.data_source}, {result.train_examples:,} training examples"),
            ("Seed", str(result.seed)),
            ("Template", result.template),
            (
                "Trained weights",
                "" if result.trainable_params is None else f"{result.trainable_params:,}",
            ),
            ("Versions", settings_line(result.versions)),
            ("Run", result.cell),
        ]
    return [(name, value) for name, value in known if value]


def _licences(card: ModelCard) -> list[tuple[str, str]]:
    """Of adapter, backbone and data: each as somebody named it, or unknown."""
    dataset = card.evaluation.dataset if card.evaluation else None
    backbone = card.backbone_licence and f"{card.backbone_licence}, as its own files name it"
    named = "unknown; nobody has named one (export takes --license, such as --license apache-2.0)"
    return [
        ("This adapter", card.licence or named),
        ("Backbone", backbone or "unknown; its files name none"),
        ("Training data", (dataset and dataset.licence) or "unknown; none was recorded"),
    ]
