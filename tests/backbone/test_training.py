"""A backbone from scratch learns, with each kind of positions."""

import dataclasses

import pytest
import torch
from tunebench.backbone.layout import Layout
from tunebench.backbone.model import Backbone
from tunebench.data.text.batches import Batch
from tunebench.training.classifier import Classifier

from tests import tiny


def order_task(count=64, length=6):
    """Which of two tokens comes first: only positions can tell."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (count,), generator=generator)
    rows = torch.full((count, length), 5)
    for row, label in zip(rows, labels.tolist(), strict=True):
        first, second = sorted(torch.randperm(length, generator=generator)[:2].tolist())
        row[first], row[second] = 10 + label, 11 - label
    layout = Layout.from_lengths([length] * count)
    return Batch(rows.flatten(), layout, torch.zeros(count * length, dtype=torch.int64), labels)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_a_backbone_from_scratch_learns_what_only_positions_can_tell(positions):
    cfg = dataclasses.replace(tiny.ENCODER, positions=positions, norm_place="before")
    torch.manual_seed(0)
    classifier = Classifier(Backbone(cfg), outputs=2, lr=1e-3, head_dropout=0.0)
    assert all(p.requires_grad for p in classifier.parameters())
    batch = order_task()
    optimizer = torch.optim.Adam(classifier.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        loss = classifier.training_step(batch)
        loss.backward()
        optimizer.step()
    right = classifier.predict([batch]).argmax(-1) == batch.labels
    assert right.float().mean() > 0.95
