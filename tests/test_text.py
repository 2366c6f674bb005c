"""Texts for people: what is masked in them."""

from __future__ import annotations

import pytest
from tunebench.text import redact


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://u:p@h:1/x", "http://***@h:1/x"),
        ("postgresql+psycopg://u:p@ss'w@h/db?x=1", "postgresql+psycopg://***@h/db?x=1"),
        ("mysql://h/db?user=u&password=p", "mysql://h/db?user=u&password=***"),
        ("nothing to hide: a@b and http://h/x", "nothing to hide: a@b and http://h/x"),
    ],
)
def test_redacting_masks_credentials_and_nothing_else(text: str, masked: str) -> None:
    assert redact(text) == masked
