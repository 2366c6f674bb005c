"""What a GGUF file says of its network, of which nothing may be passed over in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...backbone.counts import check_counts
from ...errors import UserError

TOKENS = "tokenizer.ggml.tokens"
TOKENIZER = "tokenizer."
"""What keys begin with that no architecture's name stands before."""
WINDOW = "attention.sliding_window"
COUNTS = (
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "rope.dimension_count",
    WINDOW,
)
"""Settings that say how many of something there are."""
NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "attention.max_alibi_bias": (0.0,),
    "attention.clamp_kqv": (0.0,),
    "attention.scale": (0.0,),
    "attention.group_norm_epsilon": (0.0,),
    "attention.group_norm_groups": (0,),
    "attn_logit_softcapping": (0.0,),
    "embedding_scale": (0.0, 1.0),
    "expert_count": (0,),
    "expert_used_count": (0,),
    "expert_feed_forward_length": (0,),
    "final_logit_softcapping": (0.0,),
    "leading_dense_block_count": (0,),
    "logit_scale": (0.0, 1.0),
    "residual_scale": (0.0, 1.0),
    "use_parallel_residual": (False,),
}
"""Settings of other networks, at the values at which they change nothing."""
OUTSIDE = frozenset({
    "classifier.output_labels",  # names of a reranker's classes, whose classifier is not read
    "pooling_type",  # how an embedding model reads final states: our heads say that themselves
    "rope.scaling.finetuned",  # whether it was trained so
    "rope.scaling.original_context_length",  # needed for yarn alone
    "tensor_data_layout",  # which program the rows of q and k were reordered for
})  # fmt: skip
"""Settings that say nothing of the network."""


class Settings(Mapping[str, Any]):
    """A file's settings by llama.cpp's names, without the architecture's name before them.

    It remembers which were asked for: what the architecture's own function did not ask is not
    understood, and must be one that changes nothing.
    """

    def __init__(self, metadata: Mapping[str, Any], architecture: str) -> None:
        """All that a file says of its network, and its vocabulary."""
        self._metadata, self._prefix = metadata, f"{architecture}."
        self._asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        """One setting, which counts as understood from now on."""
        self._asked.add(key)
        return self._metadata[key if key.startswith(TOKENIZER) else f"{self._prefix}{key}"]

    def __iter__(self) -> Iterator[str]:
        """The settings that the file has."""
        return (
            key.removeprefix(self._prefix) for key in self._metadata if key.startswith(self._prefix)
        )

    def __len__(self) -> int:
        """How many the file has."""
        return sum(1 for _ in self)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are.

        Raises:
            UserError: The file says two different numbers.
        """
        tokens = len(self[TOKENS])
        if self.get("vocab_size", tokens) != tokens:
            raise UserError(
                f"{self._prefix}vocab_size={self['vocab_size']!r}, but {TOKENS} has {tokens}"
            )
        return tokens

    def only(self, **known: Any) -> None:
        """Refuse another value than the only one that our network can have.

        Args:
            **known: By the setting's name, with two underscores for a dot.

        Raises:
            UserError: A setting has another.
        """
        for name, value in known.items():
            key = name.replace("__", ".")
            if self.get(key, value) != value:
                raise UserError(
                    f"{self._prefix}{key}={self[key]!r} is not supported (only {value!r} is)"
                )

    def check_counts(self) -> None:
        """Refuse a number of something that is none.

        Raises:
            ValueError: It is no whole number, or less than 1.
        """
        # Not asked for: whether it is understood is for the architecture to say.
        named = {
            f"{self._prefix}{key}": self._metadata.get(f"{self._prefix}{key}") for key in COUNTS
        }
        named = {name: value for name, value in named.items() if value is not None}
        if named.get(f"{self._prefix}{WINDOW}") == 0:  # llama.cpp's word for none
            del named[f"{self._prefix}{WINDOW}"]
        check_counts(named)

    def refuse_others(self) -> None:
        """Refuse settings that nobody asked for, unless they change nothing.

        Raises:
            UserError: There is one that may change the network; the text has its name.
        """
        for key in self:
            value = self._metadata[f"{self._prefix}{key}"]
            if key in self._asked or key in OUTSIDE or value in NEUTRAL.get(key, ()):
                continue
            raise UserError(f"the setting {self._prefix}{key}={value!r} is not supported")
