"""The same random weights in a model of `adapters` and in ours, and both asked the same text."""

import adapters
import torch
from tunebench.backbone.layout import pack
from tunebench.checkpoints.load import load_backbone
from tunebench.exchange.side import peft_names
from tunebench.methods import get_method
from tunebench.methods.base import trained
from tunebench.training.heads import pool

from tests.near import quiet
from tests.parity.families import batch_for, saved

ENCODERS = ("bert", "roberta", "distilbert")
DECODERS = ("gpt2", "llama, one key head", "mistral")


class Pair:
    """A checkpoint that transformers saved; models of both sides are fresh at each asking."""

    def __init__(self, kind, folder):
        self.folder, self.model = folder, saved(kind, folder)
        cfg = self.ours().cfg
        self.pooling = "last" if cfg.causal else "first"
        self.side = peft_names(folder, cfg.layers, cfg.sites)

    def ours(self):
        return load_backbone(self.folder)

    def source_name(self):
        """AdapterHub's own model, which has room for heads."""
        model = quiet(adapters.AutoAdapterModel.from_pretrained, self.folder).eval()
        if model.config.pad_token_id is None:
            # GPT-2 has none, and its last token is then the last column's.
            model.config.pad_token_id = 0
        return model

    def attached(self, **settings):
        """Our backbone under an adapter, every weight of which was moved off its start."""
        torch.manual_seed(1)
        backbone = self.ours()
        method = get_method("adapter")(**{"train_norms": False} | settings)
        method.attach(backbone)
        moved(trained(backbone).values())
        return method, backbone.eval()

    def loaded(self, folder):
        """AdapterHub's model under what it reads from a folder."""
        model = self.source_name()
        name = quiet(model.load_adapter, str(folder), use_safetensors=True, set_active=True)
        assert name == "tunebench"
        return model

    def made(self, config, folder, **head):
        """AdapterHub's model under an adapter of its own, which now lies in the folder."""
        torch.manual_seed(3)
        model = self.source_name()
        model.add_adapter("own", config=config)
        if head:
            model.add_classification_head("own", **head)
        model.train_adapter("own")
        moved(p for p in model.parameters() if p.requires_grad)
        quiet(model.save_adapter, str(folder), "own", use_safetensors=True)
        return model.eval()

    def batch(self, side="right"):
        """Texts of unequal length; ids of 0 are padding alone, but for RoBERTa's own."""
        batch = batch_for(self.model, side)
        if self.model.config.model_type != "roberta":
            batch.ids = batch.ids.clamp(min=1) * batch.mask
        return batch

    def states(self, model, backbone, batch):
        """Both sides' final hidden states of the texts' own tokens."""
        with torch.no_grad():
            found = model.base_model(input_ids=batch.ids, attention_mask=batch.mask)
            wanted = backbone(batch.ids, batch.mask)
        return batch.real(found.last_hidden_state), batch.real(wanted)

    def classes(self, model, backbone, head, batch):
        """Both sides' logits of the texts' classes."""
        layout, places, _ = pack(batch.mask.bool())
        with torch.no_grad():
            found = model(input_ids=batch.ids, attention_mask=batch.mask).logits
            states = backbone.encode(batch.ids.flatten()[places], layout)
            return found, pool(states, layout, head.pooling) @ head.weight.T + head.bias


def moved(parameters):
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.3 * torch.randn_like(parameter))
