"""The exchange with PEFT on further families: what is equal goes both ways; the rest is refused."""

import peft
import pytest
import torch
from tunebench.checkpoints.checkpoint import load_backbone
from tunebench.errors import UserError
from tunebench.exchange.heads import Head
from tunebench.exchange.peft import export_peft, import_peft

from tests.exchange.twins import ENCODERS, FURTHER
from tests.near import close, quiet

PREFIX = {"length": 5, "position_offset": "length"}
METHODS = {
    "lora": ("lora", {"rank": 4, "alpha": 6.0}),
    "dora": ("lora", {"rank": 3, "dora": True}),
    "ia3": ("ia3", {}),
    "p_tuning_v2": ("p_tuning_v2", PREFIX),
    "prompt": ("prompt", {"length": 4}),
}
UNEQUAL = {("gpt2", "ia3"), ("distilbert", "p_tuning_v2"), ("mistral", "p_tuning_v2")}
EVERY = [
    pytest.param(kind, case, id=f"{kind}-{case}", marks=() if case == "lora" else pytest.mark.slow)
    for kind in FURTHER
    for case in METHODS
    if (kind, case) not in UNEQUAL
]


def task_of(kind):
    return "FEATURE_EXTRACTION" if kind in ENCODERS else "CAUSAL_LM"


def sites_of(kind):
    """Maps that are no part of a fused one."""
    return ("attn.o", "mlp.up", "mlp.down") if kind == "gpt2" else ("attn.q", "attn.o", "mlp.down")


@pytest.mark.parametrize(("kind", "case"), EVERY)
def test_stock_peft_gives_our_output(twin, kind, case, tmp_path):
    name, settings = METHODS[case]
    sites = {"sites": sites_of(kind)} if name == "lora" else {}
    method, backbone = twin.attached(name, **settings, **sites)
    task = task_of(kind)
    assert export_peft(tmp_path, method, backbone, twin.names, task=task)[0] == task
    model = twin.loaded(tmp_path, task)
    assert close(*twin.outputs(model, task, backbone, twin.batch()))
    untuned = twin.outputs(model, task, twin.ours(), twin.batch())
    assert not close(*untuned, share=1e-2), "the adapter does something"


@pytest.mark.parametrize("kind", FURTHER)
def test_a_lora_of_peft_says_the_same_here(twin, kind, tmp_path):
    task, sites = task_of(kind), sites_of(kind)
    config = peft.LoraConfig(
        task_type=task,
        r=4,
        lora_alpha=6,
        target_modules=twin.names.targets(sites),
        fan_in_fan_out=kind == "gpt2",
    )
    model = twin.made(task, config)
    quiet(model.save_pretrained, tmp_path)
    backbone = twin.ours()
    method = import_peft(tmp_path, backbone, twin.names).method
    assert method.hyperparameters()["sites"] == sites
    assert close(*twin.outputs(model, task, backbone, twin.batch()))


@pytest.mark.parametrize("kind", [kind for kind in FURTHER if kind != "distilbert"])
def test_a_head_travels_where_the_two_are_one_function(twin, kind, tmp_path):
    method, backbone = twin.attached("lora", sites=sites_of(kind))
    first = kind in ENCODERS
    bias = torch.tensor([0.5, -0.2, 0.1]) if first else torch.zeros(3)
    head = Head(torch.randn(3, backbone.cfg.width), bias, "first" if first else "last")
    assert export_peft(tmp_path, method, backbone, twin.names, head=head)[0] == "SEQ_CLS"
    model = twin.loaded(tmp_path, "SEQ_CLS", classes=3)
    assert close(*twin.classes(model, backbone, head, twin.batch()))
    imported = import_peft(tmp_path, twin.ours(), twin.names).head
    assert imported.pooling == head.pooling
    assert torch.equal(imported.weight, head.weight)
    assert torch.equal(imported.bias, head.bias)


@pytest.mark.parametrize("kind", ["distilbert"])
def test_a_head_behind_a_relu_is_another_both_ways(twin, tmp_path):
    method, backbone = twin.attached("lora")
    head = Head(torch.randn(2, backbone.cfg.width), torch.zeros(2), "first")
    task, note = export_peft(tmp_path / "ours", method, backbone, twin.names, head=head)
    assert task == "FEATURE_EXTRACTION"
    assert "has a ReLU between" in note
    config = peft.LoraConfig(
        task_type="SEQ_CLS",
        target_modules=["q_lin"],
        modules_to_save=["pre_classifier", "classifier"],
    )
    quiet(twin.made("SEQ_CLS", config).save_pretrained, tmp_path / "peer")
    imported = import_peft(tmp_path / "peer", twin.ours(), twin.names)
    assert imported.head is None
    assert "not linear" in imported.notes[-1]


@pytest.mark.parametrize("kind", ["roberta"])
def test_a_head_behind_a_tanh_that_bends_is_left_out(twin, tmp_path):
    config = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query"])
    quiet(twin.made("SEQ_CLS", config).save_pretrained, tmp_path)
    imported = import_peft(tmp_path, twin.ours(), twin.names)
    assert imported.head is None
    assert "not linear" in imported.notes[-1]


@pytest.mark.parametrize("kind", ["gpt2"])
@pytest.mark.parametrize("name", ["lora", "ia3"])
def test_a_part_of_gpt2_s_fused_map_is_refused_both_ways(twin, name, tmp_path):
    method, backbone = twin.attached(name)
    fused = r"a part of one fused map in transformers' gpt2.*\(these sites have: attn.o, mlp.up"
    with pytest.raises(UserError, match=fused):
        export_peft(tmp_path / "ours", method, backbone, twin.names)
    assert not (tmp_path / "ours").exists()
    configs = {"lora": peft.LoraConfig, "ia3": peft.IA3Config}
    config = configs[name](task_type="CAUSAL_LM")
    quiet(quiet(twin.made, "CAUSAL_LM", config).save_pretrained, tmp_path / "peer")
    with pytest.raises(UserError, match=fused):
        import_peft(tmp_path / "peer", twin.ours(), twin.names)


@pytest.mark.parametrize("kind", ["distilbert"])
def test_a_network_without_a_cache_takes_no_prefix(twin, tmp_path):
    method, backbone = twin.attached("p_tuning_v2", **PREFIX)
    with pytest.raises(UserError, match="as a cache, and transformers' distilbert reads none"):
        export_peft(tmp_path, method, backbone, twin.names)


@pytest.mark.parametrize("kind", ["mistral"])
def test_a_window_that_leaves_the_prefix_behind_is_told_with_its_reach(twin, tmp_path):
    method, backbone = twin.attached("p_tuning_v2", **PREFIX | {"length": 2})
    note = export_peft(tmp_path, method, backbone, twin.names)[-1]
    assert "texts of at most 3 tokens" in note
    assert note == import_peft(tmp_path, load_backbone(twin.folder), twin.names).notes[-1]
    model, batch = twin.loaded(tmp_path, "CAUSAL_LM"), twin.batch()
    for length, equal in ((3, True), (4, False)):
        batch.ids, batch.mask = twin.batch().ids[:, :length], twin.batch().mask[:, :length]
        assert close(*twin.outputs(model, "CAUSAL_LM", backbone, batch)) is equal
