"""What is wrong with a checkpoint is named in one sentence."""

import hashlib
import json
import re
import shutil
import struct
from pathlib import Path

import pytest
import torch
from gguf import GGUFWriter
from safetensors.torch import load_file, save_file
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.checkpoints.families import BERT_NAMES, FAMILIES, LLAMA_NAMES, source_name
from tunebench.errors import UserError

from tests import small, tiny
from tests.parity import families

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
        assert torch.equal(parameter, stored[source_name(name, BERT_NAMES)])
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
    wrong = r"'encoder.layer.0.intermediate.dense.weight' has shape \(48, 32\).*\(49, 32\)"
    with pytest.raises(UserError, match=wrong):
        load_backbone(folder)


def test_an_unknown_family_names_the_known_ones(folder):
    change(folder, model_type="bart")
    known = f"'bart'; did you mean 'bert'? (known: {', '.join(sorted(FAMILIES))})"
    with pytest.raises(UserError, match=re.escape(known)):
        load_backbone(folder)


def test_a_truncated_file_is_named(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    wanted = (
        r"model.safetensors is not a readable safetensors file: it is cut short in tensor '(.*)' of"
    )
    with pytest.raises(UserError, match=wanted) as error:
        load_backbone(folder)
    assert re.search(r"shape \(.*\): of its \d+ numbers \d+ are there", str(error.value))


@pytest.mark.parametrize("kept", [0, 4, 60])
def test_a_file_without_its_header_is_named(folder, kept):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"model.safetensors is not a readable safetensors file"):
        load_backbone(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_pointer_of_git_lfs_is_no_checkpoint(folder, tmp_path, name):
    (folder / name).write_text(POINTER)
    with pytest.raises(UserError, match=f"{name} is a pointer of Git LFS.*git lfs pull"):
        load_backbone(folder)
    (tmp_path / "model.gguf").write_text(POINTER)
    with pytest.raises(UserError, match=r"model.gguf is a pointer of Git LFS"):
        load_backbone(tmp_path / "model.gguf")


def sharded(folder):
    """Two shards and their index in the place of the single file."""
    stored = sorted(load_file(folder / "model.safetensors").items())
    (folder / "model.safetensors").unlink()
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    where = {}
    for name, rows in zip(names, (stored[:9], stored[9:]), strict=True):
        save_file(dict(rows), folder / name)
        where |= dict.fromkeys(dict(rows), name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return names


def test_an_index_says_which_files_are_read(folder):
    whole = load_backbone(folder)
    sharded(folder)
    (folder / "consolidated.safetensors").write_bytes(b"not among them")
    pairs = zip(load_backbone(folder).parameters(), whole.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_missing_shard_is_named(folder):
    (folder / sharded(folder)[1]).unlink()
    with pytest.raises(UserError, match=r"model-00002-of-00002.safetensors is missing, named in"):
        load_backbone(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_a_pickle_is_refused_with_the_reason(folder, name):
    (folder / "model.safetensors").rename(folder / name)
    for path in (folder, folder / name):
        with pytest.raises(UserError, match=rf"{name} is a pickle, which may run any code"):
            load_backbone(path)


def test_the_first_names_of_norms_are_read(folder):
    whole, stored = load_backbone(folder), load_file(folder / "model.safetensors")
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for new, older in old.items():
        stored = {key.replace(new, older): value for key, value in stored.items()}
    save_file(stored, folder / "model.safetensors")
    pairs = zip(load_backbone(folder).parameters(), whole.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_checkpoint_without_a_language_head_says_so(folder):
    with pytest.raises(UserError, match=r"has no language head: .*'cls.predictions.*is missing"):
        Checkpoint.open(folder).load_language_head(load_backbone(folder))


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
    assert Checkpoint.open(folder, 1).digest != Checkpoint.open(folder, 2).digest


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"backbone 'minlm'; did you mean 'minilm'"):
        load_backbone("minlm")
    with pytest.raises(UserError, match="no such folder or file"):
        load_backbone("./nowhere/minilm")


def test_a_single_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(UserError, match=r"model.bin is a pickle"):
        load_backbone(tmp_path / "model.bin")
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(UserError, match=r"only folders with safetensors and \.gguf files are read"):
        load_backbone(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {"rope_scaling": {"rope_type": "yarn", "factor": 8.0}}),
        ("llama", {"rope_scaling": {"type": "linear", "factor": 8.0, "beta_fast": 3}}),
        ("llama", {"rope_parameters": {"rope_theta": 5.0, "partial_rotary_factor": 0.5}}),
        ("llama", {"hidden_act": "gelu"}),
        ("llama", {"quantization_config": {"bits": 4}}),
        ("mistral", {"attention_bias": True}),
        ("mistral", {"layer_types": ["full_attention"]}),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
        ("gpt2", {"activation_function": "relu"}),
        ("gpt2", {"add_cross_attention": True}),
        ("distilbert", {"activation": "relu"}),
        ("bert", {"pruned_heads": {"0": [1]}}),
        ("modernbert", {"hidden_activation": "silu"}),
        ("modernbert", {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}),
        ("modernbert", {"layer_types": ["chunked_attention"]}),
    ],
    ids=str,
)
def test_a_setting_that_would_change_the_network_is_refused_rather_than_ignored(family, settings):
    numbers = {
        "num_attention_heads": 4,
        "hidden_size": 32,
        "vocab_size": 50,
        "num_hidden_layers": 1,
        "max_position_embeddings": 64,
        "intermediate_size": 48,
        "rms_norm_eps": 1e-5,
        **{"n_embd": 32, "n_head": 4, "n_layer": 1, "n_positions": 64, "layer_norm_epsilon": 1e-5},
        **{"type_vocab_size": 2, "layer_norm_eps": 1e-5},
        **{"dim": 32, "n_heads": 4, "n_layers": 1, "hidden_dim": 48},
    }
    with pytest.raises(UserError, match=r"is not supported \((only|known)"):
        FAMILIES[family].configure(numbers | settings)


def test_every_weight_has_a_name_in_its_family():
    for cfg, names in ((tiny.ENCODER, BERT_NAMES), (tiny.DECODER, LLAMA_NAMES)):
        names_in_file = [source_name(n, names) for n, _ in tiny.backbone(cfg).named_parameters()]
        assert len(set(names_in_file)) == len(names_in_file)


def test_a_gguf_file_of_another_architecture_names_the_known_ones(tmp_path):
    path = tmp_path / "other.gguf"
    writer = GGUFWriter(path, "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match=r"other.gguf: 'mamba'.* \(known: bert, gpt2, llama, qwen2"):
        load_backbone(path)


@pytest.mark.parametrize(
    "content", [b"", b"GGUF", b"GGUF" + struct.pack("<IQQ", 3, 5, 5)], ids=["empty", "mark", "head"]
)
def test_a_broken_gguf_file_is_the_users_error(tmp_path, content):
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"broken.gguf is not a readable GGUF file"):
        load_backbone(path)


def test_a_whole_file_goes_before_the_index_of_an_earlier_one(folder):
    """As transformers reads a folder into which a model was saved in shards, then whole."""
    stored = load_file(folder / "model.safetensors")
    sharded(folder)
    save_file({key: value + 1.0 for key, value in stored.items()}, folder / "model.safetensors")
    backbone = load_backbone(folder)
    wanted = stored["embeddings.word_embeddings.weight"] + 1.0
    assert torch.equal(backbone.embedding.weight, wanted)
    whole = hashlib.sha256((folder / "model.safetensors").read_bytes()).digest()
    digest = hashlib.sha256(b"layers=None" + whole).hexdigest()
    assert Checkpoint.open(folder).digest == digest


@pytest.mark.parametrize("number", [1, 2])
def test_a_missing_part_is_named_without_an_index_too(folder, number):
    """Else a head in the missing part would count as absent."""
    names = sharded(folder)
    (folder / "model.safetensors.index.json").unlink()
    (folder / names[number - 1]).unlink()
    with pytest.raises(UserError, match=rf"model-0000{number}-of-00002.safetensors is missing"):
        load_backbone(folder)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/a.safetensors", "model.bin"])
def test_an_index_names_files_beside_it_alone(folder, name):
    (folder / "model.safetensors").unlink()
    where = {"weight_map": {"a": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(where))
    with pytest.raises(UserError, match=r"must name .safetensors files beside it: '"):
        load_backbone(folder)


def test_a_tensor_that_is_in_two_files_is_refused(folder):
    stored = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_file(stored, folder / "a.safetensors")
    save_file({"embeddings.LayerNorm.bias": torch.ones(32)}, folder / "b.safetensors")
    with pytest.raises(UserError, match=r"LayerNorm.bias' is in two files, a.saf.* and b.saf"):
        load_backbone(folder)


def test_a_prefix_that_is_not_read_is_named(folder):
    stored = load_file(folder / "model.safetensors")
    save_file({f"module.{k}": v for k, v in stored.items()}, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"is missing \(there is 'module.embeddings.*prefix"):
        load_backbone(folder)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "default", "factor": 1.0},
        {"rope_type": "default", "original_max_position_embeddings": 64},
        {"rope_type": "linear", "factor": 2.0, "original_max_position_embeddings": 16},
        {"rope_type": "linear", "factor": 2.0, "attention_factor": None},
        {"rope_type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 16},
    ],
    ids=str,
)
def test_a_rope_setting_that_changes_nothing_is_passed_over(rope, tmp_path):
    model = families.saved("llama, plain", tmp_path)
    change(tmp_path, rope_parameters=None, rope_scaling=rope, rope_theta=500.0)
    ids = torch.randint(0, families.WORDS, (2, 31))
    with torch.no_grad():
        wanted = type(model).from_pretrained(tmp_path).model.eval()(ids).last_hidden_state
        assert torch.allclose(load_backbone(tmp_path)(ids), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("rope", "key"),
    [
        ({"rope_type": "default", "factor": 4.0}, "factor=4.0"),
        ({"rope_type": "linear", "factor": 2.0, "attention_factor": 0.5}, "attention_factor=0.5"),
        ({"rope_type": "linear", "factor": 2.0, "mscale": 1}, "mscale=1"),
        ({"rope_type": "yarn", "factor": 2.0}, "rope_type='yarn'"),
    ],
)
def test_a_rope_setting_that_is_not_read_is_named(rope, key, tmp_path):
    families.saved("llama, plain", tmp_path)
    change(tmp_path, rope_parameters=None, rope_scaling=rope)
    with pytest.raises(UserError, match=rf"config.json: .*{key} is not supported \(known: "):
        load_backbone(tmp_path)
