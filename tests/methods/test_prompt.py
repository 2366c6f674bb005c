"""Prompt tuning: where its vectors begin, and what is refused before training."""

import pytest
import torch
from lightning.pytorch import Trainer
from tunebench import run_once
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.training.classifier import Classifier

from tests import contract, small, tiny

Prompt = get_method("prompt")
TOKENS = {"good": [11], "bad": [12, 13], "film": [14], "good film": [11, 14], "": [], "☂": []}


def begun(backbone, labels=("good", "bad"), **settings):
    method = Prompt(**settings)
    method.prepare(TOKENS.__getitem__, labels)
    method.attach(backbone)
    return backbone.prompt.table.detach()


def test_a_text_is_repeated_to_the_length():
    backbone = tiny.backbone(tiny.ENCODER)
    table = begun(backbone, start="text", text="good film", length=5)
    assert torch.equal(table, backbone.embedding.weight[[11, 14, 11, 14, 11]])


def test_a_longer_text_is_cut():
    backbone = tiny.backbone(tiny.DECODER)
    table = begun(backbone, start="text", text="good film", length=1)
    assert torch.equal(table, backbone.embedding.weight[[11]])


def test_labels_begin_at_the_mean_of_their_tokens_and_the_rest_at_words():
    backbone = tiny.backbone(tiny.ENCODER)
    words = backbone.embedding.weight.detach()
    table = begun(backbone, start="labels", length=4)
    assert torch.equal(table[0], words[11])
    assert torch.allclose(table[1], (words[12] + words[13]) / 2)
    assert all(any(torch.equal(row, word) for word in words) for row in table[2:])


@pytest.mark.parametrize("start", ["vocabulary", "random"])
def test_the_other_starts_need_no_words(start):
    backbone = tiny.backbone(tiny.ENCODER)
    Prompt(start=start, length=6).attach(backbone)
    words = backbone.embedding.weight.detach()
    drawn = [any(torch.equal(row, word) for word in words) for row in backbone.prompt.table]
    assert all(drawn) if start == "vocabulary" else not any(drawn)


@pytest.mark.parametrize(
    ("settings", "labels", "requirement"),
    [
        ({"start": "text"}, ("good",), "start=text needs a text"),
        ({"start": "text", "text": "☂"}, ("good",), "start=text needs a text"),
        ({"start": "labels"}, (), "start=labels needs a task with classes"),
        ({"start": "labels"}, ("good", ""), "every class's name has a token"),
        ({"length": 64}, ("good",), "1 <= length < context"),
        ({"length": 0}, ("good",), "1 <= length < context"),
    ],
)
def test_what_cannot_be_is_refused(settings, labels, requirement):
    with pytest.raises(UserError, match=rf"methods\.prompt: .*{requirement}"):
        begun(tiny.backbone(tiny.ENCODER), labels, **settings)


def test_the_runner_tells_the_words(tmp_path):
    folder = small.make_folder(tmp_path / "tiny-bert")
    experiment = small.experiment(folder, tmp_path / "runs")
    method = Prompt(start="labels", length=3)
    result = run_once(str(folder / "reviews.tsv"), method, experiment=experiment)
    tokenizer = small.tokenizer()
    assert result.status == "complete"
    assert method._begin == [
        tokenizer.encode(label, add_special_tokens=False).ids for label in ("negative", "positive")
    ]


def test_training_without_the_words_is_refused_but_loading_is_not(tmp_path):
    classifier = Classifier(tiny.backbone(tiny.ENCODER), outputs=2, lr=1e-2)
    method = Prompt(start="text", text="good film")
    trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(UserError, match="comes before training"):
        method.setup(trainer, classifier, "fit")
    method.prepare(TOKENS.__getitem__, ("good", "bad"))
    method.attach(classifier.backbone)
    method.save(tmp_path / "prompt.safetensors", classifier)
    fresh = Classifier(tiny.backbone(tiny.ENCODER), outputs=2, lr=1e-2)
    Prompt(start="text", text="good film").load(tmp_path / "prompt.safetensors", fresh)
    assert torch.equal(contract.output(fresh), contract.output(classifier))
