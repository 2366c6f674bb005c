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
from ...text import quoted

NORMAL, UNKNOWN, CONTROL, DEFINED = 1, 2, 3, 4
"""Kinds of tokens: pieces of text, the one for what is unknown, those for no text, whole words."""
NAMES: Mapping[type | tuple[type, ...], str] = {
    str: "texts",
    int: "whole numbers",
    (int, float): "numbers",
}
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

    def flag(self, key: str, usual: bool) -> bool:
        """A value that is true or false.

        Raises:
            UserError: It is neither.
        """
        value = self.get(key, usual)
        if not isinstance(value, bool):
            raise UserError(
                f"{self.path}: tokenizer.ggml.{key} must be true or false, "
                f"but it is {quoted(value)}"
            )
        return value

    def listed(self, key: str, kind: type | tuple[type, ...]) -> list[Any]:
        """A list without which there is no tokenizer, its values all of one kind.

        Raises:
            UserError: The file has none, or other values.
        """
        values = self.need(key)
        if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
            raise UserError(
                f"{self.path}: tokenizer.ggml.{key} must be a list of {NAMES[kind]}, "
                f"but it is {quoted(values)}"
            )
        return values

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
        tokens: list[str] = self.listed("tokens", str)
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
        if self.get("token_type") is None:
            return [NORMAL] * tokens
        kinds: list[int] = self.listed("token_type", int)
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
        number = self.get(f"{role}_token_id", usual)
        if not isinstance(number, int) or not 0 <= number < len(self.tokens):
            raise UserError(
                f"{self.path}: tokenizer.ggml.{role}_token_id must be the number of one of "
                f"{len(self.tokens)} tokens, but it is {number}"
            )
        return self.tokens[number], number
