"""What PEFT made is read here and says the same; what is not equal or not sound is refused."""

import json

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from tunebench.errors import UserError
from tunebench.exchange.heads import Head
from tunebench.exchange.peft import export_peft, import_peft

from tests.checkpoints.test_folder import POINTER
from tests.near import close, quiet

TASKS = {"bert": "FEATURE_EXTRACTION", "llama": "CAUSAL_LM", "wide heads": "CAUSAL_LM"}
ENCODER = {"num_virtual_tokens": 4, "encoder_hidden_size": 6}
CONFIGS = {
    "lora": lambda task: peft.LoraConfig(task_type=task, r=4, lora_alpha=6),
    "lora at every map": lambda task: peft.LoraConfig(
        task_type=task, r=3, target_modules="all-linear"
    ),
    "rank-stabilised": lambda task: peft.LoraConfig(task_type=task, r=4, use_rslora=True),
    "dora": lambda task: peft.LoraConfig(task_type=task, r=4, use_dora=True),
    "ia3": lambda task: peft.IA3Config(task_type=task),
    "prefix": lambda task: peft.PrefixTuningConfig(
        task_type=task, prefix_projection=True, **ENCODER
    ),
    "prefix alone": lambda task: peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=5),
    "prompt": lambda task: peft.PromptTuningConfig(task_type=task, num_virtual_tokens=4),
    "p-tuning": lambda task: peft.PromptEncoderConfig(task_type=task, **ENCODER),
    "p-tuning lstm": lambda task: peft.PromptEncoderConfig(
        task_type=task, encoder_reparameterization_type="LSTM", **ENCODER
    ),
}
EVERY = [
    pytest.param(kind, task, case, side, id=f"{kind}-{task}-{case}-{side}", marks=marks)
    for kind, usual in TASKS.items()
    for task in dict.fromkeys((usual, "FEATURE_EXTRACTION"))
    for case in CONFIGS
    for side in ("right", "left")
    for fast in [kind != "wide heads" and task == usual and side == "right"]
    for marks in [() if fast else pytest.mark.slow]
]


@pytest.mark.parametrize(("kind", "task", "case", "side"), EVERY)
def test_a_peft_adapter_says_the_same_here(twin, kind, task, case, side, tmp_path):
    model = twin.made(task, CONFIGS[case](task))
    quiet(model.save_pretrained, tmp_path)
    backbone = twin.ours()
    imported = import_peft(tmp_path, backbone, twin.names)
    assert imported.head is None
    assert backbone.tuned_by == imported.method.name
    assert close(*twin.outputs(model, task, backbone, twin.batch(side)))
    untuned = twin.outputs(model, task, twin.ours(), twin.batch(side))
    assert not close(*untuned, share=1e-2), "the adapter does something"


@pytest.mark.parametrize("kind", ["llama"])
@pytest.mark.parametrize("case", ["lora", "dora", "ia3"])
def test_a_llama_head_comes_along(twin, case, tmp_path):
    model = twin.made("SEQ_CLS", CONFIGS[case]("SEQ_CLS"), classes=3)
    quiet(model.save_pretrained, tmp_path)
    backbone = twin.ours()
    imported = import_peft(tmp_path, backbone, twin.names)
    assert imported.head is not None
    assert close(*twin.classes(model, backbone, imported.head, twin.batch()))


@pytest.mark.parametrize("kind", ["llama"])
@pytest.mark.parametrize("case", ["prefix alone", "prompt", "p-tuning"])
def test_a_llama_head_comes_along_with_virtual_tokens(twin, case, tmp_path):
    model = twin.made("SEQ_CLS", CONFIGS[case]("SEQ_CLS"), classes=3)
    quiet(model.save_pretrained, tmp_path)
    backbone = twin.ours()
    imported = import_peft(tmp_path, backbone, twin.names)
    # After a prompt transformers reads the last column, a text's last token where none is padding.
    batch = twin.batch()
    batch.ids, batch.mask = batch.ids[:, :4], batch.mask[:, :4]
    assert bool(batch.mask.all())
    assert close(*quiet(twin.classes, model, backbone, imported.head, batch))


@pytest.mark.parametrize("kind", ["bert"])
def test_a_bert_head_on_its_pooler_is_left_out_and_that_is_said(twin, tmp_path):
    model = twin.made("SEQ_CLS", CONFIGS["lora"]("SEQ_CLS"))
    quiet(model.save_pretrained, tmp_path)
    imported = import_peft(tmp_path, twin.ours(), twin.names)
    assert imported.head is None
    assert "not linear" in imported.notes[-1]


