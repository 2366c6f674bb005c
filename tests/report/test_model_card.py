"""Model cards are read back by huggingface_hub's own classes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard as HubCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from tunebench.records import Result
from tunebench.report.model_card import MARK, Dataset, Evaluation, ModelCard, text

RESULT = replace(
    Result("mrpc-lora-0-abc", "study", "mrpc", "lora", 0, "complete"),
    metric="mean(accuracy, f1)",
    score=0.85,
    metrics={"accuracy": 0.82, "f1": 0.88, "mismatched/accuracy": 0.5},
    data_digest="d" * 64,
    test_examples=408,
)
GLUE = Dataset("nyu-mll/glue", "GLUE MRPC", "mrpc", "validation")
CARD = ModelCard(
    name="mrpc-lora-0-abc",
    library="peft",
    method="lora",
    settings={"rank": 8},
    backbone="minilm",
    hub_name="sentence-transformers/all-MiniLM-L6-v2",
    backbone_digest="b" * 64,
    backbone_licence="apache-2.0",
    licence="",
    question="Do two sentences say the same?",
    labels=("not_equivalent", "equivalent"),
    classifies=True,
    loading="from peft import PeftModel",
    notes=("the head is in a file of its own",),
    evaluation=Evaluation(RESULT, GLUE, {"accuracy": (0.8, 0.84), "f1": (0.86, 0.9)}),
)


def test_the_hub_s_own_class_reads_every_entry_back() -> None:
    data = HubCard(text(CARD)).data
    assert (data.library_name, data.license) == ("peft", "unknown")
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert (data.datasets, data.pipeline_tag) == (["nyu-mll/glue"], "text-classification")
    assert data.tags == ["tunebench", "lora"]
    assert data.metrics == ["accuracy", "f1"]


def test_scores_and_their_intervals_are_in_the_index() -> None:
    written = yaml.safe_load(text(CARD).split("---\n")[1])["model-index"]
    name, results = model_index_to_eval_results(written)
    assert name == "mrpc-lora-0-abc"
    # The mean of two metrics is none of the hub's, and another test set is not this data set.
    assert [(one.metric_type, one.metric_value) for one in results] == [
        ("accuracy", 0.82),
        ("f1", 0.88),
    ]
    first = results[0]
    assert (first.dataset_type, first.dataset_config) == ("nyu-mll/glue", "mrpc")
    assert first.dataset_split == "validation"
    assert (first.dataset_name, first.dataset_args) == ("GLUE MRPC", {"sha256": "d" * 64})
    assert first.metric_args == {
        "confidence": 0.95,
        "low": 0.8,
        "high": 0.84,
        "over": "test examples",
    }


@pytest.mark.parametrize(
    ("metric", "hub"),
    [("mcc", "matthews_correlation"), ("pearson", "pearsonr"), ("f1:urgent", "f1")],
)
def test_a_metric_has_the_hub_s_name(metric: str, hub: str) -> None:
    result = replace(RESULT, metric=metric, metrics={metric: 0.85})
    card = replace(CARD, evaluation=Evaluation(result, GLUE, {}))
    (one,) = HubCard(text(card)).data.eval_results
    assert (one.metric_type, one.metric_name, one.metric_args) == (hub, metric, None)


def test_a_card_without_data_has_no_scores_and_names_nothing() -> None:
    card = replace(CARD, evaluation=None, hub_name="", backbone_licence="", labels=())
    written = text(card)
    data = HubCard(written).data
    assert not data.eval_results
    assert "model-index" not in data.to_dict()
    assert (data.base_model, data.datasets, data.metrics) == (None, None, None)
    assert "None are known" in written
    assert "Backbone: unknown" in written


def test_licences_are_those_that_somebody_named() -> None:
    assert "This adapter: unknown; nobody has named one" in text(CARD)
    assert "Backbone: apache-2.0, as its own files name it" in text(CARD)
    named = text(replace(CARD, licence="cc-by-4.0"))
    assert HubCard(named).data.license == "cc-by-4.0"
    assert "This adapter: cc-by-4.0" in named


def test_no_name_breaks_out_of_its_place() -> None:
    nasty = "a\n---\nlicense: mit\n# <b>*x*</b> | y"
    card = replace(CARD, name=nasty, labels=(nasty,), evaluation=None)
    written = text(card)
    read = HubCard(written)
    assert read.data.license == "unknown"
    assert "<b>" not in read.text
    assert "\n# a" in read.text
    assert read.text.count("\n# ") == 1


def test_a_card_is_known_by_its_line_and_says_which_model_was_scored() -> None:
    written = text(CARD)
    assert written.count(MARK) == 1
    assert "| mean(accuracy, f1) | 0.850 |" in written
    assert "| accuracy | 0.820 | 0.800 to 0.840 |" in written
    assert "408 test examples of GLUE MRPC" in written
    assert "another seed gives another model" in written
