"""Texts → token ids, and new tokens back to text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

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

    def take(self, rows: Sequence[int]) -> Encoded:
        """These rows, in this order; which of them were cut is not known."""
        return Encoded(
            tuple(self.ids[row] for row in rows),
            tuple(self.segments[row] for row in rows),
            0,
            tuple(self.spans[row] for row in rows if self.spans),
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


def continuation(tokenizer: Tokenizer, prompt: Sequence[int], new: Sequence[int]) -> str:
    """The text of new tokens after a prompt, special tokens left out.

    A blank before the first new word belongs to the continuation, and some decoders drop it at a
    text's beginning: the whole is decoded, and the prompt's part is cut off.
    """
    before, whole = tokenizer.decode(list(prompt)), tokenizer.decode([*prompt, *new])
    cut = whole.startswith(before)
    return whole[len(before) :] if cut else tokenizer.decode(list(new))
