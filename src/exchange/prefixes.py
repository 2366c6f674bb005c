"""Prefix tuning and p-tuning v2: both sides hold one table of keys and values.

    prompt_embeddings        p × (L · 2 · g · e): for each virtual token, layer by layer, its key
                             and its value

PEFT's file holds what the reparameterising MLP gave, never the MLP, so that a prefix comes back as
p-tuning v2. PEFT's keys lie in a cache and its text begins after them, at position p: that is
`position_offset` length here. Without that offset the text begins at 0, and a prefix can still be
exported where positions are rotary. Rotary attention depends on the distance of query and key
alone, so that keys rotated by p give a text that begins at p the same scores as unrotated keys
give a text that begins at 0: ⟨R(n) q, k⟩ = ⟨R(p + n) q, R(p) k⟩. Other positions have no such rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Memory
from ..errors import UserError
from ..methods.base import Method
from .folder import Tensors
from .names import PeftNames
from .parts import Exported, ReadAdapter, method_of
from .settings import Known, whole

KEY = "prompt_embeddings"
"""PEFT's name of the table."""
KNOWN = Known(
    read=frozenset(
        {"num_virtual_tokens", "num_layers", "num_attention_heads", "token_dim"},
    ),
    idle=frozenset({"encoder_hidden_size", "prefix_projection", "init_weights"}),
    only={"num_transformer_submodules": (None, 1)},
)


def export(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """Ours to PEFT's; see `Exporter`."""
    _require_cache(names)
    memory = backbone.memory()
    keys = _shifted_keys(memory, backbone)
    layers, length, heads, size = keys.shape
    table = torch.stack([keys, memory.values], 1).permute(2, 0, 1, 3, 4)
    hidden = method.hyperparameters().get("hidden") or None
    settings = {
        "peft_type": "PREFIX_TUNING",
        "num_virtual_tokens": length,
        "num_layers": layers,
        "num_attention_heads": heads,
        "token_dim": heads * size,
        "num_transformer_submodules": 1,
        "prefix_projection": hidden is not None,
        "encoder_hidden_size": hidden or heads * size,
    }
    without_mlp = "the file keeps keys and values, not the MLP that made them"
    rotated = f"keys are rotated by {length} positions: PEFT's text begins after the prefix"
    notes = ((without_mlp,) if hidden else ()) + ((rotated,) if memory.start == 0 else ())
    notes += _window(backbone.cfg, length)
    return Exported(settings, {KEY: table.reshape(length, -1)}, notes)


def _require_cache(names: PeftNames) -> None:
    """Refuse a family whose network takes no past keys and values."""
    if not names.family.caches:
        raise UserError(
            f"PEFT hands a prefix over as a cache, and transformers' {names.kind} reads none"
        )


def _window(cfg: BackboneConfig, length: int) -> tuple[str, ...]:
    """A note where attention has a window.

    Every token sees our prefix; PEFT's stands in the text's own cache, and a token sees it as long
    as its window still reaches that far back.
    """
    if cfg.window is None or not any(map(cfg.is_local, range(cfg.layers))):
        return ()
    most = max(0, cfg.window + 1 - length)
    return (f"equal for texts of at most {most} tokens: PEFT's prefix is out of reach of windows",)


def _shifted_keys(memory: Memory, backbone: Backbone) -> Float[Tensor, "layers p g e"]:
    """The keys as a text needs them that begins after the prefix, as PEFT's does."""
    length = memory.keys.shape[1]
    if memory.start == length:
        return memory.keys
    if backbone.cfg.positions != "rotary":
        raise UserError(
            f"this prefix leaves the text's positions at {memory.start}, PEFT's text begins at "
            f"{length} after it, and {backbone.cfg.positions} positions cannot be shifted: "
            "train it with position_offset=length to export it"
        )
    if length >= backbone.cfg.context:
        raise UserError(
            "PEFT's text begins after the prefix, so that `length < context` must hold, "
            f"but got (length={length}, context={backbone.cfg.context})"
        )
    by = torch.full((length,), length - memory.start, device=memory.keys.device)
    rotate = backbone.positions.apply_rotary
    return torch.stack([rotate(keys, keys, by)[1] for keys in memory.keys])


def import_(
    settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
) -> ReadAdapter:
    """PEFT's to ours; see `Importer`."""
    _require_cache(names)
    KNOWN.check(settings)
    length = whole(settings, "num_virtual_tokens")
    expected = {"num_layers": cfg.layers, "num_attention_heads": cfg.key_heads}
    expected["token_dim"] = cfg.key_heads * cfg.head_size
    for key, value in expected.items():
        if whole(settings, key) != value:
            raise UserError(
                f"the PEFT setting {key} is {settings[key]}, but this backbone asks for {value}"
            )
    shape = (length, cfg.layers, 2, cfg.key_heads, cfg.head_size)
    flat = tensors.read(KEY, (length, 2 * cfg.layers * cfg.key_heads * cfg.head_size))
    table = flat.view(shape).permute(2, 1, 0, 3, 4)
    method = method_of("p_tuning_v2", length=length, position_offset="length")
    notes = ("a table of keys and values: it is read as p_tuning_v2", *_window(cfg, length))
    return ReadAdapter(method, {"memory.table": table}, notes)
