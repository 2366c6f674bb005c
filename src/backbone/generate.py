"""Generation: a causal backbone and its language head continue texts, one token at a time.

Texts of unequal length travel packed, as everywhere. With the cache each token is read once;
without it the whole text is read again for every new token: the same tokens, and the oracle of the
cached way. Either way the head sees the last position alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import UserError
from .cache import KVCache, check_cached
from .layout import Layout
from .model import Backbone
from .sampling import GREEDY, Sampler, Sampling


@torch.inference_mode()
def generate(
    backbone: Backbone,
    head: nn.Module,
    prompts: Sequence[Sequence[int]],
    *,
    tokens: int,
    sampling: Sampling = GREEDY,
    stop: Collection[int] = (),
    cached: bool = True,
) -> list[list[int]]:
    """Continue every prompt by at most `tokens` tokens.

    Args:
        backbone: A causal one, with any method attached.
        head: From states (r d) to logits (r v): the language head.
        prompts: Token ids of each text, at least one.
        tokens: The most new tokens of each text.
        sampling: How a token is chosen; the likeliest by default.
        stop: A text ends with the first of these tokens, which is kept.
        cached: Whether keys and values are remembered, or computed again for every token.

    Returns:
        The new tokens of each text.

    Raises:
        UserError: Before anything is computed, where the backbone is no decoder, a prompt is empty,
            or a text would leave the context.
    """
    check_causal(backbone)
    room = _room(backbone, prompts, tokens, cached)
    texts, sampler = [list(prompt) for prompt in prompts], Sampler(sampling, len(prompts))
    cache = KVCache(len(texts), backbone.embedding.weight.device, room=room) if cached else None
    reader, growing = _Reader(backbone, head, texts, cache), list(range(len(texts)))
    for _ in range(tokens):
        if not growing:
            break
        following = sampler.draw(reader.logits(growing), growing).tolist()
        for n, token in zip(growing, following, strict=True):
            texts[n].append(token)
        growing = [n for n in growing if texts[n][-1] not in stop]
    return [text[len(prompt) :] for text, prompt in zip(texts, prompts, strict=True)]


def check_causal(backbone: Backbone) -> None:
    """Refuse an encoder.

    Raises:
        UserError: Its tokens see those after them, so it cannot say which comes next.
    """
    if not backbone.cfg.causal:
        raise UserError(
            "only a decoder generates, and this backbone is an encoder "
            "(`causal` must hold, but got causal=False); take another, such as smollm2"
        )


def _room(backbone: Backbone, prompts: Sequence[Sequence[int]], tokens: int, cached: bool) -> int:
    """The most tokens that a text will have, inserted ones included."""
    if tokens < 1:
        raise UserError(f"`tokens >= 1` must hold, but got (tokens={tokens})")
    empty = [n for n, prompt in enumerate(prompts) if not prompt]
    if empty:
        raise UserError(f"a prompt needs at least one token, but prompt {empty[0] + 1} has none")
    ids, layout = _packed(prompts, backbone.embedding.weight.device)
    _, longer, _ = backbone.prompt(backbone.embedding(ids), layout)
    memory, context = backbone.memory(), backbone.cfg.context
    start = 0 if memory is None else memory.start
    prompt_tokens, inserted = layout.max_seqlen, int(longer.max_seqlen) - layout.max_seqlen + start
    if inserted + prompt_tokens + tokens > context:
        raise UserError(
            "`inserted + prompt + tokens <= context` must hold, but got "
            f"(inserted={inserted}, prompt={prompt_tokens}, tokens={tokens}, context={context})"
        )
    if cached:
        check_cached(backbone.cfg, inserted + prompt_tokens + tokens)
    return inserted - start + prompt_tokens + tokens


class _Reader:
    """Reads what texts have grown by, or all of them again where there is no cache."""

    def __init__(
        self, backbone: Backbone, head: nn.Module, texts: list[list[int]], cache: KVCache | None
    ) -> None:
        """Nothing is read yet; the texts may grow between two calls."""
        self.backbone, self.head, self.texts, self.cache = backbone, head, texts, cache
        self._read = [0] * len(texts)
        self._held = list(range(len(texts)))

    def logits(self, growing: list[int]) -> Float[Tensor, "r v"]:
        """What follows each of these texts."""
        fresh = [self.texts[n][self._read[n] :] for n in growing]
        if self.cache is not None:
            self._remember(self.cache, growing)
        ids, layout = _packed(fresh, self.backbone.embedding.weight.device)
        states = self.backbone.encode(ids, layout, cache=self.cache)
        logits: Tensor = self.head(states[layout.cu_seqlens[1:] - 1])
        return logits

    def _remember(self, cache: KVCache, growing: list[int]) -> None:
        """Count as read what is read now, and drop the texts that have ended."""
        for n in growing:
            self._read[n] = len(self.texts[n])
        if growing != self._held:
            cache.keep([self._held.index(n) for n in growing])
            self._held = growing


def _packed(
    rows: Sequence[Sequence[int]], device: torch.device
) -> tuple[Int[Tensor, " n"], Layout]:
    """Token ids one after the other."""
    ids = torch.tensor([token for row in rows for token in row], dtype=torch.int64)
    return ids.to(device), Layout.from_lengths([len(row) for row in rows], device)
