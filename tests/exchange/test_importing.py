"""What PEFT made is read here and says the same; what is not equal or not sound is refused."""

import json
import re

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from tunebench.errors import UserError
from tunebench.exchange import heads
from tunebench.exchange.heads import Head
from tunebench.exchange.names import BASE
from tunebench.exchange.ours import open_adapter, save_adapter
from tunebench.exchange.peft import export_peft, import_peft

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


# --- adapters in some layers alone ---


def named(twin, *sites_and_layers):
    """Transformers' names of single linear maps in the model of the usual task."""
    root = "" if twin.family == "bert" else twin.names.family.root
    names = {
        site: [name for _, name in twin.names.modules(site, root)] for site in twin.names.sites
    }
    return [names[site][layer].removeprefix(BASE) for site, layer in sites_and_layers]


SOME = {
    "layers": lambda twin: {
        "target_modules": twin.names.targets(("attn.q", "attn.v")),
        "layers_to_transform": [1],
    },
    "one layer": lambda twin: {
        "target_modules": twin.names.targets(("attn.q",)),
        "layers_to_transform": 0,
        "use_dora": True,
    },
    "names": lambda twin: {"target_modules": named(twin, ("attn.q", 1), ("mlp.up", 0))},
    "pattern": lambda twin: {"target_modules": r".*\.0\..*(query|q_proj)"},
    "excluded": lambda twin: {
        "target_modules": twin.names.targets(("attn.q", "attn.k")),
        "exclude_modules": named(twin, ("attn.q", 0)),
    },
}


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("where", SOME)
def test_an_adapter_on_some_layers_says_the_same_here(twin, kind, where, tmp_path):
    task = TASKS[kind]
    model = twin.made(task, peft.LoraConfig(task_type=task, r=4, **SOME[where](twin)))
    quiet(model.save_pretrained, tmp_path)
    backbone, again = twin.ours(), twin.ours()
    imported = import_peft(tmp_path, backbone, twin.names)
    assert re.search(r"\d of \d linear maps have no adapter in the file", imported.notes[-1])
    assert close(*twin.outputs(model, task, backbone, twin.batch()))
    assert not close(*twin.outputs(model, task, twin.ours(), twin.batch()), share=1e-2)
    torch.manual_seed(11)
    drawn = torch.rand(3)
    torch.manual_seed(11)
    import_peft(tmp_path, again, twin.names)
    assert torch.equal(torch.rand(3), drawn), "no draw of the caller's is used up"
    weights = dict(again.named_parameters())
    assert all(torch.equal(weights[name], w) for name, w in backbone.named_parameters())


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_factors_of_some_maps_say_the_same_here(twin, kind, tmp_path):
    task, down = TASKS[kind], named(twin, ("mlp.down", 1))
    config = peft.IA3Config(
        task_type=task,
        target_modules=[*named(twin, ("attn.k", 0), ("attn.v", 1)), *down],
        feedforward_modules=down,
    )
    model = twin.made(task, config)
    quiet(model.save_pretrained, tmp_path)
    backbone = twin.ours()
    imported = import_peft(tmp_path, backbone, twin.names)
    assert "3 of 6 linear maps have no adapter" in imported.notes[-1]
    assert close(*twin.outputs(model, task, backbone, twin.batch()))


@pytest.mark.parametrize(
    ("changes", "gone", "match"),
    [
        (
            {},
            "layer.1.attention.self.value.",
            "value.lora_A.weight' is missing",
        ),
        ({}, "value.", r"layer.0.attention.self.value.lora_A.weight' is missing"),
        (
            {"layers_to_transform": [1]},
            "layer.1.",
            "layer.1.*lora_A.weight' is missing",
        ),
        ({"layers_to_transform": [0]}, "layer.1.", None),
        ({"layers_to_transform": 0, "layers_pattern": "layer"}, "layer.1.", None),
        ({"target_modules": "(?:.*(query|value))"}, "layer.1.", None),
        ({"modules_to_save": ["encoder"]}, "layer.1.", None),
    ],
    ids=str,
)
def test_a_whole_map_that_is_gone_is_missing_unless_the_settings_left_it_out(
    twins, folder, changes, gone, match
):
    settled(folder, **changes)
    shaped(folder, lambda t: [t.pop(key) for key in list(t) if gone in key])
    if match is not None:
        refused(twins, folder, match)
    else:
        backbone = twins["bert"].ours()
        imported = import_peft(folder, backbone, twins["bert"].names)
        assert "2 of 4 linear maps have no adapter" in imported.notes[-1]
        assert not any(m.b.any() for m in (backbone.blocks[1].attn.q, backbone.blocks[1].attn.v))


