"""A folded classifier served after its template's first tokens answers as before, in less."""

import dataclasses
import json

import pytest
import torch
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.config import DataSettings
from tunebench.data.load import load_task
from tunebench.data.text.batches import Batches
from tunebench.methods import get_method
from tunebench.methods.base import trained
from tunebench.progress import Quiet
from tunebench.records import Latency
from tunebench.store.store import Store
from tunebench.study.serving import _typical, serve, served, with_prefix_read
from tunebench.training.classifier import Classifier
from tunebench.training.context import RunContext
from tunebench.training.prepare import prepare
from tunebench.training.verbalizer import verbalizers

from tests import small

BEFORE = "[P]review sentiment[P] review {text} sentiment"
AFTER = "review[P] sentiment {text}[P] sentiment"
PLAIN = "review sentiment {text} sentiment"
SETTINGS = {
    "prompt": {"length": 5},
    "p_tuning": {"length": 5},
    "prefix": {"position_offset": "length"},
    "p_tuning_v2": {},
    "lora": {},
    "adapter": {},
    "full": {},
    "head": {},
}
"""With how many virtual tokens a prompt must be shared out unevenly."""


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    return small.make_decoder(tmp_path_factory.mktemp("decoder") / "tiny-llama")


def ready(folder, template):
    """A task through a template, and the base model."""
    data = DataSettings(
        test=str(folder / "reviews-test.tsv"),
        max_length=32,
        template=(template,),
        label_words=("negative", "positive"),
    )
    experiment = small.experiment(folder, folder / "runs", data=data)
    task = load_task(experiment.tasks[0], experiment.data)
    checkpoint = Checkpoint.open(folder)
    tokenizer, base_model = checkpoint.load_tokenizer(), checkpoint.load_backbone()
    choices = verbalizers(task.task, experiment, checkpoint, tokenizer, base_model)
    context = RunContext(
        experiment, checkpoint, base_model, tokenizer, Store(folder / "runs"), Quiet()
    )
    return prepare(task, context, choices), base_model


def tuned(name, prepared, folder):
    """A method on a fresh backbone, what trains moved away from its start."""
    torch.manual_seed(3)
    classifier = Classifier(load_backbone(folder), head=prepared.verbalizer.reader(), lr=0.0).eval()
    method = get_method(name)(**SETTINGS[name])
    method.attach(classifier.backbone)
    for weight in trained(classifier.backbone).values():
        weight.data += 0.1 * torch.randn_like(weight)
    return method, classifier


@torch.no_grad()
def read(classifier, rows):
    """Logits of these rows, and how many tokens went through the first block."""
    tokens = []
    block = classifier.backbone.blocks[0]
    watch = block.register_forward_pre_hook(lambda _, arguments: tokens.append(len(arguments[0])))
    loader = Batches(rows, batch_size=len(rows))
    logits = classifier.logits(loader.batch(range(len(rows))))
    watch.remove()
    return logits, sum(tokens)


