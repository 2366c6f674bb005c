"""What is exported, stock PEFT loads on transformers' model, and it says what ours says."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tunebench.errors import UserError
from tunebench.exchange.heads import Head
from tunebench.exchange.peft import export_peft, import_peft

from tests.near import close

EVERYWHERE = ("attn.q", "attn.k", "attn.v", "attn.o", "mlp.up", "mlp.down")
METHODS = {
    "lora": ("lora", {"rank": 4, "alpha": 6.0}),
    "lora at every map": ("lora", {"rank": 3, "alpha": 5.5, "sites": EVERYWHERE}),
    "rank-stabilised": ("lora", {"rank": 4, "rank_stabilised": True}),
    "dora": ("lora", {"rank": 4, "dora": True, "sites": ("attn.o", "mlp.down")}),
    "ia3": ("ia3", {}),
    "prefix": ("prefix", {"length": 5, "hidden": 7, "position_offset": "length"}),
    "p_tuning_v2": ("p_tuning_v2", {"length": 5, "position_offset": "length"}),
    "prompt": ("prompt", {"length": 4}),
    "p_tuning": ("p_tuning", {"length": 4, "hidden": 6}),
    "p_tuning lstm": ("p_tuning", {"length": 4, "hidden": 6, "encoder": "lstm"}),
}
TASKS = {
    "bert": ("FEATURE_EXTRACTION",),
    "llama": ("FEATURE_EXTRACTION", "CAUSAL_LM"),
    "wide heads": ("CAUSAL_LM",),
}
EVERY = [
    pytest.param(kind, task, case, side, id=f"{kind}-{task}-{case}-{side}", marks=marks)
    for kind, tasks in TASKS.items()
    for task in tasks
    for case in METHODS
    for side in ("right", "left")
    for fast in [side == "right" and (kind, task) in (("bert", tasks[0]), ("llama", "CAUSAL_LM"))]
    for marks in [() if fast else pytest.mark.slow]
]


@pytest.mark.parametrize(("kind", "task", "case", "side"), EVERY)
def test_stock_peft_gives_our_output(twin, task, case, side, tmp_path):
    name, settings = METHODS[case]
    method, backbone = twin.attached(name, **settings)
    written = export_peft(tmp_path, method, backbone, twin.names, task=task)
    assert written[0] == task
    model = twin.loaded(tmp_path, task)
    assert close(*twin.outputs(model, task, backbone, twin.batch(side)))
    untuned = twin.outputs(model, task, twin.ours(), twin.batch(side))
    assert not close(*untuned, share=1e-2), "the adapter does something"


@pytest.mark.parametrize("kind", ["llama", "wide heads"])
@pytest.mark.parametrize("name", ["prefix", "p_tuning_v2"])
def test_a_prefix_that_moves_no_position_is_turned_on_rotary_positions(twin, name, tmp_path):
    method, backbone = twin.attached(name, length=5, position_offset="none")
    export_peft(tmp_path, method, backbone, twin.names)
    model = twin.loaded(tmp_path, "CAUSAL_LM")
    assert close(*twin.outputs(model, "CAUSAL_LM", backbone, twin.batch()))


@pytest.mark.parametrize("kind", ["bert"])
@pytest.mark.parametrize("name", ["prefix", "p_tuning_v2"])
def test_a_prefix_that_moves_no_position_is_refused_on_learned_positions(twin, name, tmp_path):
    method, backbone = twin.attached(name, length=5, position_offset="none")
    with pytest.raises(UserError, match=r"learned positions cannot be shifted.*position_offset"):
        export_peft(tmp_path / "out", method, backbone, twin.names)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["llama"])
def test_a_prefix_that_fills_the_context_leaves_no_text_behind_it(twin, tmp_path):
    length = twin.config.max_position_embeddings
    method, backbone = twin.attached("p_tuning_v2", length=length, position_offset="none")
    with pytest.raises(UserError, match=rf"`length < context` must hold.*length={length}"):
        export_peft(tmp_path, method, backbone, twin.names)


HEADED = {
    "lora": ("lora", {"rank": 4}),
    "dora": ("lora", {"rank": 4, "dora": True}),
    "ia3": ("ia3", {}),
    "prefix": ("prefix", {"length": 5, "hidden": 7, "position_offset": "length"}),
    "p_tuning_v2": ("p_tuning_v2", {"length": 5, "position_offset": "length"}),
}


@pytest.mark.parametrize("case", HEADED)
@pytest.mark.parametrize(("kind", "pooling"), [("bert", "first"), ("llama", "last")])
def test_a_head_travels_where_the_two_are_one_function(twin, pooling, case, tmp_path):
    name, settings = HEADED[case]
    method, backbone = twin.attached(name, **settings)
    bias = torch.zeros(3) if pooling == "last" else torch.tensor([0.5, -0.2, 0.1])
    head = Head(torch.randn(3, backbone.cfg.width), bias, pooling)
    assert export_peft(tmp_path, method, backbone, twin.names, head=head)[0] == "SEQ_CLS"
    model = twin.loaded(tmp_path, "SEQ_CLS", classes=3)
    assert close(*twin.classes(model, backbone, head, twin.batch()))


@pytest.mark.parametrize(
    ("kind", "pooling", "bias", "why"),
    [
        ("bert", "mean", 0.0, "reads the first token, this one the mean"),
        ("bert", "last", 0.0, "reads the first token, this one the last"),
        ("llama", "mean", 0.0, "reads the last token, this one the mean"),
        ("llama", "last", 0.1, "has no bias"),
    ],
)
def test_another_head_stands_beside_with_the_reason(twin, pooling, bias, why, tmp_path):
    method, backbone = twin.attached("lora")
    head = Head(torch.randn(3, backbone.cfg.width), torch.full((3,), bias), pooling)
    task, note = export_peft(tmp_path, method, backbone, twin.names, head=head)
    assert task == "FEATURE_EXTRACTION"
    assert why in note
    assert "tunebench_head.safetensors" in note
    model = twin.loaded(tmp_path, task)
    assert close(*twin.outputs(model, task, backbone, twin.batch()))
    with pytest.raises(UserError, match=why):
        export_peft(tmp_path, method, backbone, twin.names, head=head, task="SEQ_CLS")


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize(
    ("task", "why"), [("TOKEN_CLS", "each token"), ("QUESTION_ANS", "places in a text")]
)
def test_a_head_for_something_else_than_a_text_is_left_out(twin, kind, task, why, tmp_path):
    method, backbone = twin.attached("lora")
    head = Head(
        torch.randn(3, backbone.cfg.width), torch.zeros(3), "first" if kind == "bert" else "last"
    )
    export_peft(tmp_path, method, backbone, twin.names, head=head)
    file, weights = tmp_path / "adapter_config.json", tmp_path / "adapter_model.safetensors"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"task_type": task}))
    # Transformers' models for these tasks have no pooler.
    tensors = {key: value for key, value in load_file(weights).items() if "pooler" not in key}
    save_file(tensors, weights)
    imported = import_peft(tmp_path, twin.ours(), twin.names)
    assert imported.head is None
    assert f"its head answers for {why}, not for a text: it is left out" in imported.notes


@pytest.mark.parametrize("kind", ["llama"])
@pytest.mark.parametrize("name", ["prompt", "p_tuning"])
def test_a_head_behind_a_prompt_stands_beside(twin, name, tmp_path):
    method, backbone = twin.attached(name)
    head = Head(torch.randn(3, backbone.cfg.width), torch.zeros(3), "last")
    note = export_peft(tmp_path, method, backbone, twin.names, head=head)[-1]
    assert f"after {name} PEFT's head reads another token" in note
    assert torch.equal(import_peft(tmp_path, twin.ours(), twin.names).head.weight, head.weight)


@pytest.mark.parametrize("kind", ["bert"])
def test_what_peft_has_no_equal_of_is_refused(twin, tmp_path):
    method, backbone = twin.attached("adapter")
    with pytest.raises(UserError, match="no equal of 'adapter'"):
        export_peft(tmp_path, method, backbone, twin.names)
    method, backbone = twin.attached("lora")
    with pytest.raises(UserError, match="CAUSAL_LM needs a causal backbone"):
        export_peft(tmp_path, method, backbone, twin.names, task="CAUSAL_LM")
    with pytest.raises(UserError, match="did you mean 'seq_cls'"):
        export_peft(tmp_path, method, backbone, twin.names, task="SEQCLS")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["bert"])
def test_target_modules_are_short_where_that_is_clear(twin, tmp_path):
    method, backbone = twin.attached("lora", sites=("attn.q", "attn.o", "mlp.down"))
    export_peft(tmp_path, method, backbone, twin.names)
    targets = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    down = [f"encoder.layer.{layer}.output.dense" for layer in range(backbone.cfg.layers)]
    assert targets == ["query", "attention.output.dense", *down]


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("name", ["lora", "ia3", "prompt", "p_tuning_v2"])
def test_what_was_folded_away_is_not_exported(twin, kind, name, tmp_path):
    settings = {"length": 4, "position_offset": "length"} if name == "p_tuning_v2" else {}
    method, backbone = twin.attached(name, **settings)
    task, batch = "FEATURE_EXTRACTION", twin.batch()
    live = twin.outputs(twin.peer(task), task, backbone, batch)[1]
    method.fold(backbone)
    if name == "p_tuning_v2" or (name, kind) == ("prompt", "bert"):
        export_peft(tmp_path, method, backbone, twin.names, task=task)
        exported, folded = twin.outputs(twin.loaded(tmp_path, task), task, backbone, batch)
        assert close(exported, live)
        assert close(folded, live)
        return
    with pytest.raises(UserError, match=f"'{name}' was folded: nothing of it is left to export"):
        export_peft(tmp_path, method, backbone, twin.names)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["bert"])
def test_a_method_of_another_backbone_is_not_exported(twin, tmp_path):
    method, _ = twin.attached("lora")
    with pytest.raises(UserError, match="cannot export 'lora': it is not attached to this"):
        export_peft(tmp_path, method, twin.ours(), twin.names)
