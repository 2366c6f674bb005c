"""Both sides are one training: equal starts give equal losses, and the loop is Lightning's."""

import copy

import lightning.pytorch as L
import pytest
import torch
from tunebench.data.text.batches import Batch

from tests.tiny import Loader

METHODS = ["full", "head", "lora", "p_tuning", "prefix", "prompt"]


def trained(classifier):
    return [p for p in classifier.backbone.parameters() if p.requires_grad]


def as_ours(peer, mine):
    """PEFT's start of a method in our shape: only a prefix is laid out in another way."""
    if peer.shape == mine.shape:
        return peer
    _, layers, length, heads, size = mine.shape
    return peer.view(length, layers, 2, heads, size).permute(2, 1, 0, 3, 4)


@pytest.fixture
def pair(bench, sides, material):
    """Both sides of a method on a task, ours begun with PEFT's start, and the rows."""

    def build(method, task):
        rows, way = material(task), bench["ways"].WAYS[method]
        ours, peer = (sides.build(side, way, 3, **rows.settings) for side in ("ours", "peft"))
        if method != "full":
            with torch.no_grad():
                for mine, other in zip(trained(ours), trained(peer), strict=True):
                    mine.copy_(as_ours(other, mine))
        return ours, peer, rows

    return build


@pytest.mark.parametrize("task", ["sst2", "stsb"])
@pytest.mark.parametrize("method", METHODS)
def test_equal_starts_give_equal_losses(bench, pair, method, task):
    ours, peer, rows = pair(method, task)
    losses = []
    for classifier in (ours, peer):
        torch.manual_seed(8)
        losses.append(bench["scores"].fitted(classifier, rows, 1, epochs=2))
    assert len(losses[0]) == 6
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert len(set(losses[0])) > 1


@pytest.mark.parametrize("method", METHODS)
def test_both_sides_begin_with_the_same_head_and_train_as_many_weights(bench, pair, method):
    ours, peer, _ = pair(method, "sst2")
    assert torch.equal(ours.head.weight, peer.head.weight)
    counts = [sum(p.numel() for p in trained(classifier)) for classifier in (ours, peer)]
    assert counts[0] == counts[1]


def test_the_loop_is_lightnings(bench, sides, material):
    rows, way = material("sst2"), bench["ways"].WAYS["lora"]
    classifier = sides.build("ours", way, 0, **rows.settings)
    other = copy.deepcopy(classifier)
    batches = [
        rows.batches.batch(part) for part in bench["training"].passing(rows.lengths, "random", 0, 0)
    ]
    torch.manual_seed(8)
    learner = bench["training"].Learner(classifier, 2 * len(batches))
    for batch in 2 * batches:
        learner.step(batch)
    torch.manual_seed(8)
    trainer = L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        gradient_clip_val=bench["training"].CLIP,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(other, Loader(*batches))
    for mine, lightnings in zip(trained(classifier), trained(other), strict=True):
        assert torch.equal(mine, lightnings)


def test_padding_keeps_every_token(bench, material):
    rows = material("stsb")
    batch = rows.batches.batch([5, 0, 9])
    assert isinstance(batch, Batch)
    wide = bench["sides"].padded(batch)
    assert wide["attention_mask"].sum(1).tolist() == batch.layout.lengths.tolist()
    real = wide["attention_mask"].bool()
    assert torch.equal(wide["input_ids"][real], batch.ids)
    assert torch.equal(wide["token_type_ids"][real], batch.segments)
    assert int(wide["token_type_ids"].max()) == 1


def test_a_pass_has_every_row_once_and_grouping_pads_less(bench, material):
    lengths = material("sst2", rows=400).lengths
    positions = {}
    for order in ("random", "grouped"):
        passes = bench["training"].passing(lengths, order, 1, 0)
        assert sorted(row for rows in passes for row in rows) == list(range(400))
        assert passes == bench["training"].passing(lengths, order, 1, 0)
        assert passes != bench["training"].passing(lengths, order, 1, 1)
        positions[order] = sum(len(rows) * max(lengths[row] for row in rows) for rows in passes)
    assert sum(lengths) < positions["grouped"] < positions["random"]


def test_both_sides_place_the_text_behind_the_prefix(bench):
    method = bench["ways"].WAYS["prefix"].method()
    assert method.hyperparameters()["position_offset"] == "length"
