"""The cheapest equal network: occupants by their equals, what stands in front by its keys."""

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


def read_once(backbone: Backbone, front: SharedPrefix) -> bool:
    """Read what stands before every text, where that can be done and was not."""
    prompt = backbone.prompt
    if isinstance(backbone.memory, PrefilledMemory):
        return True
    if not backbone.cfg.can_prefill or not isinstance(prompt, (NoPrompt, PromptTable)):
        return False
    ids = torch.tensor(front.ids, dtype=torch.int64, device=backbone.embedding.weight.device)
    with torch.no_grad():
        remember(backbone, *_divide(prompt, front, backbone.embedding(ids)))
    return True


def _divide(
    prompt: NoPrompt | PromptTable, front: SharedPrefix, words: Float[Tensor, "k d"]
) -> tuple[Float[Tensor, "p d"], NoPrompt | PromptTable]:
    """What stands before every text, and the prompt that is left for the slots behind.

    Args:
        prompt: The virtual tokens, or none.
        front: Where they stand.
        words: The embeddings of `front.ids`.
    """
    if isinstance(prompt, NoPrompt) or not front.slots:
        return words, prompt
    table = prompt.table.detach()
    taken = sum(shares(len(table), len(front.slots) + front.behind)[: len(front.slots)])
    slots = torch.tensor([front.slots], device=words.device)
    inside = insert(table[:taken], words, Layout.from_lengths([len(words)], words.device), slots)[0]
    return inside, PromptTable(table[taken:]) if taken < len(table) else NoPrompt()
