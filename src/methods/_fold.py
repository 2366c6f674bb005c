"""The cheapest equal network: occupants by their equals, the first tokens by their keys."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..backbone.layout import Layout, SharedPrefix
from ..backbone.model import Backbone
from ..backbone.ports import NoPrompt
from ..backbone.shared_prefix import PrefilledMemory, remember
from ._virtual import PromptTable, insert, shares


def replace(backbone: Backbone, verb: str) -> None:
    """Replace every module that has this verb by what the verb makes of it."""
    for path, module in list(backbone.named_modules()):
        make = getattr(module, verb, None)
        if callable(make):
            backbone.set_submodule(path, make().train(module.training))


def prefill_shared(backbone: Backbone, prefix: SharedPrefix) -> bool:
    """Compute what every text begins with once, where that can be done and was not."""
    prompt = backbone.prompt
    if isinstance(backbone.memory, PrefilledMemory):
        return True
    if not backbone.cfg.can_prefill or not isinstance(prompt, (NoPrompt, PromptTable)):
        return False
    ids = torch.tensor(prefix.ids, dtype=torch.int64, device=backbone.embedding.weight.device)
    with torch.no_grad():
        remember(backbone, *_divide(prompt, prefix, backbone.embedding(ids)))
    return True


def _divide(
    prompt: NoPrompt | PromptTable, prefix: SharedPrefix, words: Float[Tensor, "k d"]
) -> tuple[Float[Tensor, "p d"], NoPrompt | PromptTable]:
    """What every text begins with, and the prompt that is left for the positions after it.

    Args:
        prompt: The virtual tokens, or none.
        prefix: Where they are.
        words: The embeddings of `prefix.ids`.
    """
    if isinstance(prompt, NoPrompt) or not prefix.soft_token_positions:
        return words, prompt
    table = prompt.table.detach()
    taken = sum(
        shares(len(table), len(prefix.soft_token_positions) + prefix.later_soft_tokens)[
            : len(prefix.soft_token_positions)
        ]
    )
    positions = torch.tensor([prefix.soft_token_positions], device=words.device)
    inside = insert(
        table[:taken], words, Layout.from_lengths([len(words)], words.device), positions
    )[0]
    return inside, PromptTable(table[taken:]) if taken < len(table) else NoPrompt()
