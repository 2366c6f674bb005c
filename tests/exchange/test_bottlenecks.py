"""Folders of `adapters` without the library: what goes out comes back; the rest is refused.

That stock `adapters` says the same is held in tests/adapterhub.
"""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tunebench.errors import UserError
from tunebench.exchange.adapterhub import export_adapters
from tunebench.exchange.bottlenecks import factor
from tunebench.exchange.heads import Head
from tunebench.exchange.importing import import_folder
from tunebench.exchange.names import PeftNames
from tunebench.exchange.peft import export_peft

FROZEN = {"train_norms": False, "bottleneck": 5}
PLACES = [("bert", "houlsby"), ("bert", "pfeiffer"), ("bert", "parallel")]
PLACES += [("llama", "houlsby"), ("llama", "pfeiffer")]


@pytest.mark.parametrize(("kind", "place"), PLACES)
def test_what_went_out_comes_back(twin, place, tmp_path):
    method, backbone = twin.attached("adapter", place=place, activation="gelu", **FROZEN)
    head = Head(torch.randn(2, backbone.cfg.width), torch.randn(2), "mean")
    notes = export_adapters(tmp_path, method, backbone, twin.names, head=head)
    assert "use_safetensors=True" in notes[0]
    again = twin.ours()
    imported = import_folder(tmp_path, again, twin.names)
    assert imported.method.hyperparameters() == method.hyperparameters()
    assert imported.head.pooling == "mean"
    assert torch.equal(imported.head.weight, head.weight)
    batch = twin.batch()
    assert torch.equal(again(batch.ids, batch.mask), backbone(batch.ids, batch.mask))
    file = load_file(tmp_path / "adapter.safetensors")
    assert sum(t.numel() for t in file.values()) == method.trainable(backbone.cfg)


@pytest.mark.parametrize("kind", ["bert"])
def test_a_head_of_an_earlier_export_does_not_stay(twin, tmp_path):
    method, backbone = twin.attached("adapter", **FROZEN)
    for pooling in ("first", "mean", ""):
        head = Head(torch.randn(2, backbone.cfg.width), torch.randn(2), pooling)
        export_adapters(
            tmp_path, method, backbone, twin.names, head=None if pooling == "" else head
        )
        imported = import_folder(tmp_path, twin.ours(), twin.names)
        assert (imported.head.pooling if imported.head else "") == pooling


@pytest.mark.parametrize("kind", ["bert"])
def test_each_library_s_folder_is_known_by_its_settings(twin, tmp_path):
    method, backbone = twin.attached("lora")
    export_peft(tmp_path, method, backbone, twin.names)
    assert import_folder(tmp_path, twin.ours(), twin.names).method.name == "lora"
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="neither PEFT's, which has a 'peft_type'"):
        import_folder(tmp_path, twin.ours(), twin.names)


@pytest.mark.parametrize("kind", ["bert"])
def test_what_the_format_cannot_carry_is_refused(twin, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"carries none: train it with .*train_norms=false"):
        export_adapters(out, *twin.attached("adapter"), twin.names)
    with pytest.raises(UserError, match="for bottleneck adapters, and this is 'lora'"):
        export_adapters(out, *twin.attached("lora"), twin.names)
    qwen = PeftNames("qwen2", twin.names.layers, twin.names.sites)
    with pytest.raises(UserError, match=r"have no 'qwen2' \(they have: bert"):
        export_adapters(out, *twin.attached("adapter", **FROZEN), qwen)
    assert not out.exists()


@pytest.mark.parametrize("kind", ["llama"])
def test_a_parallel_adapter_is_another_where_norms_stand_before(twin, tmp_path):
    attached = twin.attached("adapter", place="parallel", **FROZEN)
    with pytest.raises(UserError, match="before that norm"):
        export_adapters(tmp_path, *attached, twin.names)


@pytest.fixture
def folder(twins, tmp_path):
    """A sound Houlsby folder for BERT, with its head."""
    method, backbone = twins["bert"].attached("adapter", **FROZEN)
    head = Head(torch.randn(2, backbone.cfg.width), torch.randn(2), "first")
    export_adapters(tmp_path, method, backbone, twins["bert"].names, head=head)
    return tmp_path


def settled(path, inside=None, **changes):
    raw = json.loads(path.read_text()) | changes
    if inside is not None:
        raw["config"] |= inside
    path.write_text(json.dumps(raw))


