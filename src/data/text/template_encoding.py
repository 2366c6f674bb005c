"""Rows filled into a template → token ids, with the places of soft tokens and the label word.

The whole text is tokenised at once, as a language model saw texts in its training; characters then
say which tokens are a column's. Only those are cut where a text is too long: never the template's
own words, and never a soft token.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Encoding, Tokenizer

from ...errors import UserError
from .template import Filled, Template
from .tokens import Encoded, TemplateSpans

MASKS = ("[MASK]", "<mask>")
"""How tokenizers write their mask."""
FILLING = ("it", "it")
"""What stands in the columns while a label word is looked up."""


def encode_template(
    tokenizer: Tokenizer, template: Template, texts: Sequence[tuple[str, ...]], *, max_length: int
) -> Encoded:
    """Each row's texts in the template as ids, at most `max_length` tokens.

    Raises:
        UserError: The template alone is longer, or the tokenizer has no mask that it needs.
    """
    mask = mask_of(tokenizer, template)
    rows = [template.fill(row, mask) for row in texts]
    encodings = tokenizer.encode_batch([row.text for row in rows])
    kept = [
        _kept(encoding, row, max_length, template)
        for encoding, row in zip(encodings, rows, strict=True)
    ]
    every = list(zip(encodings, rows, kept, strict=True))
    return Encoded(
        tuple(tuple(encoding.ids[i] for i in keep) for encoding, _, keep in every),
        tuple(tuple(encoding.type_ids[i] for i in keep) for encoding, _, keep in every),
        sum(len(keep) < len(encoding.ids) for encoding, _, keep in every),
        tuple(_spans_of(encoding, row, keep) for encoding, row, keep in every),
    )


def word_id(tokenizer: Tokenizer, template: Template, word: str, *, causal: bool) -> int:
    """A label word's single token, as it stands in the template: at its end, or in the mask.

    A decoder's word follows after a space, but for a template that ends in a line break. What
    spaces become is the tokenizer's affair, so the filled template is read with the word and
    without, and the difference is the word.

    Raises:
        UserError: The tokenizer makes several tokens of it, or none, or does not know it.
    """
    tokens, ids = _difference(tokenizer, template, word, causal)
    if len(ids) != 1:
        made = " ".join(tokens) or "nothing"
        raise UserError(
            f"data.label_words: a label word must be one token, but '{word}' is "
            f"{len(ids)} here ({made})"
        )
    if tokens[0] == getattr(tokenizer.model, "unk_token", None):
        raise UserError(f"data.label_words: '{word}' is not in this backbone's vocabulary")
    return ids[0]


def _difference(
    tokenizer: Tokenizer, template: Template, word: str, causal: bool
) -> tuple[list[str], list[int]]:
    """The tokens, and their ids, that a filled template has more for having this word."""
    mask = mask_of(tokenizer, template)
    without_answer = template.fill(FILLING, mask).text
    spaced = f" {word}" if word and not without_answer.endswith("\n") else word
    answered = without_answer + spaced if causal else template.fill(FILLING, word).text
    without, full = (
        tokenizer.encode(text, add_special_tokens=False) for text in (without_answer, answered)
    )
    asked = tokenizer.token_to_id(mask) if mask else None
    begin = len(without.ids) if asked is None else without.ids.index(asked)
    end = len(full.ids) - len(without.ids[begin + 1 :])
    if full.ids != without.ids[:begin] + full.ids[begin:end] + without.ids[begin + 1 :]:
        raise UserError(
            f"data.label_words: '{word}' and the text beside it in data.template "
            f"{template.written!r} become one token here ({' '.join(full.tokens)})"
        )
    return full.tokens[begin:end], full.ids[begin:end]


def mask_of(tokenizer: Tokenizer, template: Template) -> str:
    """The tokenizer's own mask where the template has one."""
    if "mask" not in template.parts:
        return ""
    for mask in MASKS:
        if tokenizer.token_to_id(mask) is not None:
            return mask
    raise UserError(
        f"data.template {template.written!r}: this backbone's tokenizer has no mask "
        f"(known: {', '.join(MASKS)})"
    )


def _kept(encoding: Encoding, row: Filled, max_length: int, template: Template) -> list[int]:
    """The tokens that stay: the longest column loses its last ones, as often as it must."""
    owned = [_owned(encoding, row.text, column) for column in row.columns]
    for _ in range(len(encoding.ids) - max_length):
        most = max(owned, key=len)
        if not most:
            raise UserError(
                f"data.template {template.written!r}: the template alone is longer than "
                f"the {max_length} tokens of data.max_length"
            )
        most.pop()
    column = {i for tokens in owned for i in tokens}
    every = {i for span in row.columns for i in _owned(encoding, row.text, span)}
    return [i for i in range(len(encoding.ids)) if i not in every or i in column]


def _owned(encoding: Encoding, text: str, column: tuple[int, int]) -> list[int]:
    """A column's tokens: those that end in it and hold of the template at most a space before."""
    begin, end = column
    return [
        i
        for i, (first, last) in enumerate(encoding.offsets)
        if begin < last <= end and not text[first:begin].strip()
    ]


def _spans_of(encoding: Encoding, row: Filled, kept: Sequence[int]) -> TemplateSpans:
    """Characters → places among the kept tokens; the tokenizer's own marks stay outside."""
    text = [place for place, i in enumerate(kept) if not encoding.special_tokens_mask[i]]
    spans = [encoding.offsets[i] for i in kept]
    positions = tuple(
        _first_place_after(spans, text, character) for character in row.soft_token_positions
    )
    if row.mask is None:
        return TemplateSpans(positions, text[-1])
    return TemplateSpans(positions, next(i for i in text if spans[i][0] <= row.mask < spans[i][1]))


def _first_place_after(
    spans: Sequence[tuple[int, int]], text: Sequence[int], character: int
) -> int:
    """The first place whose token does not end before this character."""
    return next((place for place in text if spans[place][1] > character), text[-1] + 1)
