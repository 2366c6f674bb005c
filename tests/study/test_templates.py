"""Comparisons through a template: from settings to table, and what is refused before training."""

import dataclasses

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.config import BackboneSettings, DataSettings, SearchSettings
from tunebench.data.text.template_encoding import encode_template
from tunebench.errors import UserError
from tunebench.methods import get_method, names
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study.compare import compare
from tunebench.study.once import run_once
from tunebench.training import zero_shot as reading
from tunebench.training.context import RunContext
from tunebench.training.verbalizer import verbalizers
from tunebench.training.zero_shot import ZERO_SHOT, choose, probabilities

from tests import small, tiny
from tests.contract import fits

TEMPLATE = "review [P] {text}[P] sentiment"
WORDS = ("negative", "positive")


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    return small.make_decoder(tmp_path_factory.mktemp("decoder") / "tiny-llama")


def with_template(folder, out, *templates, words=WORDS, **changes):
    """The small experiment through these templates."""
    data = DataSettings(
        test=str(folder / "reviews-test.tsv"),
        max_length=32,
        template=templates or (TEMPLATE,),
        label_words=words,
    )
    return small.experiment(folder, out, data=data, **changes)


def ready(folder, experiment):
    """The task's data, tokenizer, backbone and templates."""
    from tunebench.data.load import load_task

    data = load_task(experiment.tasks[0], experiment.data)
    checkpoint = Checkpoint.open(folder)
    tokenizer, base_model = checkpoint.load_tokenizer(), checkpoint.load_backbone()
    return (
        data,
        tokenizer,
        base_model,
        verbalizers(data.task, experiment, checkpoint, tokenizer, base_model),
    )


@pytest.mark.usefixtures("records_only")
def test_every_method_runs_through_a_template(decoder, out):
    everyone = {name: {} for name in names() if fits(get_method(name)(), tiny.DECODER)}
    comparison = compare(with_template(decoder, out, methods=everyone))
    assert {row.status for row in comparison.results} == {"complete"}, [
        r.reason for r in comparison.results
    ]
    for row in comparison.results:
        assert row.template == TEMPLATE
        words = row.trainable_params_with_head - row.trainable_params
        kept = load_file(out / row.adapter)
        assert sum(value.numel() for value in kept.values()) == row.trainable_params_with_head
        # Label words have no weights of their own but for head-only, which trains their rows.
        assert words == (2 * 32 if row.trainable_params == 0 else 0)
        assert pq.read_table(out / row.predictions).num_rows == 30
    assert f"asked as {TEMPLATE!r}, answered with negative, positive" in next(
        iter(comparison.notes.values())
    )


@pytest.mark.usefixtures("records_only")
def test_the_zero_shot_row_is_what_an_untouched_method_scores(decoder, out):
    search = SearchSettings(trials=1, trial_epochs=1, epochs=1)
    experiment = with_template(
        decoder, out, methods={"lora": {"lr": 1e-30}, "head": {"lr": 1e-30}}, search=search
    )
    comparison = compare(experiment)
    row = next(one for one in comparison.references if one.name == ZERO_SHOT)
    assert [r.metrics for r in comparison.results] == [row.metrics, row.metrics]


@pytest.mark.usefixtures("records_only")
def test_a_template_makes_other_studies_and_the_same_one_none(decoder, out):
    plain = compare(small.experiment(decoder, out, methods={"lora": {}}))
    first = compare(with_template(decoder, out, methods={"lora": {}}))
    other = compare(with_template(decoder, out, "sentiment : {text} review", methods={"lora": {}}))
    again = compare(with_template(decoder, out, methods={"lora": {}}))
    assert len({one.results[0].study for one in (plain, first, other)}) == 3
    assert again.results == first.results


