"""What `Method.fold` does: modules give way to cheaper equals, first tokens to their keys."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..backbone.layout import Layout, SharedPrefix
from ..backbone.model import Backbone
from ..backbone.ports import NoPrompt
from ..backbone.shared_prefix import PrefilledMemory, plug_prefix
from ._virtual import PromptTable, insert, shares


def replace(backbone: Backbone, verb: str) -> None:
    """Replace every module that has a method of this name by what the method returns."""
    for path, module in list(backbone.named_modules()):
        make = getattr(module, verb, None)
        if callable(make):
            backbone.set_submodule(path, make().train(module.training))


def prefill_shared_prefix(backbone: Backbone, prefix: SharedPrefix) -> bool:
    """Compute the keys and values of what every text begins with, once for all texts.

    Args:
        backbone: With the virtual tokens in its `prompt` port, if it has any.
        prefix: The tokens of every text, and where virtual ones stand among them.

    Returns:
        Whether that was done, now or before. It is not on an encoder, whose first tokens see the
        later ones, nor with an occupant of the `prompt` port that is no table.
    """
    prompt = backbone.prompt
    if isinstance(backbone.memory, PrefilledMemory):
        return True
    if not backbone.cfg.can_prefill or not isinstance(prompt, (NoPrompt, PromptTable)):
        return False
    ids = torch.tensor(prefix.ids, dtype=torch.int64, device=backbone.embedding.weight.device)
    with torch.no_grad():
        plug_prefix(backbone, *_divide(prompt, prefix, backbone.embedding(ids)))
    return True


def _divide(
    prompt: NoPrompt | PromptTable, prefix: SharedPrefix, embeddings: Float[Tensor, "k d"]
) -> tuple[Float[Tensor, "p d"], NoPrompt | PromptTable]:
    """Divide the virtual tokens into those of the shared prefix and those after it.

    Args:
        prompt: The virtual tokens, or none.
        prefix: Where they are.
        embeddings: Those of `prefix.ids`.

    Returns:
        The vectors of the whole prefix, and the prompt that is left for each text by itself.
    """
    if isinstance(prompt, NoPrompt) or not prefix.soft_token_positions:
        return embeddings, prompt
    table = prompt.table.detach()
    inside = len(prefix.soft_token_positions)
    taken = sum(shares(len(table), inside + prefix.later_soft_tokens)[:inside])
    positions = torch.tensor([prefix.soft_token_positions], device=embeddings.device)
    layout = Layout.from_lengths([len(embeddings)], embeddings.device)
    vectors = insert(table[:taken], embeddings, layout, positions)[0]
    return vectors, PromptTable(table[taken:]) if taken < len(table) else NoPrompt()
