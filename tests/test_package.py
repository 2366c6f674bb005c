"""The Python door: names of the package, and methods under a plain Lightning Trainer."""

import warnings

import pytest
import torch
import tunebench
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader
from tunebench.backbone.model import Backbone
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.methods.base import trained
from tunebench.training.classifier import Classifier

from tests import tiny

pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* is not empty")


def padded(examples):
    """A padded mapping batch, as any collate function makes it."""
    width = max(len(ids) for ids, _ in examples)
    rows = [ids + [0] * (width - len(ids)) for ids, _ in examples]
    mask = [[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in examples]
    return {
        "input_ids": torch.tensor(rows),
        "attention_mask": torch.tensor(mask),
        "labels": torch.tensor([label for _, label in examples]),
    }


def loader(count=24):
    """Texts of unequal length whose first token is their label."""
    examples = [([10 + n % 2, *range(20, 21 + n % 5)], n % 2) for n in range(count)]
    return DataLoader(examples, batch_size=8, collate_fn=padded)


def classifier(seed=0, **settings):
    torch.manual_seed(seed)
    return Classifier(tiny.backbone(tiny.DECODER), outputs=2, head_dropout=0.0, **settings)


def trainer(tmp_path, *callbacks, epochs=2):
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=tmp_path,
        callbacks=list(callbacks),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
    )


def keep_last(tmp_path):
    """Writes a checkpoint at the end; the folder may hold those of an earlier run."""
    return ModelCheckpoint(tmp_path, save_last=True)


def test_the_package_opens_to_the_names_it_promises():
    names = ["load_backbone", "load_task", "Classifier", "Method", "get_method", "compare"]
    names.append("Experiment")
    assert set(names) <= set(tunebench.__all__) <= set(dir(tunebench))
    for name in names:
        assert callable(getattr(tunebench, name))
    assert isinstance(tunebench.get_method("lora")(rank=8), tunebench.Method)
    with pytest.raises(AttributeError, match="no attribute 'lora'"):
        _ = tunebench.lora


def test_a_plain_trainer_with_a_method_learns_from_padded_batches(tmp_path):
    model, method = classifier(), get_method("lora")(rank=8, lr=2e-2)
    frozen = {n: p.clone() for n, p in model.backbone.named_parameters()}
    trainer(tmp_path, method, epochs=20).fit(model, loader())
    with torch.no_grad():
        batch = next(iter(loader()))
        right = model.eval()(batch["input_ids"], batch["attention_mask"]).argmax(-1)
    assert torch.equal(right, batch["labels"])
    assert model.lr == 2e-2
    kept = dict(model.backbone.named_parameters())
    assert all(torch.equal(kept[name], before) for name, before in frozen.items())


def test_a_checkpoint_holds_only_what_trains_and_training_goes_on_from_it(tmp_path):
    keep = keep_last(tmp_path)
    first = classifier(lr=1e-3)
    trainer(tmp_path, get_method("lora")(rank=4), keep).fit(first, loader())
    content = torch.load(keep.last_model_path, weights_only=True)
    assert content["state_dict"].keys() == trained(first).keys()
    tracked = sum(
        state["exp_avg"].numel() for state in content["optimizer_states"][0]["state"].values()
    )
    assert tracked == sum(p.numel() for p in trained(first).values())
    second = classifier(seed=7, lr=1e-3)
    seen = {}

    class Look(Callback):
        def on_train_start(self, trainer, pl_module):
            seen.update({n: p.detach().clone() for n, p in trained(pl_module).items()})
            seen["step"] = trainer.global_step

    again = trainer(tmp_path, get_method("lora")(rank=4), Look(), keep_last(tmp_path), epochs=3)
    again.fit(second, loader(), ckpt_path=keep.last_model_path)
    assert seen.pop("step") == 6
    assert seen.keys() == trained(first).keys()
    assert all(torch.equal(seen[name], p) for name, p in trained(first).items())
    assert again.global_step == 9


def test_a_checkpoint_that_lacks_a_trained_weight_is_refused(tmp_path):
    keep = keep_last(tmp_path)
    trainer(tmp_path, get_method("lora")(rank=4), keep, epochs=1).fit(classifier(), loader())
    content = torch.load(keep.last_model_path, weights_only=True)
    lost = next(name for name in content["state_dict"] if "blocks.1" in name)
    del content["state_dict"][lost]
    torch.save(content, tmp_path / "lacking.ckpt")
    with pytest.raises(UserError, match=rf"lacks weights that 'lora' trains: \['{lost}'\]"):
        trainer(tmp_path, get_method("lora")(rank=4), keep_last(tmp_path)).fit(
            classifier(), loader(), ckpt_path=tmp_path / "lacking.ckpt"
        )


