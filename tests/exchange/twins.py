"""The same random weights in transformers' model and in ours, and both asked the same text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    LlamaConfig,
)
from tunebench.backbone.layout import pack
from tunebench.backbone.model import Backbone
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.exchange.names import peft_names
from tunebench.methods import get_method
from tunebench.methods.base import Method, trained
from tunebench.training.heads import PooledHead, pool

from tests.near import quiet
from tests.parity.conftest import SHAPE, Padded
from tests.parity.families import FAST

PADDED = SHAPE | {"pad_token_id": 0}
BERT = BertConfig(**PADDED, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
LLAMA = LlamaConfig(**PADDED, num_key_value_heads=2)
WIDE = LlamaConfig(**PADDED, num_key_value_heads=1, head_dim=8)
FURTHER = ("roberta", "distilbert", "gpt2", "mistral", "qwen2", "qwen3")
"""Families besides, each with the shape of its parity tests."""
CONFIGS = {"bert": BERT, "llama": LLAMA, "wide heads": WIDE} | {
    kind: AutoConfig.for_model(kind, **FAST[kind][1] | {"pad_token_id": 0}) for kind in FURTHER
}
MODELS = {
    "FEATURE_EXTRACTION": AutoModel,
    "CAUSAL_LM": AutoModelForCausalLM,
    "SEQ_CLS": AutoModelForSequenceClassification,
}
ENCODERS = ("bert", "roberta", "distilbert")
POOLED = ("bert", "roberta")
"""Families whose network has a pooler unless asked otherwise."""


class Twin:
    """A checkpoint that transformers saved; models of both sides are fresh at each asking."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.config, self.folder = CONFIGS[kind], folder
        self.family = self.config.model_type
        task = "FEATURE_EXTRACTION" if self.family in ENCODERS else "CAUSAL_LM"
        torch.manual_seed(5)
        model = MODELS[task].from_config(self.config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(0.2 * torch.randn_like(parameter))
        model.save_pretrained(folder)
        self.names = peft_names(Checkpoint.open(folder))

    def ours(self) -> Backbone:
        return load_backbone(self.folder)

    def peer(self, task: str, classes: int = 2) -> Any:
        """Transformers' model for a task, its head fresh where the checkpoint has none."""
        more = {"num_labels": classes} if task == "SEQ_CLS" else {}
        has_pooler = task == "FEATURE_EXTRACTION" and self.family in POOLED
        more |= {"add_pooling_layer": False} if has_pooler else {}
        # It warns that a head is fresh; ours comes with the adapter.
        return quiet(MODELS[task].from_pretrained, self.folder, **more).eval()

    def attached(self, name: str, seed: int = 1, **settings: Any) -> tuple[Method, Backbone]:
        """Our backbone under a method, every weight of which was moved off its start."""
        torch.manual_seed(seed)
        backbone = self.ours()
        method = get_method(name)(**settings)
        method.attach(backbone)
        with torch.no_grad():
            for parameter in trained(backbone).values():
                parameter.add_(0.3 * torch.randn_like(parameter))
        return method, backbone.eval()

    def loaded(self, folder: Path, task: str, classes: int = 2) -> Any:
        """Transformers' model under what stock PEFT reads from a folder."""
        return quiet(peft.PeftModel.from_pretrained, self.peer(task, classes), folder).eval()

    def made(self, task: str, config: peft.PeftConfig, classes: int = 2, seed: int = 3) -> Any:
        """A PEFT adapter, every weight of which was moved off its start."""
        torch.manual_seed(seed)
        tuned = quiet(peft.get_peft_model, self.peer(task, classes), config)
        with torch.no_grad():
            for parameter in tuned.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.3 * torch.randn_like(parameter))
        return tuned.eval()

    def batch(self, side: str = "right") -> Padded:
        """Texts of unequal length; ids of 0 are padding alone."""
        batch = Padded(self.config.vocab_size - 1, side)
        batch.ids = (batch.ids + 1) * batch.mask
        return batch

    def outputs(
        self, model: Any, task: str, backbone: Backbone, batch: Padded
    ) -> tuple[Tensor, Tensor]:
        """What both sides compute: states or next-token logits of the texts' own tokens."""
        with torch.no_grad():
            outputs = model(input_ids=batch.ids, attention_mask=batch.mask)
            wanted = batch.real(backbone(batch.ids, batch.mask))
            if task == "CAUSAL_LM":
                wanted = Checkpoint.open(self.folder).load_language_head(backbone)(wanted)
        values = outputs.logits if task == "CAUSAL_LM" else outputs.last_hidden_state
        return batch.real(values[:, -batch.ids.shape[1] :]), wanted

    def classes(
        self, model: Any, backbone: Backbone, head: PooledHead, batch: Padded
    ) -> tuple[Tensor, Tensor]:
        """Both sides' logits of the texts' classes."""
        layout, places, columns = pack(batch.mask.bool())
        shift = columns - layout.positions(len(places))
        with torch.no_grad():
            logits = model(input_ids=batch.ids, attention_mask=batch.mask).logits
            states = backbone.encode(batch.ids.flatten()[places], layout, shift=shift)
            return logits, pool(states, layout, head.pooling) @ head.weight.T + head.bias