def close(states, wanted):
    return float((states - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("template", [BEFORE, AFTER, PLAIN])
def test_equal_logits_from_fewer_tokens(decoder, name, template):
    prepared, base_model = ready(decoder, template)
    method, classifier = tuned(name, prepared, decoder)
    virtual = method.inserted(base_model.cfg) if name in ("prompt", "p_tuning") else 0
    rows = prepared.test.encoded
    wanted, before = read(classifier, rows)
    assert before == sum(map(len, rows.ids)) + virtual * len(rows)
    times = serve(prepared, method, classifier, base_model)
    short = served(prepared, prefilled=True)
    states, after = read(classifier, short)
    assert close(states, wanted)
    left = {BEFORE: 0, AFTER: virtual // 2, PLAIN: 0}[template]
    literal = {BEFORE: 3, AFTER: 2, PLAIN: 2}[template]
    assert after == before - (literal + virtual - left) * len(rows)
    assert {one.tokens for one in times} == {prepared.tokens}
    assert method.fold(classifier.backbone, prepared.shared_prefix)
    assert torch.equal(read(classifier, short)[0], states)


def test_the_bare_side_is_spared_the_same_tokens_and_stays_as_it_was(decoder):
    prepared, base_model = ready(decoder, AFTER)
    rows, short = prepared.test.encoded, served(prepared, prefilled=True)
    plain, twin = (
        Classifier(one, head=prepared.verbalizer.reader(), lr=0.0).eval()
        for one in (base_model, with_prefix_read(base_model, prepared))
    )
    wanted, before = read(plain, rows)
    states, after = read(twin, short)
    assert close(states, wanted)
    assert after == before - 2 * len(rows)
    assert torch.equal(read(plain, rows)[0], wanted)
    assert twin.backbone.embedding.weight is base_model.embedding.weight


@pytest.mark.parametrize("name", ["prompt", "lora"])
def test_both_sides_of_a_latency_answer_to_the_whole_text(decoder, name, monkeypatch):
    prepared, base_model = ready(decoder, AFTER)
    method, classifier = tuned(name, prepared, decoder)
    sides = []

    def both(tuned_pass, base_pass, *, batch, tokens, **_):
        sides.append((tuned_pass(), base_pass()))
        return Latency(batch, tokens, 1.0, 1.0, 1.0, 1)

    monkeypatch.setattr("tunebench.study.serving.latency", both)
    plain = Classifier(base_model, head=classifier.head, lr=0.0).eval()
    whole = prepared.test.encoded
    nearest = min(range(len(whole)), key=lambda row: abs(len(whole.ids[row]) - prepared.tokens))
    assert len(whole.ids[nearest]) == prepared.tokens
    wanted = [read(side, whole.repeated(nearest, 1))[0] for side in (classifier, plain)]
    with torch.no_grad():
        serve(prepared, method, classifier, base_model)
    # Each side skips the tokens that it has read before, so neither answer changes.
    assert all(close(state, want) for state, want in zip(sides[0], wanted, strict=True))
    assert not close(wanted[0], wanted[1])


@pytest.mark.parametrize(
    ("template", "notes"),
    [
        (BEFORE, ["served with the template's first 3 tokens read once"]),
        (
            AFTER,
            [
                "served with the template's first 2 tokens read once",
                "1 of 2 soft tokens do not stand before every text: "
                "virtual tokens there stay tokens",
            ],
        ),
        ("{text} sentiment", []),
    ],
)
def test_the_report_is_told_what_is_read_once(decoder, template, notes):
    prepared, _ = ready(decoder, template)
    written = [n for n in prepared.data.notes if n.endswith(("read once", "stay tokens"))]
    assert written == notes


def test_where_nothing_can_be_read_once_the_whole_text_is_served(decoder):
    prepared, _ = ready(decoder, AFTER)
    method, classifier = tuned("prompt", prepared, decoder)
    backbone = classifier.backbone
    backbone.cfg = dataclasses.replace(backbone.cfg, window=64, local=(True, True))
    wanted, before = read(classifier, prepared.test.encoded)
    assert not method.fold(backbone, prepared.shared_prefix)
    states, after = read(classifier, served(prepared, prefilled=False))
    assert (torch.equal(states, wanted), after) == (True, before)


def test_windows_leave_virtual_tokens_in_place_and_a_note_says_so(tmp_path):
    folder = small.make_decoder(tmp_path / "windows")
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"model_type": "mistral", "sliding_window": 4}
    (folder / "config.json").write_text(json.dumps(settings))
    prepared, base_model = ready(folder, BEFORE)
    assert any(
        note.startswith("what stands before every text is not read") for note in prepared.data.notes
    )
    method, classifier = tuned("prompt", prepared, folder)
    before = read(classifier, prepared.test.encoded)
    serve(prepared, method, classifier, base_model)
    after = read(classifier, prepared.test.encoded)
    assert close(after[0], before[0])
    assert after[1] == before[1]


def test_what_is_timed_has_the_length_that_is_nearest_to_the_median(decoder):
    prepared, _ = ready(decoder, PLAIN)
    lengths = [len(ids) for ids in prepared.test.encoded.ids]
    nearest = min(lengths, key=lambda length: abs(length - prepared.tokens))
    assert len({*lengths}) > 2
    for first in (min(lengths), max(lengths)):
        # Whatever length the first row has.
        order = sorted(range(len(lengths)), key=lambda row: lengths[row] != first)
        rows = prepared.test.encoded
        reordered = dataclasses.replace(
            rows,
            ids=tuple(rows.ids[row] for row in order),
            segments=tuple(rows.segments[row] for row in order),
            spans=tuple(rows.spans[row] for row in order),
        )
        test = dataclasses.replace(prepared.test, encoded=reordered)
        batch = _typical(dataclasses.replace(prepared, test=test), reordered, 3)
        assert batch.layout.lengths.tolist() == [nearest] * 3
