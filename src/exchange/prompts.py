"""Prompt tuning and p-tuning: both sides hold one table of virtual tokens before the text.

    prompt_embeddings        p × d

PEFT's files hold what a prompt encoder gave, never the encoder. P-tuning therefore comes back as
prompt tuning: the same vectors, of which the table itself would train further.
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
from .parts import Exported, ReadAdapter, method_of
from .settings import Known, whole

KEY = "prompt_embeddings"
"""PEFT's name of the table."""
SHARED = frozenset({"num_virtual_tokens", "token_dim"})
IDLE = frozenset({"num_attention_heads", "num_layers"})
STARTS = {"prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_kwargs"}
ENCODERS = {"encoder_reparameterization_type", "encoder_hidden_size", "encoder_num_layers"}
ONE = {"num_transformer_submodules": (None, 1)}
PROMPT = Known(SHARED, IDLE | STARTS | {"tokenizer_name_or_path"}, ONE)
"""The settings of prompt tuning."""
ENCODED = Known(SHARED, IDLE | ENCODERS | {"encoder_dropout"}, ONE)
"""The settings of p-tuning."""


def export(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """Our prompt tuning to PEFT's; see `Exporter`."""
    settings = {"peft_type": "PROMPT_TUNING", "prompt_tuning_init": "RANDOM"}
    return _exported(settings, backbone)


def export_encoded(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """Our p-tuning to PEFT's; see `Exporter`."""
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
    """The vectors that the prompt port puts before a text, whatever computes them."""
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
    """PEFT's prompt tuning to ours; see `Importer`."""
    PROMPT.check(settings)
    return _read(settings, tensors, cfg)


def import_encoded(
    settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
) -> ReadAdapter:
    """PEFT's p-tuning to our prompt tuning; see `Importer`."""
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
    return ReadAdapter(method_of("prompt", length=length), {"prompt.table": table}, notes)