def test_a_second_method_on_a_backbone_is_refused():
    model = classifier()
    get_method("lora")().attach(model.backbone)
    with pytest.raises(UserError, match="already carries 'lora': load a fresh one for 'prefix'"):
        get_method("prefix")().attach(model.backbone)


@pytest.mark.parametrize("count", [0, 2])
def test_a_module_must_hold_exactly_one_backbone(tmp_path, count):
    class Other(LightningModule):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ModuleList(Backbone(tiny.ENCODER) for _ in range(count))

        def training_step(self, batch):
            return None

        def configure_optimizers(self):
            return None

    with pytest.raises(UserError, match=f"one Backbone inside Other, found {count}"):
        trainer(tmp_path, get_method("lora")()).fit(Other(), loader())


def test_a_module_of_ones_own_trains_with_a_method(tmp_path):
    class Own(LightningModule):
        def __init__(self):
            super().__init__()
            self.reader, self.out = tiny.backbone(tiny.ENCODER), torch.nn.Linear(32, 2)

        def training_step(self, batch):
            states = self.reader(batch["input_ids"], batch["attention_mask"])
            return torch.nn.functional.cross_entropy(self.out(states[:, 0]), batch["labels"])

        def configure_optimizers(self):
            return torch.optim.Adam((p for p in self.parameters() if p.requires_grad), lr=1e-3)

    model = Own().train()
    before = model.out.weight.detach().clone()
    trainer(tmp_path, get_method("adapter")(), epochs=1).fit(model, loader())
    assert model.reader.tuned_by == "adapter"
    assert not torch.equal(model.out.weight, before)


def test_a_method_is_set_up_before_the_optimizer_is_made(tmp_path):
    order = []

    class Reporting(Classifier):
        def configure_optimizers(self):
            order.append(("optimizer", self.backbone.tuned_by, len(trained(self))))
            return super().configure_optimizers()

        def setup(self, stage):
            order.append(("module", self.backbone.tuned_by, len(trained(self))))

    torch.manual_seed(0)
    model = Reporting(tiny.backbone(tiny.DECODER), outputs=2)
    method = get_method("lora")(sites=("attn.q",))
    run = trainer(tmp_path, method, epochs=1)
    run.fit(model, loader())
    weights = 2 * tiny.DECODER.layers + 2
    assert order == [("module", "lora", weights), ("optimizer", "lora", weights)]
    held = {id(p) for group in run.optimizers[0].param_groups for p in group["params"]}
    assert held == {id(p) for p in trained(model).values()}


def test_without_a_method_the_whole_backbone_trains_at_the_given_rate(tmp_path):
    model = classifier(lr=1e-3)
    before = {n: p.detach().clone() for n, p in model.backbone.blocks.named_parameters()}
    trainer(tmp_path, epochs=1).fit(model, loader())
    moved = [n for n, p in model.backbone.blocks.named_parameters() if not p.equal(before[n])]
    assert set(moved) == set(before)
    with pytest.raises(ValueError, match="`lr` must be given where no method is attached"):
        trainer(tmp_path, epochs=1).fit(classifier(), loader())


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_padding_and_prompts_do_not_reach_the_pooled_vector(pooling):
    model = classifier(pooling=pooling, lr=0.1).eval()
    batch = next(iter(loader()))
    with torch.no_grad():
        together = model(batch["input_ids"], batch["attention_mask"])
        states = model.backbone(batch["input_ids"], batch["attention_mask"])
    for row, length in enumerate(batch["attention_mask"].sum(1).tolist()):
        states_alone = states[row, :length]
        vector = {"mean": states_alone.mean(0), "first": states_alone[0], "last": states_alone[-1]}[
            pooling
        ]
        with torch.no_grad():
            assert torch.allclose(together[row], model.head(vector), rtol=1e-4, atol=1e-5)


def test_a_saved_adapter_fits_only_a_module_of_its_shape(tmp_path):
    model, method = classifier(), get_method("lora")(rank=4)
    method.attach(model.backbone)
    method.save(tmp_path / "a.safetensors", model)
    with pytest.raises(UserError, match=r"is \(4, 32\) in the file, \(8, 32\) here"):
        get_method("lora")(rank=8).load(tmp_path / "a.safetensors", classifier())
    with pytest.raises(
        UserError, match=r"does not fit 'lora' on this module.* is not there in the"
    ):
        get_method("lora")(rank=4, sites=("attn.o",)).load(tmp_path / "a.safetensors", classifier())
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-1])
    for name, requirement in {
        "cut": "not a readable safetensors",
        "none": "no adapter file",
    }.items():
        with pytest.raises(UserError, match=requirement):
            get_method("lora")(rank=4).load(tmp_path / f"{name}.safetensors", classifier())


def test_importing_the_package_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tunebench.__version__
