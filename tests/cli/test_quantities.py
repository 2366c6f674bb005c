"""Limits as they are typed: what each unit means, and one line for everything else."""

from __future__ import annotations

import pytest
from tunebench.cli import quantities
from tunebench.cli.quantities import Milliseconds, Share
from tunebench.errors import UserError


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (quantities.weights, "0.5%", Share(0.005)),
        (quantities.weights, "0", 0.0),
        (quantities.weights, "300000", 300e3),
        (quantities.weights, "300k", 300e3),
        (quantities.weights, "1.5M", 1.5e6),
        (quantities.weights, "2G", 2e9),
        (quantities.latency, "+5%", 1.05),
        (quantities.latency, "-10%", 0.9),
        (quantities.latency, "1.05x", 1.05),
        (quantities.latency, "1.05×", 1.05),
        (quantities.latency, "12ms", Milliseconds(12.0)),
        (quantities.memory, "1MiB", 1.0),
        (quantities.memory, "2GiB", 2048.0),
        (quantities.memory, "0.5TiB", 2.0**19),
        (quantities.memory, "1.048576MB", 1.0),
        (quantities.memory, "1GB", 1e9 / 2**20),
        (quantities.memory, "1TB", 1e12 / 2**20),
        (quantities.score, "0.85", 0.85),
        (quantities.score, "-0.2", -0.2),
        (quantities.score, "1", 1.0),
    ],
)
def test_a_limit_is_read_with_its_unit(read, text, value) -> None:
    assert read(text, "--x") == (
        value if isinstance(value, Share | Milliseconds) else pytest.approx(value)
    )


@pytest.mark.parametrize(
    ("read", "text", "known"),
    [
        *((quantities.weights, text, "300k") for text in ("", "half", "5 %", "-1", "1e5", "3K")),
        *((quantities.weights, text, "0.5%") for text in ("+5%", "nan", "1,000", "٣")),
        *((quantities.latency, text, "1.05x") for text in ("5%", "1.05", "12", "0x", "0ms")),
        *((quantities.latency, text, "12ms") for text in ("-100%", "-200%", "12 ms", "2s")),
        *((quantities.memory, text, "GiB") for text in ("2", "2G", "2gib", "0GiB", "-1MB", "GB")),
        *((quantities.score, text, "from -1 to 1") for text in ("85%", "1.01", "-2", "", "inf")),
    ],
)
def test_anything_else_is_one_line_with_what_is_known(read, text, known) -> None:
    with pytest.raises(UserError) as error:
        read(text, "--limit")
    message = str(error.value)
    assert message.startswith("--limit: must be")
    assert known in message
    assert repr(text) in message
    assert "\n" not in message
