"""Texts → token ids: a tokenizer.json, or the vocabulary inside a GGUF file."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ...checkpoints.catalogue import locate
from ...checkpoints.files import refuse_pointer
from ...checkpoints.gguf.tokenizer import tokenizer_of
from ...errors import UserError


@dataclass(frozen=True)
class TemplateSpans:
    """What a template says of one row, by the places of its tokens in that row."""

    soft_token_positions: tuple[int, ...]
    """The tokens before which virtual ones may stand; the number of tokens means the end."""
    read: int
    """The token whose final state the label word is read from."""


@dataclass(frozen=True)
class Encoded:
    """Token ids and segments of one split, a tuple of numbers each row."""

    ids: tuple[tuple[int, ...], ...]
    segments: tuple[tuple[int, ...], ...]
    truncated: int
    """Rows that were cut to the longest allowed length."""
    spans: tuple[TemplateSpans, ...] = ()
    """Where a template put each row's soft tokens and label word; empty without a template."""

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.ids)

    def joined(self, other: Encoded) -> Encoded:
        """The rows of both, these first."""
        return Encoded(
            self.ids + other.ids,
            self.segments + other.segments,
            self.truncated + other.truncated,
            self.spans + other.spans,
        )

    def without_prefix(self, tokens: int, soft_tokens: int) -> Encoded:
        """The rows without their first so many tokens and soft tokens."""
        return Encoded(
            tuple(row[tokens:] for row in self.ids),
            tuple(row[tokens:] for row in self.segments),
            self.truncated,
            tuple(
                TemplateSpans(
                    tuple(place - tokens for place in row.soft_token_positions[soft_tokens:]),
                    row.read - tokens,
                )
                for row in self.spans
            ),
        )

    def repeated(self, row: int, times: int) -> Encoded:
        """One row, so many times."""
        spans = self.spans[row : row + 1] * times
        return Encoded((self.ids[row],) * times, (self.segments[row],) * times, 0, spans)


def load_tokenizer(name_or_folder: str) -> Tokenizer:
    """The tokenizer that belongs to a backbone, without padding or truncation."""
    path = locate(name_or_folder)
    if path.is_dir():
        file = path / "tokenizer.json"
        if not file.is_file():
            raise UserError(f"backbone folder {path}: tokenizer.json is missing")
        tokenizer = _from_json(file)
    else:
        tokenizer = tokenizer_of(_metadata(path), path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _from_json(file: Path) -> Tokenizer:
    refuse_pointer(file)
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower one
        raise UserError(f"{file} is not a readable tokenizer.json: {error}") from None


def check_vocabulary(rows: Sequence[Sequence[int]], vocabulary: int) -> None:
    """Every token has a row in the backbone's table of words.

    Raises:
        UserError: One has none; tokenizer and weights do not belong together.
    """
    highest = max((max(row, default=0) for row in rows), default=0)
    if highest >= vocabulary:
        raise UserError(
            "the tokenizer and the backbone's weights do not belong together: "
            f"`token < vocabulary` must hold, but got (token={highest}, vocabulary={vocabulary})"
        )


def unseen(tokenizer: Tokenizer, encoded: Encoded) -> int:
    """How many rows have no token of their own that the tokenizer knows.

    Emoji and scripts that are not in a vocabulary become its unknown token, and some characters
    become nothing: such rows look all the same to the backbone.
    """
    added = tokenizer.get_added_tokens_decoder()
    blank = {number for number, token in added.items() if token.special}
    unknown = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "")
    if unknown is not None:
        blank.add(unknown)
    return sum(blank.issuperset(row) for row in encoded.ids)


def encode(
    tokenizer: Tokenizer, texts: Sequence[tuple[str, ...]], *, max_length: int, pairs: bool
) -> Encoded:
    """Each row's text or pair as ids, at most `max_length` tokens.

    A pair goes through the tokenizer's own pair template (BERT: segments 0 and 1) where `pairs`;
    otherwise both texts stand in one, a line break between.
    """
    tokenizer.enable_truncation(max_length)
    rows = [row if pairs else "\n".join(row) for row in texts]
    rows = [row[0] if isinstance(row, tuple) and len(row) == 1 else row for row in rows]
    encodings = tokenizer.encode_batch(rows)
    tokenizer.no_truncation()
    # An empty text has no token in a decoder's vocabulary, and needs one to attend to.
    blank = (tokenizer.encode("\n").ids or [0])[0]
    return Encoded(
        tuple(tuple(e.ids) or (blank,) for e in encodings),
        tuple(tuple(e.type_ids) or (0,) for e in encodings),
        sum(bool(e.overflowing) for e in encodings),
    )


def stop_tokens(name_or_folder: str) -> frozenset[int]:
    """The tokens that end a text, as the checkpoint says; none where it does not say."""
    path = locate(name_or_folder)
    if not path.is_dir():
        ids = [_metadata(path).get(f"tokenizer.ggml.{kind}_token_id") for kind in ("eos", "eot")]
        return frozenset(token for token in ids if token is not None)
    # What a folder says of generation goes before what it says of the network.
    for name in ("generation_config.json", "config.json"):
        stops = _setting(path / name, "eos_token_id")
        if stops is not None:
            return frozenset(stops if isinstance(stops, list) else [stops])
    return frozenset()


def continuation(tokenizer: Tokenizer, prompt: Sequence[int], new: Sequence[int]) -> str:
    """The text of new tokens after a prompt, special tokens left out.

    A blank before the first new word belongs to the continuation, and some decoders drop it at a
    text's beginning: the whole is decoded, and the prompt's part is cut off.
    """
    before, whole = tokenizer.decode(list(prompt)), tokenizer.decode([*prompt, *new])
    cut = whole.startswith(before)
    return whole[len(before) :] if cut else tokenizer.decode(list(new))


def _setting(file: Path, key: str) -> Any:
    """One setting of a JSON file; none where file or setting is missing."""
    try:
        raw = json.loads(file.read_bytes()) if file.is_file() else {}
    except ValueError as error:
        raise UserError(f"{file} is not readable JSON: {error}") from None
    return raw.get(key) if isinstance(raw, dict) else None


@functools.lru_cache(maxsize=1)
def _metadata(path: Path) -> dict[str, Any]:
    """A GGUF file's key-value pairs, kept: reading them takes seconds."""
    # Only here: the reader of GGUF files takes a quarter of a second to import.
    from ...checkpoints.gguf.file import metadata

    return metadata(path)