# --- what PEFT allows and we do not train ---


@pytest.mark.parametrize("kind", ["llama"])
def test_a_rank_above_a_narrow_map_is_read_as_it_is(twin, kind, tmp_path):
    smaller = min(twin.ours().cfg.linear("attn.k"))
    config = peft.LoraConfig(
        task_type="CAUSAL_LM", r=smaller + 3, target_modules=["k_proj", "down_proj"]
    )
    model = twin.made("CAUSAL_LM", config)
    quiet(model.save_pretrained, tmp_path)
    backbone = twin.ours()
    imported = import_peft(tmp_path, backbone, twin.names)
    assert f"rank {smaller + 3} is more than 'attn.k' can have" in imported.notes[0]
    assert f"smaller side is {smaller}" in imported.notes[0]
    assert close(*twin.outputs(model, "CAUSAL_LM", backbone, twin.batch()))
    # It is kept in a file of ours, and comes back from it.
    save_adapter(tmp_path / "ours.safetensors", imported.method, backbone, None)
    again = twin.ours()
    open_adapter(tmp_path / "ours.safetensors", again, "")
    batch = twin.batch()
    assert torch.equal(again(batch.ids, batch.mask), backbone(batch.ids, batch.mask))


# --- values that a slip would change ---


@pytest.mark.parametrize("kind", ["bert"])
def test_without_an_alpha_a_file_has_peft_s_own(twin, kind, tmp_path):
    model = twin.made(TASKS[kind], peft.LoraConfig(task_type=TASKS[kind], r=4))
    quiet(model.save_pretrained, tmp_path)
    path = tmp_path / "adapter_config.json"
    settings = json.loads(path.read_text())
    assert settings.pop("lora_alpha") == peft.LoraConfig().lora_alpha
    path.write_text(json.dumps(settings))
    backbone = twin.ours()
    imported = import_peft(tmp_path, backbone, twin.names)
    assert imported.method.hyperparameters()["alpha"] == peft.LoraConfig().lora_alpha
    assert close(
        *twin.outputs(twin.loaded(tmp_path, TASKS[kind]), TASKS[kind], backbone, twin.batch())
    )


@pytest.mark.parametrize(("kind", "activation"), [("distilbert", "ReLU"), ("bert", "tanh")])
def test_a_head_with_an_activation_is_not_taken_for_a_linear_one(twin, kind, activation, tmp_path):
    method, backbone = twin.attached("lora", sites=("attn.q",))
    head = Head(torch.randn(2, backbone.cfg.width), torch.zeros(2), "first")
    export_peft(tmp_path, method, backbone, twin.names)
    width, family = backbone.cfg.width, twin.names.family
    dense, last = heads._maps(twin.names, BASE)
    # With a tanh this tiny map is what makes a head linear; a ReLU still cuts half of it off.
    factor = 1.0 if family.head == "pooler" else heads.STEP
    shaped(
        tmp_path,
        lambda t: t.update(
            {
                f"{dense}.weight": factor * torch.eye(width),
                f"{dense}.bias": torch.zeros(width),
                f"{last}.weight": head.weight,
                f"{last}.bias": head.bias,
            }
        ),
    )
    imported = import_peft(tmp_path, twin.ours(), twin.names)
    assert imported.head is None
    assert f"its head has a {activation} inside, so it is not linear" in imported.notes[-1]