@pytest.mark.parametrize(
    ("kind", "pooling"), [("bert", "first"), ("bert", "mean"), ("llama", "last")]
)
def test_a_head_that_went_out_comes_back(twin, pooling, tmp_path):
    method, backbone = twin.attached("lora", dora=True, sites=("attn.o", "mlp.up"))
    bias = torch.tensor([0.0, 0.0]) if pooling == "last" else torch.tensor([0.5, -0.2])
    head = Head(torch.randn(2, backbone.cfg.width), bias, pooling)
    export_peft(tmp_path, method, backbone, twin.names, head=head)
    again = twin.ours()
    imported = import_peft(tmp_path, again, twin.names)
    assert imported.method.hyperparameters() == method.hyperparameters()
    assert imported.head.pooling == pooling
    assert torch.equal(imported.head.weight, head.weight)
    assert torch.equal(imported.head.bias, head.bias)
    batch = twin.batch()
    assert torch.equal(again(batch.ids, batch.mask), backbone(batch.ids, batch.mask))


@pytest.fixture
def folder(twins, tmp_path):
    """A sound LoRA folder for BERT."""
    method, backbone = twins["bert"].attached("lora", rank=4)
    export_peft(tmp_path, method, backbone, twins["bert"].names)
    return tmp_path


def settled(folder, **changes):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def shaped(folder, change):
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def refused(twins, folder, match):
    backbone = twins["bert"].ours()
    with pytest.raises(UserError, match=match):
        import_peft(folder, backbone, twins["bert"].names)
    assert backbone.tuned_by is None


KEY = "base_model.model.encoder.layer.1.attention.self.value.lora_B.weight"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"peft_type": "LOHA"}, "unknown PEFT type 'LOHA'.*LORA"),
        ({"bias": "all"}, "bias='all' is not read"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
        ({"alpha_pattern": {"query": 3}}, "alpha_pattern=.* is not read"),
        ({"use_bdlora": {"nblocks": 2}}, "use_bdlora=.* is not read"),
        ({"a_later_setting": 1}, "a_later_setting=1 is not read"),
        ({"r": 5}, r"shape \(4, 24\), but the settings and the backbone ask for \(5, 24\)"),
        ({"r": "4"}, "r must be a whole number >= 1, but is '4'"),
        ({"r": 10**9}, "shape"),
        ({"lora_alpha": float("inf")}, "lora_alpha must be a number"),
        ({"use_dora": True}, "lora_magnitude_vector' is missing"),
    ],
    ids=str,
)
def test_settings_that_are_not_equal_here_are_named(twins, folder, changes, match):
    settled(folder, **changes)
    refused(twins, folder, match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.pop(KEY), f"'{KEY}' is missing"),
        (lambda t: t.update(stray=torch.ones(2)), "1 tensors have no place.*'stray'"),
        (lambda t: t.update({KEY: torch.ones(24, 3)}), r"shape \(24, 3\).*\(24, 4\)"),
        (lambda t: t.update({KEY: torch.ones(24, 4, dtype=torch.int64)}), "int64, not real"),
        (lambda t: t.clear(), "no linear map of this backbone"),
        (lambda t: t[KEY].fill_(torch.nan), f"'{KEY}' holds numbers that are not finite"),
    ],
    ids=["missing", "extra", "shape", "integers", "empty", "not a number"],
)
def test_tensors_that_do_not_fit_are_named(twins, folder, change, match):
    shaped(folder, change)
    refused(twins, folder, match)


def test_a_pickle_is_not_opened(twins, folder):
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(b"\x80\x04.")
    refused(twins, folder, "is a pickle, and reading one runs what its maker wrote")


def test_files_that_are_not_there_or_not_sound(twins, folder):
    weights, settings = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    weights.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    refused(twins, folder, "not a readable safetensors file")
    weights.write_text(POINTER)
    refused(twins, folder, "adapter_model.safetensors is a pointer of Git LFS")
    weights.unlink()
    refused(twins, folder, "adapter_model.safetensors is missing")
    weights.touch()
    for text, match in (("[]", "an object of settings"), ("{", "not readable JSON")):
        settings.write_text(text)
        refused(twins, folder, match)
    settings.write_text('{"x": "' + "y" * (1 << 20) + '"}')
    refused(twins, folder, "larger than a file of settings may be")
    settings.unlink()
    refused(twins, folder, "adapter_config.json is missing")
