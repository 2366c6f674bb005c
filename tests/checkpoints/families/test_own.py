"""A folder of settings alone is a backbone to train from scratch."""

import json

import pytest
import torch
from safetensors.torch import save_file
from tunebench.backbone.layout import Layout
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.config import DataSettings
from tunebench.data.load import load_task
from tunebench.data.text.batches import Batch
from tunebench.data.text.tokens import encode
from tunebench.errors import UserError
from tunebench.training.classifier import Classifier

from tests import small

SETTINGS = {
    "model_type": "tunebench",
    "vocabulary": small.WORDS,
    "width": 32,
    "layers": 2,
    "heads": 4,
    "key_heads": 4,
    "head_size": 8,
    "hidden": 64,
    "context": 64,
    "causal": False,
    "positions": "sinusoidal",
    "norm": "layer",
    "norm_place": "after",
    "mlp": "gelu",
    "bias": True,
}


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


def written(folder, **changes):
    (folder / "config.json").write_text(json.dumps(SETTINGS | changes))
    return folder


def pocket(folder, rows=48):
    """Pocket reviews as one batch, read with the folder's tokenizer."""
    small.tokenizer().save(str(folder / "tokenizer.json"))
    data = load_task("sentiment", DataSettings(source="pocket")).train
    encoded = encode(
        Checkpoint.open(folder).load_tokenizer(), data.texts[:rows], max_length=32, pairs=True
    )
    ids = torch.tensor([token for row in encoded.ids for token in row])
    labels = torch.tensor([int(label) for label in data.labels[:rows]])
    return Batch(
        ids, Layout.from_lengths([len(row) for row in encoded.ids]), torch.zeros_like(ids), labels
    )


def test_a_sinusoidal_backbone_from_scratch_learns_pocket_reviews(folder):
    batch = pocket(folder)
    classifier = Classifier(load_backbone(folder), outputs=2, lr=1e-3, head_dropout=0.0).train()
    optimizer = torch.optim.Adam(classifier.parameters(), lr=3e-3)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = classifier.training_step(batch)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert not list(classifier.backbone.positions.parameters())


def test_the_seed_says_which_weights_they_are(folder):
    one, same = load_backbone(folder), load_backbone(folder)
    fewer, other = load_backbone(folder, layers=1), load_backbone(written(folder, seed=1))
    kept = dict(one.named_parameters())
    assert all(torch.equal(p, kept[n]) for n, p in same.named_parameters())
    assert all(torch.equal(p, kept[n]) for n, p in fewer.named_parameters())
    assert not torch.equal(one.embedding.weight, other.embedding.weight)
    assert float(one.embedding.weight.detach().std()) == pytest.approx(0.02, rel=0.05)


def test_the_digest_is_that_of_the_settings(folder):
    first = Checkpoint.open(folder).digest
    assert first == Checkpoint.open(folder).digest
    assert first != Checkpoint.open(written(folder, width=64, head_size=16)).digest


def test_weights_beside_the_settings_are_read_by_our_names(folder):
    fresh = load_backbone(folder)
    weights = {name: p.detach() + 1 for name, p in fresh.named_parameters()}
    save_file(weights, folder / "model.safetensors")
    for name, parameter in load_backbone(folder).named_parameters():
        assert torch.equal(parameter, weights[name])
    assert torch.equal(
        Checkpoint.open(folder).load_language_head(load_backbone(folder)).weight,
        weights["embedding.weight"],
    )


def test_a_stored_table_that_is_no_waves_is_refused(folder):
    weights = {name: p.detach() for name, p in load_backbone(folder).named_parameters()}
    save_file(weights | {"positions.table.weight": torch.ones(64, 32)}, folder / "x.safetensors")
    with pytest.raises(UserError, match="positions are to be sinusoidal, but its table is not"):
        load_backbone(folder)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"postions": "rotary"}, r"unknown setting 'postions'; did you mean 'positions'\?"),
        ({"positions": "waves"}, r"positions: Input should be 'learned', 'rotary' or 'sinusoidal'"),
        ({"layers": "many"}, r"layers: Input should be a valid integer"),
        ({"key_heads": 3}, r"`heads % key_heads == 0` must hold"),
        (
            {"rope_scaling": {"kind": "yarn", "factor": 2, "trained": 8}},
            r"rope_scaling.kind: Input",
        ),
    ],
)
def test_settings_that_do_not_fit_are_told(folder, changes, text):
    with pytest.raises(UserError, match=text):
        load_backbone(written(folder, **changes))


def test_a_missing_setting_is_told(folder):
    raw = {key: value for key, value in SETTINGS.items() if key != "heads"}
    (folder / "config.json").write_text(json.dumps(raw))
    with pytest.raises(UserError, match=r"heads: Field required"):
        load_backbone(folder)


def test_a_seed_gives_the_same_numbers_for_ever(tmp_path):
    folder = written(tmp_path, vocabulary=50, width=16, head_size=4, seed=3, segments=2)
    backbone = load_backbone(folder)
    # As they were drawn when the first such folder was read.
    assert backbone.embedding.weight.double().sum().item() == pytest.approx(0.279412421, abs=1e-6)
    assert backbone.segments.weight.double().sum().item() == pytest.approx(0.035041286, abs=1e-6)


def test_weights_under_the_names_of_the_first_files_are_read(folder):
    written(folder, embedding_norm=True)
    weights = {name: p.detach().clone() for name, p in load_backbone(folder).named_parameters()}
    weights["norm_embedding.bias"] += 1.0
    first = {"embedding.": "words.", "norm_embedding.": "norm_words."}
    old = {
        next((new + k.removeprefix(n) for n, new in first.items() if k.startswith(n)), k): v
        for k, v in weights.items()
    }
    assert {"words.weight", "norm_words.bias"} <= old.keys()
    save_file(old, folder / "model.safetensors")
    for name, parameter in load_backbone(folder).named_parameters():
        assert torch.equal(parameter, weights[name])
