"""What a GGUF file says of its tokenizer: the keys `tokenizer.ggml.*`, checked as they are asked.

Format: github.com/ggml-org/ggml, docs/gguf.md; the meaning of a missing key: llama.cpp's
src/llama-vocab.cpp.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError

NORMAL, UNKNOWN, CONTROL, DEFINED = 1, 2, 3, 4
"""Kinds of tokens: pieces of text, the one for what is unknown, those for no text, whole words."""
Named = tuple[str, int]
"""A token and its number."""


@dataclass(frozen=True)
class Stored:
    """The tokenizer's keys in one file."""

    path: Path
    raw: Mapping[str, Any]
    """All of the file's key-value pairs."""

    def get(self, key: str, usual: Any = None) -> Any:
        """A value, or the usual one where the file has none."""
        return self.raw.get(f"tokenizer.ggml.{key}", usual)

    def need(self, key: str) -> Any:
        """A value without which there is no tokenizer.

        Raises:
            UserError: The file has none.
        """
        if self.get(key) is None:
            raise UserError(f"{self.path}: the setting 'tokenizer.ggml.{key}' is missing")
        return self.get(key)

    @functools.cached_property
    def tokens(self) -> list[str]:
        """The vocabulary in order.

        Raises:
            UserError: A token is there twice, so that no text tells which of both is meant.
        """
        tokens: list[str] = self.need("tokens")
        places: dict[str, int] = {}
        for number, token in enumerate(tokens):
            if places.setdefault(token, number) != number:
                numbers = f"{places[token]} and {number}"
                raise UserError(
                    f"{self.path}: each token must be there once, but {token!r} is {numbers}"
                )
        return tokens

    @functools.cached_property
    def kinds(self) -> list[int]:
        """Each token's kind; all are pieces of text where the file does not say.

        Raises:
            UserError: There are more or fewer than tokens.
        """
        tokens = len(self.tokens)
        kinds: list[int] = self.get("token_type", [NORMAL] * tokens)
        if len(kinds) != tokens:
            raise UserError(
                f"{self.path}: tokenizer.ggml.token_type must have a number for each token, "
                f"but got (tokens={tokens}, token_type={len(kinds)})"
            )
        return kinds

    def token(self, role: str, usual: int | None = None) -> Named:
        """The token of a role: bos, eos, unknown or seperator (the format's spelling).

        Raises:
            UserError: The file does not say which it is, or names one beyond its vocabulary.
        """
        number: int | None = self.get(f"{role}_token_id", usual)
        if number is None or not 0 <= number < len(self.tokens):
            raise UserError(
                f"{self.path}: tokenizer.ggml.{role}_token_id must be the number of one of "
                f"{len(self.tokens)} tokens, but it is {number}"
            )
        return self.tokens[number], number
