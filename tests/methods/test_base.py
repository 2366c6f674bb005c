"""What every method shares: the states it goes through, and the mode of its modules."""

import inspect
import re

import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tunebench.backbone.layout import SharedPrefix
from tunebench.errors import UserError
from tunebench.methods import get_method, names
from tunebench.methods._saved import attach_saved
from tunebench.methods.base import trained
from tunebench.training.classifier import Classifier

from tests import contract, tiny
from tests.tiny import CONFIGS

every_shape = pytest.mark.parametrize("shape", sorted(CONFIGS))
every_method = pytest.mark.parametrize("name", names())


def made(name, shape):
    """A method on a fresh classifier, every weight off its start; or a skip where it has none."""
    if not contract.fits(get_method(name)(), CONFIGS[shape]):
        pytest.skip("nothing of this backbone trains")
    method, classifier = contract.make(name, CONFIGS[shape], {})
    contract.shake(classifier)
    return method, classifier


def fresh(shape):
    return Classifier(tiny.backbone(CONFIGS[shape]), outputs=2, lr=1e-2)


# --- what fold leaves ---


@every_shape
@every_method
def test_what_is_saved_after_folding_is_whole_or_refused(name, shape, tmp_path):
    method, classifier = made(name, shape)
    path = tmp_path / "adapter.safetensors"
    live = contract.output(classifier)
    kept = {key for key in trained(classifier) if key.startswith("backbone.")}
    method.fold(classifier.backbone)
    if kept and not any(key.startswith("backbone.") for key in trained(classifier)):
        with pytest.raises(UserError, match=f"'{name}' was folded: nothing of it is left to save"):
            method.save(path, classifier)
        assert not path.exists()
        return
    method.save(path, classifier)
    again = fresh(shape)
    get_method(name)().load(path, again)
    assert torch.allclose(contract.output(again), live, rtol=1e-4, atol=1e-5)


def test_the_methods_of_which_folding_leaves_nothing():
    gone = {}
    for shape, cfg in CONFIGS.items():
        for name in names():
            if not contract.fits(get_method(name)(), cfg):
                continue
            method, classifier = contract.make(name, cfg, {})
            method.fold(classifier.backbone)
            if method._folded_away:
                gone.setdefault(shape, []).append(name)
    assert gone == {
        "encoder": ["ia3", "lora", "vera"],
        "decoder": ["ia3", "lora", "p_tuning", "prompt", "vera"],
    }


@pytest.mark.parametrize("name", ["ia3", "lora", "vera"])
def test_nothing_is_loaded_into_or_trained_with_what_was_folded_away(name, tmp_path):
    method, classifier = made(name, "encoder")
    path = tmp_path / "adapter.safetensors"
    method.save(path, classifier)
    method.fold(classifier.backbone)
    folded = contract.output(classifier)
    with pytest.raises(UserError, match="nothing of it is left to load"):
        method.load(path, classifier)
    trainer, loader = contract.trainer(method, 1), tiny.Loader(tiny.batch())
    with pytest.raises(UserError, match="nothing of it is left to train"):
        trainer.fit(classifier, loader)
    trainer.test(classifier, loader, verbose=False)
    with pytest.raises(UserError, match="nothing of it is left to save"):
        trainer.save_checkpoint(tmp_path / "whole.ckpt")
    with pytest.raises(UserError, match="nothing of it is left to load"):
        method.on_load_checkpoint(trainer, classifier, {"state_dict": {}})
    assert torch.equal(contract.output(classifier), folded)


@pytest.mark.parametrize("name", ["ia3", "lora", "vera"])
def test_what_was_folded_away_leaves_nothing_in_the_backbone_that_trains(name):
    method, classifier = made(name, "encoder")
    method.fold(classifier.backbone)
    assert [n for n, p in classifier.backbone.named_parameters() if p.requires_grad] == []


def test_what_every_text_begins_with_does_not_train_once_it_was_computed():
    method, classifier = made("layer_norm", "decoder")
    assert method.fold(classifier.backbone, SharedPrefix((11, 12)))
    with pytest.raises(UserError, match="folded with what every text begins with"):
        contract.train(method, classifier, 1)


def test_a_checkpoint_has_every_weight_that_trains_and_is_refused_without_one():
    method, classifier = made("lora", "encoder")
    trainer, state = contract.trainer(method, 1), classifier.state_dict()
    method.on_load_checkpoint(trainer, classifier, {"state_dict": state})
    frozen = next(n for n, p in classifier.named_parameters() if not p.requires_grad)
    method.on_load_checkpoint(trainer, classifier, {"state_dict": without(state, frozen)})
    for name in trained(classifier):
        with pytest.raises(UserError, match=f"lacks weights that 'lora' trains: \\['{name}'\\]"):
            method.on_load_checkpoint(trainer, classifier, {"state_dict": without(state, name)})


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


