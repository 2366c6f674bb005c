"""What is wrong with a checkpoint is told in one sentence that names it."""

import json
import shutil
import struct
from pathlib import Path

import pytest
import torch
from gguf import GGUFWriter
from safetensors.torch import load_file, save_file
from tunebench.backbone.checkpoints import BERT_NAMES, LLAMA_NAMES, llama_config, theirs
from tunebench.backbone.load import digest, load_backbone
from tunebench.errors import UserError

from tests import small, tiny

POINTER = """version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 12345
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("whole") / "bert")


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "bert"))


def change(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_folder_gives_back_the_weights_that_were_written(folder):
    backbone = load_backbone(folder)
    stored = load_file(folder / "model.safetensors")
    names = dict(backbone.named_parameters())
    assert len(stored) == len(names)
    for name, parameter in names.items():
        assert torch.equal(parameter, stored[theirs(name, BERT_NAMES)])
    assert not backbone.training


def test_half_precision_weights_are_read_as_fp32(folder):
    stored = load_file(folder / "model.safetensors")
    save_file({k: v.to(torch.bfloat16) for k, v in stored.items()}, folder / "model.safetensors")
    assert {p.dtype for p in load_backbone(folder).parameters()} == {torch.float32}


@pytest.mark.parametrize("prefix", ["bert.", "model.", ""])
def test_a_prefix_before_the_names_is_no_matter(folder, prefix):
    stored = load_file(folder / "model.safetensors")
    save_file({prefix + k: v for k, v in stored.items()}, folder / "model.safetensors")
    assert load_backbone(folder).cfg.layers == 2


def test_weights_may_lie_in_several_files(folder):
    stored = sorted(load_file(folder / "model.safetensors").items())
    whole = load_backbone(folder)
    (folder / "model.safetensors").unlink()
    save_file(dict(stored[:9]), folder / "model-00001-of-00002.safetensors")
    save_file(dict(stored[9:]), folder / "model-00002-of-00002.safetensors")
    pairs = zip(load_backbone(folder).parameters(), whole.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_missing_tensor_is_named(folder):
    stored = load_file(folder / "model.safetensors")
    del stored["encoder.layer.1.output.dense.bias"]
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"tensor 'encoder.layer.1.output.dense.bias' is missing"):
        load_backbone(folder)
    assert load_backbone(folder, layers=1).cfg.layers == 1


def test_a_wrong_shape_is_told_with_both_shapes(folder):
    change(folder, intermediate_size=49)
    with pytest.raises(UserError, match=r"'blocks.0.mlp.up.weight' has shape \(48, 32\).*\(49, 32"):
        load_backbone(folder)


def test_an_unknown_family_names_the_known_ones(folder):
    change(folder, model_type="bart")
    with pytest.raises(UserError, match=r"'bart'; did you mean 'bert'\? \(known: bert, llama\)"):
        load_backbone(folder)


def test_a_truncated_file_is_named(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model.safetensors is not a readable safetensors file"):
        load_backbone(folder)


def test_a_pointer_of_git_lfs_is_no_checkpoint(folder, tmp_path):
    (folder / "model.safetensors").write_text(POINTER)
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_backbone(folder)
    (tmp_path / "model.gguf").write_text(POINTER)
    with pytest.raises(UserError, match="not a readable GGUF file"):
        load_backbone(tmp_path / "model.gguf")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    wanted = name if name == "config.json" else "a .safetensors file"
    with pytest.raises(UserError, match=f"{wanted} is missing"):
        load_backbone(folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model_type": "bert"}'])
def test_a_config_that_says_nothing_is_the_users_error(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config\.json|model_type"):
        load_backbone(folder)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("hidden_act", "relu"), ("position_embedding_type", "relative_key"), ("is_decoder", True)],
)
def test_what_our_network_does_not_have_is_refused(folder, setting, value):
    change(folder, **{setting: value})
    with pytest.raises(UserError, match=rf"config.json: {setting}={value!r} is not supported"):
        load_backbone(folder)


@pytest.mark.parametrize("layers", [0, 3, -1])
def test_layers_out_of_range_are_told_with_the_range(folder, layers):
    with pytest.raises(UserError, match=rf"1 <= backbone.layers <= 2` .* but got {layers}"):
        load_backbone(folder, layers=layers)


def test_fewer_layers_are_the_first_ones(folder):
    one, two = load_backbone(folder, layers=1), load_backbone(folder)
    kept = dict(two.named_parameters())
    assert len(one.blocks) == 1
    assert all(torch.equal(p, kept[name]) for name, p in one.named_parameters())
    assert digest(folder, 1) != digest(folder, 2)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"backbone 'minlm'; did you mean 'minilm'"):
        load_backbone("minlm")
    with pytest.raises(UserError, match="no such folder or file"):
        load_backbone("./nowhere/minilm")


def test_a_single_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(UserError, match=r"only folders with safetensors and \.gguf files are read"):
        load_backbone(tmp_path / "model.bin")


def test_rope_scaling_is_refused_rather_than_ignored():
    raw = {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}
    with pytest.raises(UserError, match=r"rope scaling .* is not supported"):
        llama_config(raw)


def test_every_weight_has_a_name_in_its_family():
    for cfg, names in ((tiny.ENCODER, BERT_NAMES), (tiny.DECODER, LLAMA_NAMES)):
        found = [theirs(n, names) for n, _ in tiny.backbone(cfg).named_parameters()]
        assert len(set(found)) == len(found)


def test_a_gguf_file_of_another_architecture_names_the_known_one(tmp_path):
    path = tmp_path / "other.gguf"
    writer = GGUFWriter(path, "gpt2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match=r"architecture in .*other.gguf: 'gpt2' \(known: llama\)"):
        load_backbone(path)


@pytest.mark.parametrize(
    "content", [b"", b"GGUF", b"GGUF" + struct.pack("<IQQ", 3, 5, 5)], ids=["empty", "mark", "head"]
)
def test_a_broken_gguf_file_is_the_users_error(tmp_path, content):
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"broken.gguf is not a readable GGUF file"):
        load_backbone(path)
