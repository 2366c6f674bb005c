"""`Predictor`: a trained adapter with all that it takes to answer new texts.

An adapter file holds what was trained; the rest of the classifier is made anew: the backbone, which
must have the digest in the file's header, the template with its label words, and the names of the
classes. The answers are those that the runner stores for the test split: both come from
`predict_rows`, on the network as it was trained, nothing folded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor

from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.language_head import LanguageHead
from ..data.tasks import Task
from ..data.text.batches import Batch, Batches, restore_order
from ..data.text.template import Template, parse
from ..data.text.template_encoding import word_id
from ..data.text.tokens import Encoded
from ..methods._metadata import AdapterMetadata
from ..methods._saved import saved_method
from ..objectives import Scale, get_objective
from .adapter_file import HEAD, Adapter, check_backbone, check_texts, open_adapter
from .classifier import Classifier
from .context import read_texts
from .heads import LabelWords, PooledHead, Pooling, Reader

EVALUATION_BATCH = 64
"""Texts in a batch where nothing is learned."""

Rows = Callable[[int, int], None]
"""Called after each batch with how many texts are done, and how many there are."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer to one text."""

    label: Any
    """The name of the likeliest class, or a number where the task is a regression."""
    probabilities: Mapping[str, float]
    """The probability of each class by its name; empty where there are no classes."""

    def as_json(self) -> dict[str, Any]:
        """As plain data: `{label, probabilities}`, or `{label}` alone without classes."""
        shown: dict[str, Any] = {"label": self.label}
        return shown | ({"probabilities": dict(self.probabilities)} if self.probabilities else {})


@dataclasses.dataclass(frozen=True)
class Predictor:
    """Texts in, labels with probabilities out."""

    classifier: Classifier
    tokenizer: Tokenizer
    task: Task
    """The question: its text columns, its classes, its objective."""
    max_length: int
    """Longer texts are cut to so many tokens."""
    template: Template | None
    notes: tuple[str, ...] = ()
    """What the adapter file does not say, and what was taken instead."""

    def predict(
        self,
        texts: Sequence[str | Sequence[str]],
        *,
        batch_size: int = EVALUATION_BATCH,
        progress: Rows | None = None,
    ) -> list[Prediction]:
        """The answer to each text, in their order.

        Args:
            texts: Single texts, or a pair each where the task compares two.
            batch_size: Texts of nearly equal length that are read together; it changes the time,
                and probabilities by no more than rounding.
            progress: Called after each batch with how many texts are done, and how many there are.

        Raises:
            UserError: A text is empty, or not as many texts are given as the task needs.
        """
        if not texts:
            return []
        rows = check_texts(texts, len(self.task.text))
        outputs = self.outputs(self.encode(rows), batch_size=batch_size, progress=progress)
        objective = self.classifier.objective
        columns = objective.columns(self.task, objective.answers(outputs), outputs)
        named = {name: columns.get(f"probability_{name}") for name in self.task.labels}
        return [
            Prediction(
                label,
                {name: column[row] for name, column in named.items() if column is not None},
            )
            for row, label in enumerate(columns["prediction"])
        ]

    def encode(self, texts: Sequence[tuple[str, ...]]) -> Encoded:
        """Texts as tokens, filled into the template where there is one."""
        cfg = self.classifier.backbone.cfg
        max_length = min(self.max_length, cfg.context)
        return read_texts(texts, self.tokenizer, cfg, max_length=max_length, template=self.template)

    def outputs(
        self,
        encoded: Encoded,
        *,
        batch_size: int = EVALUATION_BATCH,
        progress: Rows | None = None,
    ) -> Float[Tensor, "rows c"]:
        """What the objective predicts, such as probabilities, as numbers."""
        return predict_rows(self.classifier, encoded, batch_size=batch_size, progress=progress)


