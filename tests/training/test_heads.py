"""The linear head: an origin changes how it learns, and never what it can say."""

import pytest
import torch
from lightning.pytorch import Trainer
from scipy.stats import kstest
from torch.utils.data import DataLoader
from tunebench.backbone.layout import Layout
from tunebench.backbone.model import Backbone
from tunebench.data.text.batches import Pooled
from tunebench.data.text.tokens import Encoded
from tunebench.objectives import IDENTITY, get_objective
from tunebench.training.classifier import Classifier
from tunebench.training.heads import PooledHead, pool
from tunebench.training.prepare import mean_state

from tests import tiny

WIDTH = tiny.ENCODER.width


def rows(count=48, seed=0):
    """Vectors of three classes, far apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    vectors = torch.randn(count, WIDTH, generator=generator)
    vectors[:, :3] += 4 * torch.nn.functional.one_hot(labels, 3)
    return Pooled(vectors, labels)


def trained(batch, origin=None):
    """Six epochs of head-only on these vectors, under Lightning's own loop."""
    torch.manual_seed(0)
    head = PooledHead(WIDTH, 3, "mean", 0.1, origin)
    classifier = Classifier(Backbone(tiny.ENCODER).requires_grad_(False), head=head, lr=0.05)
    return fitted(classifier, batch, epochs=6)


def fitted(classifier, batch, epochs):
    """So many epochs of one batch each."""
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    torch.manual_seed(1)
    trainer.fit(classifier, DataLoader([batch], batch_size=None))
    return classifier.eval()


def test_a_new_head_has_normal_weights_of_deviation_0_02_and_no_bias():
    torch.manual_seed(0)
    head = PooledHead(100, 50, "mean", 0.1)
    drawn = head.weight.detach().flatten().double().numpy()
    assert kstest(drawn, "norm", args=(0.0, 0.02)).pvalue > 0.01
    assert not head.bias.any()


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_what_all_texts_have_in_common_does_not_change_what_is_learned():
    batch = rows()
    common = torch.full((WIDTH,), 64.0)
    moved = Pooled(batch.vectors + common, batch.labels)
    plain_head, centred = trained(batch), trained(moved, common)
    expected, outputs = plain_head.read(batch.vectors), centred.read(moved.vectors)
    assert (outputs - expected).abs().max() <= 1e-4 * expected.abs().max()
    plain = trained(moved).read(moved.vectors)
    assert (plain - expected).abs().max() > 0.1 * expected.abs().max()


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_after_training_the_head_is_a_plain_linear_map():
    batch = rows()
    head = trained(batch, batch.vectors.mean(0)).head.eval()
    assert not head.origin.any()
    assert set(head.state_dict()) == {"weight", "bias"}
    plain = torch.nn.functional.linear(batch.vectors, head.weight, head.bias)
    assert torch.equal(head(batch.vectors), plain)


def test_settling_keeps_the_function():
    torch.manual_seed(0)
    head = PooledHead(WIDTH, 3, "mean", 0.1, 10 * torch.randn(WIDTH)).double().eval()
    vectors = torch.randn(5, WIDTH, dtype=torch.float64)
    before = head(vectors)
    head.absorb_normalisation(0.0, 1.0)
    torch.testing.assert_close(head(vectors), before, rtol=0, atol=1e-12)
    head.absorb_normalisation(3.0, 1.5)
    torch.testing.assert_close(head(vectors), 3.0 + 1.5 * before, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.parametrize("shift", [0.0, 1.764e9, -3e7], ids=["near zero", "time stamps", "below"])
def test_after_training_a_regression_gives_values_on_the_labels_own_scale(shift):
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(64, WIDTH, generator=generator)
    labels = (shift + 40.0 + 5.0 * vectors[:, 0].double()).tolist()
    regression = get_objective("regression")
    scale = regression.scale(labels)
    torch.manual_seed(0)
    classifier = fitted(
        Classifier(
            Backbone(tiny.ENCODER).requires_grad_(False),
            head=PooledHead(WIDTH, 1, "mean", 0.0),
            objective="regression",
            lr=0.05,
            scale=scale,
        ),
        Pooled(vectors, regression.targets(labels, scale)),
        epochs=60,
    )
    outputs = classifier.read(vectors).detach()
    answers = regression.answers(regression.predictions(outputs, classifier.scale))
    wrong = [abs(one - other) for one, other in zip(answers, labels, strict=True)]
    assert sum(wrong) / len(wrong) < 1.0
    # fp32 weights take the scale where it fits into them; a head that is exported needs no more.
    assert classifier.scale == (scale if shift else IDENTITY)


def test_the_origin_is_the_mean_of_the_pooled_states():
    torch.manual_seed(0)
    base_model = Backbone(tiny.ENCODER).eval()
    texts = ((5, 6, 7), (8,), (9, 10, 11, 12))
    single = [
        pool(
            base_model.encode(torch.tensor(text), Layout.from_lengths([len(text)])),
            Layout.from_lengths([len(text)]),
            "mean",
        )
        for text in texts
    ]
    encoded = Encoded(texts, tuple((0,) * len(text) for text in texts), 0)
    expected = torch.cat(single).mean(0)
    torch.testing.assert_close(mean_state(base_model, encoded, "mean"), expected)
