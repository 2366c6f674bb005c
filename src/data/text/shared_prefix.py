"""What of a template stands before every text, and so may be read once on a causal backbone.

A tokenizer may join the template's last characters before a text with the text's first ones: only
tokens that are the same in every row belong to the shared prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from tokenizers import Tokenizer

from ...backbone.layout import SharedPrefix
from .template import Column, Template
from .template_encoding import mask_of
from .tokens import Encoded

PROBES = ("a", "it is", "The 2", "'s", "\n", "é", "")
"""Beginnings of texts, to see which of a template's first tokens no text changes."""


def find_shared_prefix(
    tokenizer: Tokenizer, template: Template, splits: Sequence[Encoded]
) -> SharedPrefix:
    """The tokens before the first column that all rows have, and the soft tokens among them.

    Args:
        tokenizer: The backbone's.
        template: What the rows were filled into.
        splits: All rows that are ever read; each keeps the token that its word is read from.
    """
    rows = [row for split in splits for row in split.ids]
    spans = [row for split in splits for row in split.spans]
    common = _common([leading(tokenizer, template), *rows])
    ids = common[: min((row.read for row in spans), default=0)]
    if not template.soft_tokens:
        return SharedPrefix(ids)
    before = template.parts[: _first_column(template)].count("soft token")
    columns = list(zip(*(row.soft_token_positions for row in spans), strict=True))[:before]
    fixed = takewhile(lambda places: len({*places}) == 1 and places[0] <= len(ids), columns)
    positions = tuple(places[0] for places in fixed)
    return SharedPrefix(ids, positions, template.soft_tokens - len(positions))


def leading(tokenizer: Tokenizer, template: Template) -> tuple[int, ...]:
    """The tokens before the first column that are the same whatever stands in the columns."""
    mask = mask_of(tokenizer, template)
    before = []
    for probe in PROBES:
        row = template.fill((probe, probe), mask)
        encoding = tokenizer.encode(row.text)
        ends = [end <= row.columns[0][0] for _, end in encoding.offsets]
        stop = ends.index(False) if False in ends else len(ends)
        before.append(encoding.ids[:stop])
    return _common(before)


def _common(rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """What all rows begin with."""
    columns = zip(*rows, strict=False)
    return tuple(column[0] for column in takewhile(lambda column: len({*column}) == 1, columns))


def _first_column(template: Template) -> int:
    """Which part is the first column; every template has one."""
    return next(n for n, part in enumerate(template.parts) if isinstance(part, Column))
