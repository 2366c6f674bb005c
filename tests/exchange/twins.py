"""The same random weights in transformers' model and in ours, and both asked the same text."""

import warnings

import peft
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaModel,
)
from tunebench.backbone.language import load_language_head
from tunebench.backbone.layout import pack
from tunebench.backbone.load import load_backbone
from tunebench.exchange.side import side_of
from tunebench.methods import get_method
from tunebench.methods.base import trained
from tunebench.readers import pool

from tests.parity.conftest import Padded

SHAPE = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 48,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
BERT = BertConfig(**SHAPE, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
LLAMA = LlamaConfig(**SHAPE, num_key_value_heads=2)
WIDE = LlamaConfig(**SHAPE, num_key_value_heads=1, head_dim=8)
CONFIGS = {"bert": BERT, "llama": LLAMA, "wide heads": WIDE}
MODELS = {
    ("bert", "FEATURE_EXTRACTION"): BertModel,
    ("bert", "SEQ_CLS"): BertForSequenceClassification,
    ("llama", "FEATURE_EXTRACTION"): LlamaModel,
    ("llama", "CAUSAL_LM"): LlamaForCausalLM,
    ("llama", "SEQ_CLS"): LlamaForSequenceClassification,
}


class Twin:
    """A checkpoint that transformers saved; models of both sides are fresh at each asking."""

    def __init__(self, kind, folder):
        self.config, self.folder = CONFIGS[kind], folder
        self.family = self.config.model_type
        task = "CAUSAL_LM" if self.family == "llama" else "FEATURE_EXTRACTION"
        torch.manual_seed(5)
        model = MODELS[self.family, task](self.config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(0.2 * torch.randn_like(parameter))
        model.save_pretrained(folder)
        cfg = self.ours().cfg
        self.side = side_of(folder, cfg.layers, cfg.sites)

    def ours(self):
        return load_backbone(self.folder)

    def theirs(self, task, classes=2):
        """Transformers' model for a task, its head fresh where the checkpoint has none."""
        more = {"num_labels": classes} if task == "SEQ_CLS" else {}
        more |= {"add_pooling_layer": False} if MODELS[self.family, task] is BertModel else {}
        # It tells which head is fresh; ours comes with the adapter.
        return quiet(MODELS[self.family, task].from_pretrained, self.folder, **more).eval()

    def attached(self, name, seed=1, **settings):
        """Our backbone under a method, every weight of which was moved off its start."""
        torch.manual_seed(seed)
        backbone = self.ours()
        method = get_method(name)(**settings)
        method.attach(backbone)
        with torch.no_grad():
            for parameter in trained(backbone).values():
                parameter.add_(0.3 * torch.randn_like(parameter))
        return method, backbone.eval()

    def loaded(self, folder, task, classes=2):
        """Transformers' model under what stock PEFT reads from a folder."""
        return quiet(peft.PeftModel.from_pretrained, self.theirs(task, classes), folder).eval()

    def made(self, task, config, classes=2, seed=3):
        """A PEFT adapter, every weight of which was moved off its start."""
        torch.manual_seed(seed)
        tuned = quiet(peft.get_peft_model, self.theirs(task, classes), config)
        with torch.no_grad():
            for parameter in tuned.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.3 * torch.randn_like(parameter))
        return tuned.eval()

    def batch(self, side="right"):
        """Texts of unequal length; ids of 0 are padding alone."""
        batch = Padded(SHAPE["vocab_size"] - 1, side)
        batch.ids = (batch.ids + 1) * batch.mask
        return batch

    def outputs(self, model, task, backbone, batch):
        """What both sides say: states or next-token logits of the texts' own tokens."""
        with torch.no_grad():
            found = model(input_ids=batch.ids, attention_mask=batch.mask)
            wanted = batch.real(backbone(batch.ids, batch.mask))
            if task == "CAUSAL_LM":
                wanted = load_language_head(self.folder, backbone)(wanted)
        found = found.logits if task == "CAUSAL_LM" else found.last_hidden_state
        return batch.real(found[:, -batch.ids.shape[1] :]), wanted

    def classes(self, model, backbone, head, batch):
        """Both sides' logits of the texts' classes."""
        layout, places, columns = pack(batch.mask.bool())
        shift = columns - layout.positions(len(places))
        with torch.no_grad():
            found = model(input_ids=batch.ids, attention_mask=batch.mask).logits
            states = backbone.encode(batch.ids.flatten()[places], layout, shift=shift)
            return found, pool(states, layout, head.pooling) @ head.weight.T + head.bias


def quiet(call, *arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **named)


def close(found, wanted, share=1e-5):
    """Within a share of the largest value, and of the same shape."""
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max()) <= share * float(wanted.abs().max())
