"""Files of a PEFT folder that are not sound, or not its own, are refused."""

import re

import pytest
import torch
from tunebench.exchange.peft import export_peft

from tests.checkpoints.test_folder import POINTER
from tests.exchange.test_importing import refused, shaped

KEY = "base_model.model.encoder.layer.1.attention.self.value.lora_B.weight"


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


@pytest.mark.parametrize("name", ["lora", "ia3", "prompt"])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "other."])
def test_a_prefix_of_the_names_is_in_the_message(twins, name, prefix, tmp_path):
    method, backbone = twins["bert"].attached(name)
    export_peft(tmp_path, method, backbone, twins["bert"].names)
    renamed = {}

    def rename(tensors):
        renamed.update({f"{prefix}{key}": tensors.pop(key) for key in list(tensors)})
        tensors.update(renamed)

    shaped(tmp_path, rename)
    refused(twins, tmp_path, rf"'{re.escape(prefix)}")
    if name == "lora":
        advice = {"module.": "DistributedDataParallel", "_orig_mod.": "torch.compile"}
        refused(twins, tmp_path, f"{advice.get(prefix, 'names begin')}.*|names begin")
        if prefix in advice:
            refused(twins, tmp_path, f"{advice[prefix]} does that: save the module inside it")
        expected = re.escape("not with 'base_model.model.' or 'base_model.model.bert.'")
        refused(twins, tmp_path, expected)


def test_names_that_are_wholly_others_are_shown(twins, folder):
    shaped(folder, lambda t: [t.update({f"{k}.default": t.pop(k)}) for k in list(t)])
    refused(twins, folder, r"first tensor is 'base_model.*lora_A\.weight\.default'")
