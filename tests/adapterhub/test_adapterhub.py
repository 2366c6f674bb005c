"""What is exported, stock `adapters` loads and it says what ours says; and what it made, ours."""

import random

import pytest
import torch

pytest.importorskip("adapters", reason="AdapterHub's adapters have a .venv: make test-adapters")

import adapters
from safetensors.torch import load_file
from tunebench.exchange.adapterhub import export_adapters, import_adapters
from tunebench.exchange.bottlenecks import factor
from tunebench.exchange.heads import Head
from tunebench.exchange.importing import import_folder
from tunebench.methods import get_method

from tests.adapterhub.pairs import DECODERS, ENCODERS, Pair
from tests.near import close

SETTINGS = {
    "houlsby": {"place": "houlsby", "bottleneck": 5},
    "houlsby, gelu": {"place": "houlsby", "bottleneck": 24, "activation": "gelu"},
    "pfeiffer": {"place": "pfeiffer", "bottleneck": 8, "activation": "relu"},
    "pfeiffer, tanh": {"place": "pfeiffer", "bottleneck": 7, "activation": "tanh"},
    "parallel": {"place": "parallel", "bottleneck": 12, "scale": 2.5, "activation": "relu"},
}
CONFIGS = {
    "houlsby": adapters.DoubleSeqBnConfig(reduction_factor=3),
    "houlsby, by layer": adapters.DoubleSeqBnConfig(reduction_factor={"0": 5, "default": 5.9}),
    "pfeiffer": adapters.SeqBnConfig(reduction_factor=7, non_linearity="gelu", dropout=0.2),
    "parallel": adapters.ParBnConfig(reduction_factor=2, scaling=3.0),
}
ACTIVATIONS = {"swish": "silu", "silu": "silu", "relu": "relu", "gelu": "gelu", "tanh": "tanh"}


def every(cases):
    """Each family with each case but the parallel adapter, which on decoders is another."""
    return [
        pytest.param(kind, case, id=f"{kind}-{case}")
        for kind in (*ENCODERS, *DECODERS)
        for case in cases
        if case != "parallel" or kind in ENCODERS
    ]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return {k: Pair(k, tmp_path_factory.mktemp("pair")) for k in (*ENCODERS, *DECODERS)}


@pytest.fixture
def pair(pairs, kind):
    return pairs[kind]


@pytest.mark.parametrize(("kind", "case"), every(SETTINGS))
def test_stock_adapters_gives_our_output(pair, case, tmp_path):
    method, backbone = pair.attached(**SETTINGS[case])
    export_adapters(tmp_path, method, backbone, pair.names)
    assert close(*pair.states(pair.loaded(tmp_path), backbone, pair.batch()))
    untuned = pair.states(pair.peer(), backbone, pair.batch())
    assert not close(*untuned, share=1e-2), "the adapter does something"


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_padding_may_stand_on_the_left(pair, tmp_path):
    method, backbone = pair.attached()
    export_adapters(tmp_path, method, backbone, pair.names)
    assert close(*pair.states(pair.loaded(tmp_path), backbone, pair.batch("left")))


@pytest.mark.parametrize(("kind", "case"), every(CONFIGS))
def test_an_adapter_of_adapters_says_the_same_here(pair, case, tmp_path):
    model, backbone = pair.made(CONFIGS[case], tmp_path), pair.ours()
    imported = import_folder(tmp_path, backbone, pair.names)
    assert (imported.method.name, imported.head, imported.notes) == ("adapter", None, ())
    assert close(*pair.states(model, backbone, pair.batch()))