def refused(twins, folder, match):
    backbone = twins["bert"].ours()
    with pytest.raises(UserError, match=match):
        import_folder(folder, backbone, twins["bert"].names)
    assert backbone.tuned_by is None


@pytest.mark.parametrize(
    ("inside", "match"),
    [
        ({"original_ln_before": True}, "original_ln_before=True.* are not read"),
        ({"output_adapter": False}, "output_adapter=False"),
        ({"original_ln_after": False}, "original_ln_after=False is not read"),
        ({"ln_after": True}, "the adapters setting ln_after=True is not read"),
        ({"leave_out": [1]}, "leave_out=.* is not read"),
        ({"use_gating": True}, "use_gating=True"),
        ({"phm_layer": True}, "phm_layer=True"),
        ({"inv_adapter": "nice"}, "inv_adapter='nice'"),
        ({"a_later_setting": 1}, "a_later_setting=1 is not read"),
        ({"architecture": "lora"}, "architecture='lora' is not read"),
        ({"scaling": "learned"}, "scaling must be a number, but is 'learned'"),
        ({"scaling": 2.0}, "scaling=2.0 is read of parallel adapters alone"),
        ({"non_linearity": "leakyrelu"}, "non_linearity='leakyrelu' has no equal"),
        ({"reduction_factor": {"0": 2, "default": 3}}, "must give every layer one width"),
        ({"reduction_factor": {"0": 2}}, "reduction_factor must be a number, but is None"),
        ({"reduction_factor": 0.5}, "one width of 1 to 24"),
        ({"reduction_factor": -1}, "one width of 1 to 24"),
        ({"reduction_factor": 1e-320}, "one width of 1 to 24"),
        ({"reduction_factor": 3}, r"shape \(5, 24\), but .* ask for \(8, 24\)"),
    ],
    ids=str,
)
def test_settings_that_are_not_equal_here_are_named(twins, folder, inside, match):
    settled(folder / "adapter_config.json", inside)
    refused(twins, folder, match)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"model_type": "roberta"}, "belongs to a 'roberta', and this backbone is a 'bert'"),
        ({"config": "houlsby"}, "config='houlsby' is not read"),
        ({"name": "other"}, "no adapter 'other' at the first layer of a bert"),
    ],
    ids=str,
)
def test_what_the_whole_folder_says_must_fit(twins, folder, changes, match):
    settled(folder / "adapter_config.json", **changes)
    refused(twins, folder, match)


def test_before_there_were_versions_gelu_was_another(twins, folder):
    path = folder / "adapter_config.json"
    raw = json.loads(path.read_text())
    del raw["version"]
    for activation, ours in (("gelu", None), ("gelu_orig", "gelu")):
        raw["config"]["non_linearity"] = activation
        path.write_text(json.dumps(raw))
        if ours is None:
            refused(twins, folder, "non_linearity='gelu' has no equal")
        else:
            imported = import_folder(folder, twins["bert"].ours(), twins["bert"].names)
            assert imported.method.hyperparameters()["activation"] == ours


def test_a_pickle_is_not_opened(twins, folder):
    (folder / "model_head.safetensors").rename(folder / "pytorch_model_head.bin")
    imported = import_folder(folder, twins["bert"].ours(), twins["bert"].names)
    assert imported.head is None
    assert "its head is a pickle" in imported.notes[-1]
    (folder / "adapter.safetensors").rename(folder / "pytorch_adapter.bin")
    refused(twins, folder, r"is a pickle, .* with adapters first \(`use_safetensors=True`\)")


def test_tensors_that_do_not_fit_are_named(twins, folder):
    path = folder / "adapter.safetensors"
    save_file(load_file(path) | {"stray": torch.ones(2)}, path)
    refused(twins, folder, "1 tensors have no place.*'stray'")


@pytest.mark.parametrize("count", [None, 0, "2"])
def test_a_head_without_a_number_of_classes_is_refused(twins, folder, count):
    settled(folder / "head_config.json", {"num_labels": count})
    refused(twins, folder, "num_labels=.* is no number of classes")


def test_a_head_of_transformers_own_models_is_left_out(twins, folder):
    settled(folder / "head_config.json", config=None)
    imported = import_folder(folder, twins["bert"].ours(), twins["bert"].names)
    assert imported.head is None
    assert "one of transformers' own models: it is left out" in imported.notes[-1]


def test_a_factor_gives_every_bottleneck_back():
    widths = range(1, 385)
    assert [int(384 // factor(384, bottleneck)) for bottleneck in widths] == list(widths)
