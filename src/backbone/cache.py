"""The KV-cache: keys and values of the tokens that were read before, a row for each sequence.

    row    [ memory: p | text: its length | room ]      each b · capacity · g · e, keys and values

New tokens are written into the room, in place; nothing that is there moves until a row is full, and
then the rows are made anew with twice the room. The memory is laid before each row's text once: a
prefix is a cache that somebody taught.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .. import kernels
from ..errors import UserError
from .config import BackboneConfig
from .layout import Layout
from .ports import Memory


def check_cached(cfg: BackboneConfig, positions: int) -> None:
    """Refuse more positions than a cache can hold.

    Raises:
        UserError: Keys that are cached would have to turn again, since the text has grown.
    """
    if positions > cfg.cached_context:
        raise UserError(
            "with rope scaling 'dynamic' angles change once a text is longer than those of "
            "pretraining, so that with a cache `inserted + prompt + tokens <= trained` must hold, "
            f"but got {positions} positions, trained={cfg.cached_context}; --no-cache goes further"
        )


class KVCache:
    """What a causal backbone remembers of b sequences between two calls, cut off from autograd.

    A call `advance`s it once; each layer then asks for what its queries gather from (`extend`), or,
    where every sequence brought one token (`single`), for what they gather (`decode`).
    """

    def __init__(
        self, sequences: int, device: torch.device | str = "cpu", *, room: int = 0
    ) -> None:
        """An empty cache for so many sequences, with room for so many tokens of each."""
        self.layout = Layout.from_lengths([0] * sequences, device)
        self.memory: Memory | None = None
        self.single = False
        self._lengths = [0] * sequences
        self._capacity = room
        self._rows: dict[int, tuple[Tensor, Tensor]] = {}
        self._new: Tensor
        self._first = True

    @property
    def empty(self) -> bool:
        """Whether nothing has been read yet."""
        return self.layout.max_seqlen == 0

    @property
    def lengths(self) -> Int[Tensor, " b"]:
        """Cached tokens of each sequence, inserted prompts included, memory not."""
        return self.layout.lengths

    @property
    def before(self) -> int:
        """Tokens of each row that the memory takes."""
        return 0 if self.memory is None else self.memory.keys.shape[1]

    def after(self, new: Layout, tokens: int) -> Layout:
        """Where the cached tokens will begin and end once the new ones are read."""
        if self.empty:
            return new
        if new.max_seqlen == 1 and tokens == new.sequences:
            return self.layout.extended(1)
        lengths = zip(self._lengths, new.lengths.tolist(), strict=True)
        return Layout.from_lengths([old + more for old, more in lengths], new.cu_seqlens.device)

    def advance(self, new: Layout, tokens: int, memory: Memory | None) -> Int[Tensor, " n"]:
        """Make room for the new tokens, once a call; gives each its place in its sequence."""
        self._first, self.single = self.empty, new.max_seqlen == 1 and tokens == new.sequences
        if self._first:
            self.memory = _detached(memory)
            self._capacity += self.before
        row, place = new.sequence_ids(tokens), new.positions(tokens)
        place = place + self.lengths[row]
        self.layout = self.after(new, tokens)
        if self.single:
            self._lengths = [length + 1 for length in self._lengths]
        else:
            self._lengths = self.layout.lengths.tolist()
        self._reserve(self.before + self.layout.max_seqlen)
        self._new = row * self._capacity + self.before + place
        return place

    def extend(
        self, layer: int, k: Float[Tensor, "n g e"], v: Float[Tensor, "n g e"]
    ) -> tuple[Float[Tensor, "m g e"], Float[Tensor, "m g e"]]:
        """Remember a layer's new keys and values; gives all of the text's, packed as `layout`."""
        keys, values = self._write(layer, k, v)
        if self._first:
            return k, v
        tokens = sum(self._lengths)
        row, place = self.layout.sequence_ids(tokens), self.layout.positions(tokens)
        old = row * self._capacity + self.before + place
        return keys.flatten(0, 1)[old], values.flatten(0, 1)[old]

    def decode(
        self,
        layer: int,
        q: Float[Tensor, "b h e"],
        k: Float[Tensor, "b g e"],
        v: Float[Tensor, "b g e"],
        implementation: kernels.Implementation,
    ) -> Float[Tensor, "b h e"]:
        """Remember one token of each sequence; gives what it gathers from its row."""
        keys, values = self._write(layer, k, v)
        filled = self.lengths + self.before
        return kernels.decode(q, keys, values, lengths=filled, implementation=implementation)

    def keep(self, sequences: Sequence[int]) -> None:
        """Forget all sequences but these, which are numbered anew in this order."""
        chosen = torch.tensor(sequences, dtype=torch.int64, device=self.layout.cu_seqlens.device)
        self._rows = {n: (k[chosen], v[chosen]) for n, (k, v) in self._rows.items()}
        self._lengths = [self._lengths[n] for n in sequences]
        self.layout = Layout.from_lengths(self._lengths, chosen.device)

    def forget(self, tokens: int) -> None:
        """Forget the last so many tokens of each sequence: their places are written again."""
        self._lengths = [length - tokens for length in self._lengths]
        self.layout = Layout.from_lengths(self._lengths, self.layout.cu_seqlens.device)

    def _write(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if layer not in self._rows:
            self._rows[layer] = self._begin(layer, k), self._begin(layer, v, values=True)
        for rows, fresh in zip(self._rows[layer], (k, v), strict=True):
            rows.flatten(0, 1).index_copy_(0, self._new, fresh.detach())
        return self._rows[layer]

    def _begin(self, layer: int, like: Tensor, *, values: bool = False) -> Tensor:
        """A layer's empty rows (b capacity g e), the memory before them."""
        rows = like.new_zeros(len(self._lengths), self._capacity, *like.shape[1:])
        if self.memory is not None:
            table = self.memory.values if values else self.memory.keys
            rows[:, : self.before] = table[layer].detach()
        return rows

    def _reserve(self, tokens: int) -> None:
        """Rows with room for so many tokens: twice the room there was, where it is too little."""
        if tokens <= self._capacity:
            return
        self._capacity = max(tokens, 2 * self._capacity)
        for layer, pair in self._rows.items():
            wider = [x.new_zeros(len(x), self._capacity, *x.shape[2:]) for x in pair]
            for new, old in zip(wider, pair, strict=True):
                new[:, : old.shape[1]] = old
            self._rows[layer] = wider[0], wider[1]


def _detached(memory: Memory | None) -> Memory | None:
    """A memory that keeps no graph: later calls could not go back through it a second time."""
    if memory is None:
        return None
    return Memory(memory.keys.detach(), memory.values.detach(), memory.start)
