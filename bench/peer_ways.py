"""The six methods of the comparison with PEFT, as either side calls them, at equal settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import peft
from tunebench import get_method
from tunebench.methods.base import Method

VIRTUAL = 20
"""Virtual tokens of every prompt and prefix."""


@dataclasses.dataclass(frozen=True)
class Way:
    """One method, as either side calls it, at equal settings."""

    lr: float
    """Of the method and the head alike, as one AdamW over all that trains has it."""
    ours: str
    settings: Mapping[str, Any]
    peer: type[peft.PeftConfig] | None = None
    """None where transformers needs no PEFT for it."""
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def method(self) -> Method:
        """Our side's."""
        return get_method(self.ours)(lr=self.lr, **self.settings)


_TOKENS = {"num_virtual_tokens": VIRTUAL}
WAYS: Mapping[str, Way] = {
    "lora": Way(
        3e-3,
        "lora",
        {"rank": 8, "alpha": 16.0, "sites": ("attn.q", "attn.v")},
        peft.LoraConfig,
        {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": ["query", "value"]},
    ),
    # PEFT's prefix without projection is p-tuning v2's table, its text placed after the prefix.
    "prefix": Way(
        3e-2,
        "p_tuning_v2",
        {"length": VIRTUAL, "position_offset": "length"},
        peft.PrefixTuningConfig,
        {**_TOKENS, "prefix_projection": False},
    ),
    "prompt": Way(
        1e-2,
        "prompt",
        {"length": VIRTUAL, "start": "vocabulary"},
        peft.PromptTuningConfig,
        {**_TOKENS, "prompt_tuning_init": "SAMPLE_VOCAB"},
    ),
    "p_tuning": Way(
        5e-3,
        "p_tuning",
        {"length": VIRTUAL, "encoder": "mlp", "hidden": 128},
        peft.PromptEncoderConfig,
        {**_TOKENS, "encoder_reparameterization_type": "MLP", "encoder_hidden_size": 128},
    ),
    "full": Way(3e-4, "full", {}),
    "head": Way(1e-2, "head", {}),
}
