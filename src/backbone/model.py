"""The backbone: one transformer, encoder or decoder by configuration.

    words, prompt → positions, segments, norm → blocks → norm        one block: `block.py`

Tokens travel packed (n d) with their `Layout`: padding is never computed. Every place where a
method may change something is a named submodule, a port (see `ports.py`).
"""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .. import kernels
from ..errors import UserError
from .block import Block, ForwardContext, make_norm
from .cache import KVCache, check_cached
from .config import BackboneConfig
from .layout import Layout, pack
from .ports import NoMemory, NoPrompt
from .positions import SCHEMES, Positions


class Backbone(nn.Module):
    """Token ids in, final hidden states out."""

    def __init__(self, cfg: BackboneConfig) -> None:
        """A backbone with fresh weights (normal, deviation 0.02, as BERT and GPT-2 begin)."""
        super().__init__()
        self.cfg = cfg
        self.implementation: kernels.Implementation = "auto"
        self.tuned_by: str | None = None
        self.embedding = nn.Embedding(cfg.vocabulary, cfg.width)
        self.prompt, self.memory = NoPrompt(), NoMemory()
        self.positions: Positions = SCHEMES[cfg.positions](cfg)
        self.segments = nn.Embedding(cfg.segments, cfg.width) if cfg.segments else None
        self.norm_embedding = make_norm(cfg) if cfg.embedding_norm else nn.Identity()
        self.blocks = nn.ModuleList(Block(cfg, layer) for layer in range(cfg.layers))
        self.norm = make_norm(cfg) if cfg.norm_place == "before" else nn.Identity()
        self.apply(_fresh)

    def forward(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Int[Tensor, "b t"] | None = None,
        token_type_ids: Int[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b t d"]:
        """Final hidden states of a padded batch, zeros where the mask is 0."""
        states, _, places = self.encode_padded(input_ids, attention_mask, token_type_ids)
        out = states.new_zeros(input_ids.numel(), states.shape[-1]).index_copy(0, places, states)
        return out.view(*input_ids.shape, -1)

    def encode_padded(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Int[Tensor, "b t"] | None = None,
        token_type_ids: Int[Tensor, "b t"] | None = None,
    ) -> tuple[Float[Tensor, "n d"], Layout, Int[Tensor, " n"]]:
        """Final hidden states of a padded batch's n real tokens, packed.

        Whoever takes padded batches goes through here, so that all of them number positions alike:
        as transformers does, by column with padding on either side included, or by token where the
        configuration says so (RoBERTa's).

        Args:
            input_ids: Token ids; those of padding may be any.
            attention_mask: 1 where a token is real, 0 for padding; none: all are real.
            token_type_ids: Each token's segment; none: all belong to segment 0.

        Returns:
            The states, where each row's tokens begin and end among them, and the place of each
            token among the b·t of the batch. A row without a real token has no states.

        Raises:
            UserError: The shapes differ, or there are more positions than the context has.
        """
        for name, others in (
            ("attention_mask", attention_mask),
            ("token_type_ids", token_type_ids),
        ):
            if others is not None and others.shape != input_ids.shape:
                raise UserError(
                    f"`{name}.shape == input_ids.shape` must hold, "
                    f"but got ({name}={tuple(others.shape)}, input_ids={tuple(input_ids.shape)})"
                )
        self._fits(input_ids.shape[1])
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        layout, places, columns = pack(mask.bool())
        segments = None if token_type_ids is None else token_type_ids.flatten()[places]
        counted = self.cfg.count_padding
        shift = columns - layout.positions(len(places)) if counted else None
        states = self.encode(input_ids.flatten()[places], layout, segments=segments, shift=shift)
        return states, layout, places

    def encode(
        self,
        ids: Int[Tensor, " n"],
        layout: Layout,
        *,
        segments: Int[Tensor, " n"] | None = None,
        shift: Int[Tensor, " n"] | None = None,
        cache: KVCache | None = None,
        soft_token_positions: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "n d"]:
        """Final hidden states of packed text tokens; inserted tokens are left out again.

        Args:
            ids: The text's token ids, all sequences one after the other.
            layout: Where sequences begin and end.
            segments: Each token's segment, 0 by default.
            shift: How far each text token's position is beyond its place.
            cache: What earlier calls read; it is extended. The prompt belongs to the first call.
            soft_token_positions: For each sequence the text tokens, counted through all sequences,
                before which the prompt's tokens come, in rising order; none: before the first.
        """
        x, places = self.embedding(ids), None
        started = cache is not None and not cache.empty
        if not started:
            x, layout, places = self.prompt(x, layout, soft_token_positions)
        memory = cache.memory if cache is not None and started else self.memory()
        start = memory.start if memory is not None else 0
        whole = layout if cache is None else cache.after(layout, len(x))
        self._fits(start + whole.max_seqlen, cached=cache is not None)
        if cache is None:
            positions = layout.positions(len(x)) + start
        else:
            positions = cache.advance(layout, len(x), memory) + start
        if shift is not None:
            positions = positions + (shift if places is None else _spread(shift, places, len(x)))
            self._fits(int(positions.max()) + 1 if len(positions) else 0)
        x = self._embed(x, positions, segments, places)
        context = ForwardContext(
            layout, positions, self.positions, memory, cache, self.implementation
        )
        for layer, block in enumerate(self.blocks):
            x = block(x, context, layer)
        final: Tensor = self.norm(x if places is None else x[places])
        return final

    def _fits(self, positions: int, *, cached: bool = False) -> None:
        if positions > self.cfg.context:
            raise UserError(
                "`prompt + text <= context` must hold, "
                f"but got {positions} positions in a context of {self.cfg.context}"
            )
        if cached:
            check_cached(self.cfg, positions)

    def _embed(
        self, x: Tensor, positions: Tensor, segments: Tensor | None, places: Tensor | None
    ) -> Float[Tensor, "n d"]:
        """Words with positions and segments; inserted tokens belong to segment 0."""
        x = self.positions.add(x, positions)
        if self.segments is not None:
            if segments is None or self.cfg.segments == 1:
                x = x + self.segments.weight[0]
            else:
                numbers = segments if places is None else _spread(segments, places, len(x))
                x = x + self.segments(numbers)
        normed: Tensor = self.norm_embedding(x)
        return normed


def shared_copy(backbone: Backbone) -> Backbone:
    """A backbone of its own modules and ports, with the same weights themselves."""
    return copy.deepcopy(backbone, {id(weight): weight for weight in backbone.parameters()})


def _spread(values: Tensor, places: Tensor, tokens: int) -> Tensor:
    """The text tokens' values at their places among `tokens`, zeros for the inserted ones."""
    return values.new_zeros(tokens).index_copy(0, places, values)


def _fresh(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