@pytest.mark.parametrize("kind", ["bert", "llama, one key head"])
def test_a_model_of_transformers_that_was_prepared_does_as_well(pair, tmp_path):
    from transformers import AutoModel

    method, backbone = pair.attached()
    export_adapters(tmp_path / "out", method, backbone, pair.names)
    model = AutoModel.from_pretrained(pair.folder).eval()
    adapters.init(model)
    model.load_adapter(str(tmp_path / "out"), use_safetensors=True, set_active=True)
    assert close(*pair.states(model, backbone, pair.batch()))
    model.save_adapter(str(tmp_path / "back"), "tunebench", use_safetensors=True)
    again = pair.ours()
    imported = import_adapters(tmp_path / "back", again, pair.names)
    assert imported.method.hyperparameters() == method.hyperparameters()
    batch = pair.batch()
    assert torch.equal(again(batch.ids, batch.mask), backbone(batch.ids, batch.mask))


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_a_head_on_the_family_s_own_token_goes_and_comes(pair, tmp_path):
    method, backbone = pair.attached()
    head = Head(torch.randn(3, backbone.cfg.width), torch.randn(3), pair.pooling)
    export_adapters(tmp_path, method, backbone, pair.names, head=head)
    model = pair.loaded(tmp_path)
    assert close(*pair.classes(model, backbone, head, pair.batch()))
    read_back = import_adapters(tmp_path, pair.ours(), pair.names).head
    assert read_back.pooling == head.pooling
    assert torch.equal(read_back.weight, head.weight)
    assert torch.equal(read_back.bias, head.bias)


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_a_head_of_one_layer_comes_along(pair, tmp_path):
    model = pair.made(CONFIGS["pfeiffer"], tmp_path, num_labels=4, layers=1)
    backbone = pair.ours()
    head = import_adapters(tmp_path, backbone, pair.names).head
    assert close(*pair.classes(model, backbone, head, pair.batch()))


@pytest.mark.parametrize("kind", ["bert"])
@pytest.mark.parametrize("more", [{"layers": 2}, {"layers": 1, "use_pooler": True}], ids=str)
def test_another_head_is_left_out_and_that_is_said(pair, more, tmp_path):
    pair.made(CONFIGS["pfeiffer"], tmp_path, num_labels=2, **more)
    imported = import_adapters(tmp_path, pair.ours(), pair.names)
    assert imported.head is None
    assert "more than a linear map of a token" in imported.notes[-1]


@pytest.mark.parametrize("kind", ["bert"])
def test_a_head_that_reads_the_mean_stands_beside(pair, tmp_path):
    method, backbone = pair.attached()
    head = Head(torch.randn(2, backbone.cfg.width), torch.randn(2), "mean")
    notes = export_adapters(tmp_path, method, backbone, pair.names, head=head)
    assert "read the first token of this family, this one the mean of all" in notes[-1]
    assert close(*pair.states(pair.loaded(tmp_path), backbone, pair.batch()))


@pytest.mark.parametrize("kind", ["bert", "distilbert", "llama, one key head", "gpt2"])
@pytest.mark.parametrize("seed", range(20))
def test_trainable_counts_are_those_of_adapters(pair, kind, seed, tmp_path):
    draw = random.Random(f"{kind}{seed}")
    config, settings = drawn(draw, pair.ours().cfg, kind in ENCODERS)
    model, cfg = pair.made(config, tmp_path), pair.ours().cfg
    counted = sum(p.numel() for p in model.base_model.parameters() if p.requires_grad)
    (summary,) = (row for row in model.adapter_summary(as_dict=True) if row["name"] == "own")
    assert get_method("adapter")(**settings).trainable(cfg) == counted == summary["#param"]
    file = load_file(tmp_path / "adapter.safetensors")
    assert sum(tensor.numel() for tensor in file.values()) == counted
    imported = import_adapters(tmp_path, pair.ours(), pair.names).method
    assert imported.hyperparameters() == get_method("adapter")(**settings).hyperparameters()


def drawn(draw, cfg, parallel):
    """A configuration of peer, and the settings of ours that are the same."""
    kinds = {"houlsby": adapters.DoubleSeqBnConfig, "pfeiffer": adapters.SeqBnConfig}
    kinds |= {"parallel": adapters.ParBnConfig} if parallel else {}
    place, activation = draw.choice(sorted(kinds)), draw.choice(sorted(ACTIVATIONS))
    settings = {"place": place, "activation": ACTIVATIONS[activation], "train_norms": False}
    options = {"non_linearity": activation}
    if draw.random() < 0.5:
        settings["bottleneck"] = draw.randint(1, cfg.width)
        options["reduction_factor"] = factor(cfg.width, settings["bottleneck"])
    else:
        options["reduction_factor"] = draw.choice([1, 1.7, 2, 3, 5, 16, 24, 100])
        settings["bottleneck"] = max(1, int(cfg.width // options["reduction_factor"]))
    if place == "parallel":
        settings["scale"] = options["scaling"] = draw.choice([0.5, 1.0, 4.0])
    return kinds[place](**options), settings
