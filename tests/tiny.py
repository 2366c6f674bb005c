"""Tiny backbones with random weights: an encoder like BERT, a decoder like Llama."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from tunebench.backbone.config import BackboneConfig, RopeScaling
from tunebench.backbone.layout import Layout
from tunebench.backbone.model import Backbone
from tunebench.data.text.batches import Batch

ENCODER = BackboneConfig(
    vocabulary=50,
    width=32,
    layers=2,
    heads=4,
    key_heads=4,
    head_size=8,
    hidden=48,
    context=64,
    causal=False,
    positions="learned",
    norm="layer",
    norm_place="after",
    mlp="gelu",
    bias=True,
    segments=2,
    embedding_norm=True,
)
DECODER = BackboneConfig(
    vocabulary=50,
    width=32,
    layers=2,
    heads=4,
    key_heads=2,
    head_size=8,
    hidden=48,
    context=64,
    causal=True,
    positions="rotary",
    norm="rms",
    norm_place="before",
    mlp="swiglu",
    bias=False,
    epsilon=1e-5,
)
CONFIGS = {"encoder": ENCODER, "decoder": DECODER}
FAMILIES = {
    "roberta": replace(ENCODER, segments=1, first_position=2, count_padding=False),
    "modernbert": replace(
        ENCODER,
        positions="rotary",
        norm_place="before",
        mlp="geglu",
        bias=False,
        segments=0,
        norm_bias=False,
        first_norm=False,
        local=(False, True),
        window=2,
        local_theta=100.0,
    ),
    "gpt2": replace(
        ENCODER,
        causal=True,
        norm_place="before",
        mlp="gelu_tanh",
        segments=0,
        embedding_norm=False,
    ),
    "mistral": replace(DECODER, local=(True, True), window=1),
    "qwen2": replace(DECODER, bias=("attn.q", "attn.k", "attn.v")),
    "qwen3": replace(DECODER, head_size=10, head_norms=True),
    "dynamic": replace(DECODER, rope_scaling=RopeScaling("dynamic", 4.0, 4)),
}
"""What other families have that the two above have not."""


def backbone(cfg: BackboneConfig, seed: int = 0) -> Backbone:
    """Weights spread widely enough that every part of the network shows in the output."""
    torch.manual_seed(seed)
    made = Backbone(cfg)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.2)
            elif not name.endswith("weight"):
                parameter.normal_(std=0.1)
    return made.eval()


def batch(lengths: Sequence[int] = (3, 1, 7, 5), classes: int = 2, seed: int = 0) -> Batch:
    """A batch whose label is known by its first token."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (len(lengths),), generator=generator)
    ids = torch.randint(10, 50, (sum(lengths),), generator=generator)
    layout = Layout.from_lengths(lengths)
    ids[layout.cu_seqlens[:-1]] = labels
    segments = torch.randint(0, 2, ids.shape, generator=generator)
    return Batch(ids, layout, segments, labels)


class Loader:
    """A loader of these batches; Lightning takes a plain list for a collection of loaders."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)
