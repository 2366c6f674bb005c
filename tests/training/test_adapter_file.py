"""What an adapter's file must say, and on which backbone it is taken."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.config import BackboneSettings, DataSettings, Experiment
from tunebench.data.tasks import GLUE
from tunebench.data.text.built_in_templates import BUILT_IN
from tunebench.errors import UnknownName, UserError
from tunebench.methods._metadata import AdapterMetadata
from tunebench.objectives.base import Scale
from tunebench.store.runs import Run
from tunebench.training.adapter_file import (
    HEAD,
    Adapter,
    _check,
    _from_run,
    adapter_metadata,
    check_backbone,
    check_texts,
)
from tunebench.training.classifier import Classifier
from tunebench.training.context import RunContext
from tunebench.training.prepare import Prepared

from tests.records import result

PATH = Path("runs/lora.safetensors")
SHAPES = {HEAD: (2, 32)}
WHOLE = {
    "task": "sst2",
    "text": ("sentence",),
    "objective": "classification",
    "labels": ("bad", "good"),
    "pooling": "mean",
}


@pytest.mark.parametrize(("layers", "named"), [(None, "'tiny' is"), (2, "'tiny' (2 layers) is")])
def test_another_backbone_is_refused_with_the_layers_that_were_taken(
    layers: int | None, named: str
) -> None:
    known = AdapterMetadata(backbone="tiny", layers=layers, backbone_digest="0123456789abcdef")
    check_backbone(Adapter(PATH, known, {}), Mock(spec=Checkpoint, digest=known.backbone_digest))
    wanted = f"backbone {named} another than lora.safetensors was trained on: its digest is not "
    with pytest.raises(UserError, match=f"^{re.escape(wanted)}0123456789ab…$"):
        check_backbone(Adapter(PATH, known, {}), Mock(spec=Checkpoint, digest="another"))
    trusted = AdapterMetadata(backbone="tiny", layers=layers)
    check_backbone(Adapter(PATH, trusted, {}), Mock(spec=Checkpoint, digest="another"))


def test_a_head_has_an_output_for_each_class_and_a_regression_s_one() -> None:
    _check(PATH, AdapterMetadata(**WHOLE), SHAPES)
    number = WHOLE | {"objective": "regression", "labels": ()}
    _check(PATH, AdapterMetadata(**number), {HEAD: (1, 32)})
    for wrong, outputs, wanted in ((WHOLE, 3, 2), (number, 2, 1)):
        message = f"its head has {outputs} outputs, but .* ask for {wanted}$"
        with pytest.raises(UserError, match=message):
            _check(PATH, AdapterMetadata(**wrong), {HEAD: (outputs, 32)})


@pytest.mark.parametrize("shapes", [{}, {HEAD: (2,)}])
def test_a_file_without_a_linear_head_answers_nothing(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(UserError, match="holds no head that was trained"):
        _check(PATH, AdapterMetadata(**WHOLE), shapes)


@pytest.mark.parametrize(
    ("words", "labels", "fits"),
    [
        (("no", "yes"), ("bad", "good"), True),
        (("no",), ("bad", "good"), False),
        ((), (), False),
    ],
)
def test_a_template_has_a_word_for_each_class(
    words: tuple[str, ...], labels: tuple[str, ...], fits: bool
) -> None:
    entries = WHOLE | {"template": "{sentence} so", "label_words": words, "labels": labels}
    if fits:
        _check(PATH, AdapterMetadata(**entries), {})
        return
    with pytest.raises(UserError, match="a template needs a word for each class"):
        _check(PATH, AdapterMetadata(**entries), {})


@pytest.mark.parametrize("typed", [(), ("poor", "fine")])
@pytest.mark.parametrize(
    "template", [*(one.decoder for one in BUILT_IN["sst2"]), "mine {sentence}"]
)
def test_a_run_without_a_template_has_no_words_and_with_one_its_own_before_the_built_in(
    template: str, typed: tuple[str, ...]
) -> None:
    def words(written: str) -> object:
        row = replace(result("sst2", "lora", 0), template=written)
        data = {"label_words": typed, "max_length": 64, "text": ()}
        run = Run(PATH, "tiny", None, "mean", "0", row, {"data": data})
        return _from_run(run).get("label_words")

    built_in = {one.decoder: one.words for one in BUILT_IN["sst2"]}
    assert words("") is None
    assert words(template) == (typed or built_in.get(template, BUILT_IN["sst2"][0].words))


def test_a_row_has_as_many_texts_as_the_task_and_none_of_them_empty() -> None:
    assert check_texts(["a", ("b",)], 1) == [("a",), ("b",)]
    assert check_texts([("a", "b"), ["c", "d"]], 2) == [("a", "b"), ("c", "d")]
    half = "a\ud800"
    for texts, columns, message in (
        (["a", ("b", "c")], 1, "row 2: the task takes one text, but got 2"),
        ([()], 1, "row 1: the task takes one text, but got 0"),
        (["a"], 2, "row 1: the task takes two texts, but got 1"),
        ([("a", "b"), ("c", " ")], 2, "row 2: the text is empty"),
        ([""], 1, "row 1: the text is empty"),
        (["a", half], 1, "row 2: half a surrogate pair, which is no character"),
        (["\udfff"], 1, "row 1: half a surrogate pair, which is no character"),
    ):
        with pytest.raises(UserError, match=f"^{message}$"):
            check_texts(texts, columns)
    # The neighbours of that range are characters.
    assert check_texts(["\ud7ff\ue000"], 1) == [("\ud7ff\ue000",)]


@pytest.mark.parametrize("template", [None, "{sentence} so"])
def test_a_file_says_what_was_trained_and_how_it_is_read(template: str | None) -> None:
    settings = BackboneSettings(name="tiny/model", layers=3, pooling="first")
    context = Mock(
        spec=RunContext,
        experiment=Experiment(backbone=settings, data=DataSettings(max_length=48)),
        checkpoint=Mock(digest="0123"),
    )
    words = Mock(template=Mock(written=template), words=("bad", "good")) if template else None
    prepared = Mock(spec=Prepared, task=GLUE["sst2"], verbalizer=words)
    classifier = Mock(spec=Classifier, scale=Scale(0.5, 2.0))
    assert adapter_metadata(context, prepared, classifier) == AdapterMetadata(
        backbone="tiny/model",
        layers=3,
        backbone_digest="0123",
        task="sst2",
        text=GLUE["sst2"].text,
        objective="classification",
        labels=GLUE["sst2"].labels,
        pooling="" if template else "first",
        template=template or "",
        label_words=("bad", "good") if template else (),
        max_length=48,
        center=0.5,
        spread=2.0,
    )


@pytest.mark.parametrize("columns", [0, 1, 2, 3])
def test_a_file_answers_for_one_text_or_two(columns: int) -> None:
    metadata = AdapterMetadata(**WHOLE | {"text": tuple("abc"[:columns])})
    if columns in (1, 2):
        _check(PATH, metadata, SHAPES)
        return
    with pytest.raises(UserError, match="a task has one text column or two, but got "):
        _check(PATH, metadata, SHAPES)


@pytest.mark.parametrize(("name", "value"), [("objective", "ranking"), ("pooling", "largest")])
def test_an_objective_or_a_pooling_that_is_none_is_answered_with_those_that_are(
    name: str, value: str
) -> None:
    with pytest.raises(UnknownName, match=f"unknown {name} '{value}'"):
        _check(PATH, AdapterMetadata(**WHOLE | {name: value}), SHAPES)
