"""A limit is stated twice, as text beside a setting and in the method's check: they agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tunebench.backbone.config import BackboneConfig
from tunebench.config import AtMost, Below, Choice, Sites
from tunebench.errors import UserError
from tunebench.methods import get_method, names
from tunebench.methods._catalogue import card
from tunebench.methods._limits import check_limits

from tests.tiny import CONFIGS, FAMILIES

SHAPES = {**CONFIGS, **FAMILIES}
MARKS = (AtMost, Below, Sites)


def marked() -> Iterator[tuple[str, str, object]]:
    """Every method's setting that says what of it the backbone's shape allows."""
    for method in names():
        for name, setting in card(method).settings.items():
            for mark in getattr(setting.annotation, "__metadata__", ()):
                if isinstance(mark, MARKS):
                    yield method, name, mark


def values(mark: object, cfg: BackboneConfig) -> Iterator[Any]:
    """Values on both sides of the limit, and its own."""
    if isinstance(mark, Sites):
        first, *others = cfg.sites
        yield from ((), (first,), tuple(cfg.sites), (first, first), (first, "attn.nothing"))
        yield from ((site,) for site in others)
        return
    sides = {size for site in cfg.sites for size in cfg.linear(site)}
    for limit in sorted({cfg.width, cfg.context, *sides}):
        yield from (limit - 1, limit, limit + 1)


def refused_by_text(method: str, settings: dict[str, Any], cfg: BackboneConfig) -> bool:
    try:
        check_limits(method, settings, cfg, ".".join, trials=1)
    except UserError:
        return True
    return False


def refused_by_method(method: str, settings: dict[str, Any], cfg: BackboneConfig) -> bool:
    try:
        get_method(method)(**settings).check(cfg)
    except UserError:
        return True
    return False


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize(
    ("method", "name", "mark"), [pytest.param(*m, id=f"{m[0]}.{m[1]}") for m in marked()]
)
def test_text_and_check_refuse_the_same_values(
    method: str, name: str, mark: object, shape: str
) -> None:
    cfg = SHAPES[shape]
    answers = set()
    # The smallest rank and size: what is refused is refused for the setting under test.
    small = {"rank": 1} if name == "sites" and "rank" in card(method).settings else {}
    for value in values(mark, cfg):
        settings = {**small, name: value}
        refused = refused_by_method(method, settings, cfg)
        assert refused_by_text(method, settings, cfg) == refused, (settings, cfg.sites)
        answers.add(refused)
    assert answers == {True, False}


@pytest.mark.parametrize(
    "chosen",
    [{"low": 1, "high": 10_000}, {"high": 10_000}, {"low": 10_000}, Choice(1, 10_000), [1, 10_000]],
)
def test_what_a_search_may_choose_is_below_the_limit_too(chosen: Any) -> None:
    cfg = CONFIGS["encoder"]
    assert refused_by_text("lora", {"rank": chosen}, cfg)
    smaller: Any = {"low": 1, "high": 2} if isinstance(chosen, dict) else [1, 2]
    assert not refused_by_text("lora", {"rank": smaller}, cfg)


def test_every_kind_of_mark_is_used() -> None:
    assert {type(mark) for _, _, mark in marked()} == set(MARKS)