# --- what is not attached ---


@pytest.mark.parametrize("verb", ["save", "fold", "drop_encoder"])
def test_a_method_that_is_not_attached_does_nothing(verb, tmp_path):
    classifier, method = fresh("encoder"), get_method("lora")()
    calls = {
        "save": lambda: method.save(tmp_path / "adapter.safetensors", classifier),
        "fold": lambda: method.fold(classifier.backbone),
        "drop_encoder": lambda: method.drop_encoder(classifier.backbone),
    }
    with pytest.raises(UserError, match=r"'lora': it is not attached to this backbone.*no method"):
        calls[verb]()
    get_method("lora")().attach(classifier.backbone)
    with pytest.raises(UserError, match=r"it is not attached.*'lora' by another object"):
        calls[verb]()
    assert not list(tmp_path.iterdir())


def test_a_file_without_its_encoder_is_attached_too(tmp_path):
    method, classifier = made("p_tuning", "encoder")
    live = contract.output(classifier)
    method.drop_encoder(classifier.backbone)
    method.save(tmp_path / "adapter.safetensors", classifier)
    again = fresh("encoder")
    attach_saved(tmp_path / "adapter.safetensors", again.backbone)
    again.head.load_state_dict(classifier.head.state_dict())
    assert torch.allclose(contract.output(again), live, rtol=1e-5, atol=1e-6)


# --- training and evaluation mode ---


def modules_of(method):
    """The modules that came with a method."""
    return [m for m in method._backbone.modules() if m not in method._original]


@every_shape
@every_method
def test_what_is_put_in_is_in_training_mode_and_the_rest_stays(name, shape, tmp_path):
    if not contract.fits(get_method(name)(), CONFIGS[shape]):
        pytest.skip("nothing of this backbone trains")
    backbone = tiny.backbone(CONFIGS[shape])
    before = set(backbone.modules())
    method = get_method(name)()
    method.attach(backbone)
    assert all(module.training for module in backbone.modules() if module not in before)
    assert not any(module.training for module in before)
    method.save(tmp_path / "adapter.safetensors", backbone)
    restored, again = get_method(name)(), tiny.backbone(CONFIGS[shape])
    restored.load(tmp_path / "adapter.safetensors", again)
    assert not any(module.training for module in again.modules())
    restored.setup(contract.trainer(restored, 1), LightningLike(again), "fit")
    assert all(module.training for module in modules_of(restored))


class LightningLike(LightningModule):
    """A module of one's own around a backbone that is in evaluation mode."""

    def __init__(self, backbone):
        super().__init__()
        self.reader, self.out, self.differences = backbone, nn.Linear(32, 2), []

    def training_step(self, batch):
        with torch.no_grad():
            for name, weight in self.reader.named_parameters():
                if name.endswith(".b"):
                    weight.fill_(0.1)
        one, two = (self.reader.encode(batch.ids, batch.layout) for _ in range(2))
        self.differences.append(float((one - two).detach().abs().max()))
        first = self.out(one[batch.layout.cu_seqlens[:-1]])
        return F.cross_entropy(first, batch.labels)

    def configure_optimizers(self):
        return torch.optim.Adam((p for p in self.parameters() if p.requires_grad), lr=1e-3)


@pytest.mark.filterwarnings("ignore:Found .* module.* in eval mode")  # Lightning sees it too.
@pytest.mark.parametrize("dora", [False, True])
def test_a_dropout_that_was_asked_for_is_one_on_a_backbone_in_evaluation_mode(dora, tmp_path):
    settings = {"rank": 4, "dropout": 0.5, "dora": dora}
    model, method = LightningLike(tiny.backbone(tiny.ENCODER)), get_method("lora")(**settings)
    trainer = contract.trainer(method, 1)
    trainer.fit(model, DataLoader([tiny.batch()], batch_size=None))
    assert model.differences[0] > 0
    # One that was read from a file trains on with its dropout too.
    method.save(tmp_path / "adapter.safetensors", model)
    again, loaded = LightningLike(tiny.backbone(tiny.ENCODER)), get_method("lora")(**settings)
    loaded.load(tmp_path / "adapter.safetensors", again)
    contract.trainer(loaded, 1).fit(again, DataLoader([tiny.batch()], batch_size=None))
    assert again.differences[0] > 0


@every_method
def test_a_method_is_made_of_its_settings_and_shows_nothing_else(name):
    kind = get_method(name)
    method = kind()
    asked = inspect.signature(kind).parameters
    assert set(asked) == set(method.hyperparameters())
    before = repr(method)
    assert set(re.findall(r"[(, ](\w+)=", before)) == set(asked)
    method.attach(tiny.backbone(tiny.ENCODER))
    assert repr(method) == before
