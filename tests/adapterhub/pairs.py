"""The same random weights in a model of `adapters` and in ours, and both asked the same text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import adapters
import torch
from torch import Tensor, nn
from tunebench.backbone.layout import pack
from tunebench.backbone.model import Backbone
from tunebench.checkpoints.checkpoint import Checkpoint, load_backbone
from tunebench.exchange.names import peft_names
from tunebench.methods import get_method
from tunebench.methods.base import Method, trained
from tunebench.training.heads import PooledHead, pool

from tests.near import quiet
from tests.parity.conftest import Padded
from tests.parity.families import batch_for, saved

ENCODERS = ("bert", "roberta", "distilbert")
DECODERS = ("gpt2", "llama, one key head", "mistral")


class Pair:
    """A checkpoint that transformers saved; models of both sides are fresh at each asking."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder, self.model = folder, saved(kind, folder)
        checkpoint = Checkpoint.open(folder)
        self.pooling = "last" if checkpoint.config.causal else "first"
        self.names = peft_names(checkpoint)

    def ours(self) -> Backbone:
        return load_backbone(self.folder)

    def peer(self) -> Any:
        """AdapterHub's own model, which has room for heads."""
        model = quiet(adapters.AutoAdapterModel.from_pretrained, self.folder).eval()
        if model.config.pad_token_id is None:
            # GPT-2 has none, and its last token is then the last column's.
            model.config.pad_token_id = 0
        return model

    def attached(self, **settings: Any) -> tuple[Method, Backbone]:
        """Our backbone under an adapter, every weight of which was moved off its start."""
        torch.manual_seed(1)
        backbone = self.ours()
        method = get_method("adapter")(**{"train_norms": False} | settings)
        method.attach(backbone)
        moved(trained(backbone).values())
        return method, backbone.eval()

    def loaded(self, folder: Path) -> Any:
        """AdapterHub's model under what it reads from a folder."""
        model = self.peer()
        name = quiet(model.load_adapter, str(folder), use_safetensors=True, set_active=True)
        assert name == "tunebench"
        return model

    def made(self, config: Any, folder: Path, **head: Any) -> Any:
        """AdapterHub's model under an adapter of its own, which now lies in the folder."""
        torch.manual_seed(3)
        model = self.peer()
        model.add_adapter("own", config=config)
        if head:
            model.add_classification_head("own", **head)
        model.train_adapter("own")
        moved(p for p in model.parameters() if p.requires_grad)
        quiet(model.save_adapter, str(folder), "own", use_safetensors=True)
        return model.eval()

    def batch(self, side: str = "right") -> Padded:
        """Texts of unequal length; ids of 0 are padding alone, but for RoBERTa's own."""
        batch = batch_for(self.model, side)
        if self.model.config.model_type != "roberta":
            batch.ids = batch.ids.clamp(min=1) * batch.mask
        return batch

    def states(self, model: Any, backbone: Backbone, batch: Padded) -> tuple[Tensor, Tensor]:
        """Both sides' final hidden states of the texts' own tokens."""
        with torch.no_grad():
            states = model.base_model(input_ids=batch.ids, attention_mask=batch.mask)
            wanted = backbone(batch.ids, batch.mask)
        return batch.real(states.last_hidden_state), batch.real(wanted)

    def classes(
        self, model: Any, backbone: Backbone, head: PooledHead, batch: Padded
    ) -> tuple[Tensor, Tensor]:
        """Both sides' logits of the texts' classes."""
        layout, places, _ = pack(batch.mask.bool())
        with torch.no_grad():
            logits = model(input_ids=batch.ids, attention_mask=batch.mask).logits
            states = backbone.encode(batch.ids.flatten()[places], layout)
            return logits, pool(states, layout, head.pooling) @ head.weight.T + head.bias


def moved(parameters: Iterable[nn.Parameter]) -> None:
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.3 * torch.randn_like(parameter))
