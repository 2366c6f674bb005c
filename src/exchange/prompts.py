"""Prompt tuning and p-tuning: one table of virtual tokens before the text on both sides.

    prompt_embeddings        p × d

PEFT's files hold what a prompt encoder gave, never the encoder, so that p-tuning comes back as a
prompt: the same vectors, and what trains on is the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.layout import Layout
from ..backbone.model import Backbone
from ..errors import UserError
from ..methods.base import Method
from .folder import Tensors
from .names import PeftNames
from .parts import Exported, ReadAdapter, made
from .settings import Known, whole

KEY = "prompt_embeddings"
SHARED = frozenset({"num_virtual_tokens", "token_dim"})
IDLE = frozenset({"num_attention_heads", "num_layers"})
STARTS = {"prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_kwargs"}
ENCODERS = {"encoder_reparameterization_type", "encoder_hidden_size", "encoder_num_layers"}
ONE = {"num_transformer_submodules": (None, 1)}
PROMPT = Known(SHARED, IDLE | STARTS | {"tokenizer_name_or_path"}, ONE)
ENCODED = Known(SHARED, IDLE | ENCODERS | {"encoder_dropout"}, ONE)


def export(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """Prompt tuning → PEFT's; see `Exporter`."""
    settings = {"peft_type": "PROMPT_TUNING", "prompt_tuning_init": "RANDOM"}
    return _exported(settings, backbone)


def export_encoded(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """P-tuning → PEFT's; see `Exporter`."""
    hyperparameters = method.hyperparameters()
    settings = {
        "peft_type": "P_TUNING",
        "encoder_reparameterization_type": str(hyperparameters["encoder"]).upper(),
        "encoder_hidden_size": hyperparameters["hidden"],
        "encoder_num_layers": 2,
        "encoder_dropout": 0.0,
    }
    return _exported(
        settings, backbone, ("the file keeps the prompt, not the encoder that made it",)
    )


def _exported(
    settings: Mapping[str, Any], backbone: Backbone, notes: tuple[str, ...] = ()
) -> Exported:
    cfg, table = backbone.cfg, _virtual_tokens(backbone)
    shape = {
        "num_virtual_tokens": len(table),
        "token_dim": cfg.width,
        "num_layers": cfg.layers,
        "num_attention_heads": cfg.heads,
        "num_transformer_submodules": 1,
    }
    return Exported({**settings, **shape}, {KEY: table}, notes)


def _virtual_tokens(backbone: Backbone) -> Float[Tensor, "p d"]:
    """What the prompt port puts before a text, whatever computes it."""
    token = torch.zeros(1, backbone.cfg.width, device=backbone.embedding.weight.device)
    with torch.no_grad():
        joined, _, places = backbone.prompt(token, Layout.from_lengths([1], token.device))
    if places is None or places.tolist() != [len(joined) - 1]:
        raise UserError("only a prompt that comes before the text has a place in a PEFT file")
    table: Tensor = joined[:-1]
    return table


def import_(
    settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
) -> ReadAdapter:
    """Prompt tuning, PEFT's → ours; see `Importer`."""
    PROMPT.check(settings)
    return _read(settings, tensors, cfg)


def import_encoded(
    settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
) -> ReadAdapter:
    """P-tuning, PEFT's → ours; see `Importer`."""
    ENCODED.check(settings)
    return _read(settings, tensors, cfg, ("without its encoder it is read as a prompt",))


def _read(
    settings: Mapping[str, Any],
    tensors: Tensors,
    cfg: BackboneConfig,
    notes: tuple[str, ...] = (),
) -> ReadAdapter:
    length = whole(settings, "num_virtual_tokens")
    table = tensors.read(KEY, (length, cfg.width))
    return ReadAdapter(made("prompt", length=length), {"prompt.table": table}, notes)
