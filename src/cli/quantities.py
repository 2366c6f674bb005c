"""Limits as they are typed: shares, counts, latencies and memory, each with its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UserError
from ..text import quoted

NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,15})?)"
COUNTS: Mapping[str, float] = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
BYTES: Mapping[str, float] = {
    "MiB": 1.0,
    "GiB": 1024.0,
    "TiB": 1024.0**2,
    "MB": 1e6 / 2**20,
    "GB": 1e9 / 2**20,
    "TB": 1e12 / 2**20,
}
"""Unit → MiB."""


@dataclass(frozen=True)
class Share:
    """A share of something whose size is known later."""

    of_whole: float


@dataclass(frozen=True)
class Milliseconds:
    """A latency by the clock."""

    value: float


def weights(text: str, flag: str) -> float | Share:
    """A number of weights, or a share of the backbone's: "300k", "1.5M", "0.5%".

    Raises:
        UserError: It is neither.
    """
    if share := re.fullmatch(rf"{NUMBER}%", text):
        return Share(float(share[1]) / 100)
    if count := re.fullmatch(rf"{NUMBER}([kMG]?)", text):
        return float(count[1]) * COUNTS[count[2]]
    raise UserError(
        f"{flag}: must be a share of the backbone's weights such as 0.5%, or a number of weights "
        f"such as 300000, 300k, 1.5M or 1G, but got {quoted(text)}"
    )


def latency(text: str, flag: str) -> float | Milliseconds:
    """A latency in times the base model's, or by the clock: "+5%", "1.05x", "12ms".

    Raises:
        UserError: It is neither, or 0.
    """
    if more := re.fullmatch(rf"([+-]){NUMBER}%", text):
        ratio = 1 + float(f"{more[1]}{more[2]}") / 100
        if ratio > 0:
            return ratio
    elif times := re.fullmatch(rf"{NUMBER}[x×]", text):
        if float(times[1]) > 0:
            return float(times[1])
    elif (clock := re.fullmatch(rf"{NUMBER}ms", text)) and float(clock[1]) > 0:
        return Milliseconds(float(clock[1]))
    raise UserError(
        f"{flag}: must be above 0, and what the base model takes and more or less such as +5%, "
        f"times the base model such as 1.05x, or milliseconds such as 12ms, but got {quoted(text)}"
    )


def memory(text: str, flag: str) -> float:
    """A memory in MiB: "2GiB", "1500MB".

    Raises:
        UserError: It is no number above 0 with a unit.
    """
    size = re.fullmatch(rf"{NUMBER}({'|'.join(BYTES)})", text)
    if size is None or float(size[1]) == 0:
        raise UserError(
            f"{flag}: must be a number above 0 with a unit ({', '.join(BYTES)}), such as 2GiB, "
            f"but got {quoted(text)}"
        )
    return float(size[1]) * BYTES[size[2]]


def score(text: str, flag: str) -> float:
    """A least score.

    Raises:
        UserError: It is no number from -1 to 1.
    """
    if not re.fullmatch(rf"-?{NUMBER}", text) or not -1 <= float(text) <= 1:
        raise UserError(
            f"{flag}: must be a number from -1 to 1 on the scale of the task's score, such as "
            f"0.85, but got {quoted(text)}"
        )
    return float(text)