def predict_rows(
    classifier: Classifier,
    encoded: Encoded,
    *,
    batch_size: int = EVALUATION_BATCH,
    progress: Rows | None = None,
) -> Float[Tensor, "rows c"]:
    """The objective's predictions, such as probabilities, in the order of the rows.

    Rows are read in order of length, which changes nothing but the time. The test split, a template
    without training and new texts are all answered here.
    """
    loader = Batches(encoded, batch_size=batch_size)
    groups = loader.alike(batch_size)

    def batches() -> Iterator[Batch]:
        done = 0
        for group in groups:
            yield loader.batch(group)
            # The classifier asks for the next batch when it is done with this one.
            done += len(group)
            if progress is not None:
                progress(done, len(encoded))

    return restore_order(classifier.predict(batches()), groups)


def load_predictor(
    run_or_file: str | Path,
    out: str | Path = "runs",
    backbone: str | Path | None = None,
    *,
    task: str | None = None,
    device: str | None = None,
    **metadata: Any,
) -> Predictor:
    """A trained adapter, ready to answer texts.

    Args:
        run_or_file: An adapter file, a folder that holds one, or a run: a cell's name, a MLflow run
            id, or `best`, the leading method of the last comparison.
        out: Where runs are kept.
        backbone: Where the backbone is, if not where it was; it must have the same weights.
        task: Whose best is meant, where the last comparison has several tasks.
        device: Such as "cpu" or "cuda"; none takes a GPU where there is one.
        **metadata: What an old file does not say of itself: `labels`, `label_words`, `pooling`,
            `objective`, `max_length`, `layers`, `text`.

    Raises:
        UserError: There is no such run or file, it is damaged, or the backbone is another one.
    """
    if backbone is not None:
        metadata["backbone"] = str(backbone)
    return build_predictor(open_adapter(run_or_file, Path(out), task, metadata), device)


def build_predictor(adapter: Adapter, device: str | None = None) -> Predictor:
    """Load the backbone and what was trained on it.

    Raises:
        UserError: The backbone is another one, or the file does not fit it.
    """
    metadata = adapter.metadata
    checkpoint = Checkpoint.open(metadata.backbone, metadata.layers)
    check_backbone(adapter, checkpoint)
    method = saved_method(adapter.path, metadata)
    tokenizer = checkpoint.load_tokenizer()
    base_model = checkpoint.load_backbone()
    task = question(metadata)
    template = None
    head: Reader
    if metadata.template:
        template = parse(metadata.template, task, causal=base_model.cfg.causal)
        trains = HEAD in adapter.shapes
        language = checkpoint.load_language_head(base_model)
        head = _label_words(
            metadata, tokenizer, language, template, causal=base_model.cfg.causal, trains=trains
        )
    else:
        outputs, width = adapter.shapes[HEAD]
        head = PooledHead(width, outputs, cast(Pooling, metadata.pooling), 0.0)
    classifier = Classifier(
        base_model,
        head=head,
        objective=get_objective(metadata.objective),
        lr=method.lr,
        scale=Scale(metadata.center, metadata.spread),
    )
    method.prepare(
        lambda text: tokenizer.encode(text, add_special_tokens=False).ids, metadata.labels
    )
    method.load(adapter.path, classifier)
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    classifier.to(chosen).eval()
    assert metadata.max_length is not None
    return Predictor(classifier, tokenizer, task, metadata.max_length, template, adapter.notes)


def question(metadata: AdapterMetadata) -> Task:
    """The task of an adapter file, as far as answering needs it."""
    return Task(
        metadata.task or "adapter",
        metadata.text,
        "label",
        metadata.labels,
        (),
        "The task of an adapter file.",
        objective=metadata.objective,
    )


def _label_words(
    metadata: AdapterMetadata,
    tokenizer: Tokenizer,
    language: LanguageHead,
    template: Template,
    *,
    causal: bool,
    trains: bool,
) -> LabelWords:
    """The language head's rows of the label words, before anything is attached."""
    words = metadata.label_words
    ids = tuple(word_id(tokenizer, template, word, causal=causal) for word in words)
    return LabelWords(language, ids, trains=trains)
