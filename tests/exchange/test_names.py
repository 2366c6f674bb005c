"""Which of transformers' families a GGUF file is, by what the file says of itself."""

import json

import pytest
from gguf import GGUFWriter
from safetensors.torch import load_file
from tunebench.__main__ import main
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.errors import UserError
from tunebench.exchange.names import peft_names
from tunebench.exchange.ours import save_adapter
from tunebench.exchange.peft import export_peft
from tunebench.methods import get_method

from tests.parity.families import make
from tests.parity.test_gguf import CASES, write


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each case, and the model that it holds."""
    folder = tmp_path_factory.mktemp("gguf")
    made = {}
    for number, (case, (kind, settings)) in enumerate(CASES.items()):
        made[case] = make(kind, settings), folder / f"{number}.gguf"
        write(*made[case])
    return made


@pytest.mark.parametrize("case", CASES)
def test_a_file_s_family_is_the_one_it_was_made_of(files, case):
    model, path = files[case]
    checkpoint = Checkpoint.open(path)
    names, sites = peft_names(checkpoint), checkpoint.config.sites
    assert names.kind == model.config.model_type
    known = dict(model.named_modules())
    for site in sites if case != "gpt2" else ("attn.o", "mlp.up", "mlp.down"):
        for _, peer in names.modules(site, names.root("CAUSAL_LM")):
            assert peer.removeprefix("base_model.model.") in known


def test_a_roberta_is_told_from_a_bert_by_its_tokenizer(tmp_path):
    for tokens, kind in (("bert", "bert"), ("gpt2", "roberta")):
        writer = GGUFWriter(tmp_path / f"{kind}.gguf", "bert")
        writer.add_tokenizer_model(tokens)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        assert Checkpoint.open(tmp_path / f"{kind}.gguf").model_type == kind


def test_an_adapter_of_a_bert_file_goes_out_under_bert_s_names(files, tmp_path):
    _, path = files["bert"]
    backbone, method = load_backbone(path), get_method("lora")(rank=2)
    method.attach(backbone)
    save_adapter(tmp_path / "own.safetensors", method, backbone, None)
    argv = ["export", str(tmp_path / "own.safetensors"), "--backbone", str(path)]
    assert main([*argv, "--out-dir", str(tmp_path / "peft")]) == 0
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    assert config["target_modules"] == ["query", "value"]
    tensors = load_file(tmp_path / "peft" / "adapter_model.safetensors")
    assert "base_model.model.encoder.layer.0.attention.self.query.lora_A.weight" in tensors


def test_a_fused_map_is_refused_from_a_file_too(files, tmp_path):
    _, path = files["gpt2"]
    backbone, method = load_backbone(path), get_method("lora")(rank=2)
    method.attach(backbone)
    names = peft_names(Checkpoint.open(path))
    with pytest.raises(UserError, match=r"'attn.q' is a part of one fused map in .* gpt2"):
        export_peft(tmp_path, method, backbone, names)