def test_the_template_with_the_best_validation_score_is_taken(decoder, out):
    templates = ("{text} review", "sentiment {text} : good", TEMPLATE, "{text}")
    experiment = with_template(decoder, out, *templates)
    data, tokenizer, base_model, choices = ready(decoder, experiment)
    rows = data.train.take(list(range(25)))

    def accuracy(one):
        encoded = encode_template(tokenizer, one.template, rows.texts, max_length=32)
        answers = probabilities(one, base_model, encoded).argmax(-1).tolist()
        return sum(a == b for a, b in zip(answers, rows.labels, strict=True)) / len(rows)

    scores = [accuracy(one) for one in choices]
    context = RunContext(
        experiment, Checkpoint.open(decoder), base_model, tokenizer, Store(out), Quiet()
    )
    taken, note = choose(choices, data.task, rows, context)
    assert taken is choices[scores.index(max(scores))]
    shown = ", ".join(f"{score:.3f}" for score in scores)
    assert note.endswith(f"best of 4 on 25 validation rows, untrained ({shown})")


@pytest.mark.usefixtures("records_only")
def test_untrained_rows_and_the_choice_are_read_back(decoder, out, monkeypatch):
    experiment = with_template(decoder, out, TEMPLATE, "{text} review", methods={"head": {}})
    calls, inner = [], reading.probabilities
    monkeypatch.setattr(
        reading, "probabilities", lambda *arguments: calls.append(arguments[0]) or inner(*arguments)
    )
    first = compare(experiment)
    assert len(calls) == 3
    again = compare(experiment)
    assert (again.references, again.notes) == (first.references, first.notes)
    assert len(calls) == 3
    row = next(file for file in out.glob("untrained/*zero-shot*") if file.is_file())
    row.write_text(row.read_text().replace("0.", "0.0", 1))
    assert Store(out).damaged() == [f"untrained/{row.name}"]
    assert compare(experiment).references == first.references
    assert len(calls) == 4
    assert Store(out).damaged() == []
    compare(with_template(decoder, out, TEMPLATE, "{text} so", methods={"head": {}}))
    assert 5 <= len(calls) <= 6


def test_one_run_without_a_study_goes_through_the_template_too(decoder, out):
    experiment = with_template(decoder, out)
    row = run_once(experiment.tasks[0], get_method("p_tuning")(length=3), experiment=experiment)
    assert row.template == TEMPLATE
    assert row.trainable_params == row.trainable_params_with_head


def refused(folder, experiment, requirement):
    with pytest.raises(UserError, match=requirement):
        compare(experiment)


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(
    ("templates", "words", "requirement"),
    [
        (("{sentence3} so",), WORDS, "has no column 'sentence3'"),
        (("so",), WORDS, "lacks the column {text}"),
        (("{text}",), ("negative",), "needs 2 different words"),
        (("{text}",), ("negative", "negative"), "needs 2 different words"),
        (("{text}",), ("negative", "positive review"), "must be one token"),
        (("{text}",), ("negative", "zyzzyva"), "not in this backbone's vocabulary"),
        (("{text}",), (), "has no built-in ones, so give a word for each"),
        (("auto",), WORDS, "has no built-in one, so write your own"),
        (("[P] {text} [P] : [P] so",), WORDS, r"soft tokens of data.template <= length.*\(3 > 2\)"),
        (("review " * 40 + "{text}",), WORDS, "the template alone is longer than the 32 tokens"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(decoder, out, templates, words, requirement):
    methods = {"prompt": {"length": 2}}
    refused(
        decoder, with_template(decoder, out, *templates, words=words, methods=methods), requirement
    )
    assert not list(out.glob("trials/*"))


@pytest.mark.usefixtures("records_only")
def test_a_template_needs_a_language_head_and_classes(decoder, checkpoint, out):
    encoder = with_template(checkpoint, out, "{text} [MASK]")
    refused(checkpoint, encoder, "has no language head")
    values = dataclasses.replace(
        with_template(decoder, out, "auto"),
        tasks=("similarity",),
        data=DataSettings(source="pocket", template=("auto",)),
        backbone=BackboneSettings(name=str(decoder)),
    )
    refused(decoder, values, "asks for a number, which no label word is")
    separate = small.experiment(decoder, out)
    separate = dataclasses.replace(
        separate, data=dataclasses.replace(separate.data, label_words=WORDS)
    )
    refused(decoder, separate, "are for a template, so data.template must be set")


def test_the_language_head_of_a_tied_decoder_is_its_word_table(decoder):
    base_model = load_backbone(decoder)
    assert (
        Checkpoint.open(decoder).load_language_head(base_model).weight.data_ptr()
        == base_model.embedding.weight.data_ptr()
    )
