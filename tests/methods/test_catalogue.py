from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from tunebench.cli import listings
from tunebench.cli.fields import core
from tunebench.config import Choice, Range
from tunebench.errors import UnknownName
from tunebench.methods import _catalogue as catalogue
from tunebench.methods import get_method, names

BASE = '''
@dataclass(eq=False)
class Method(Callback):
    """The base."""

    lr: Annotated[float, Range(1e-4, 1e-2, log=True)] = 1e-3
    """Learning rate."""
    plugged: list[str] = field(init=False)
    kinds: ClassVar[int] = 3
    _hidden: int = 1
'''
MINE = '''"""Mine: a method
of the tests.

    y = x + 1

    z = y

Plugs      blocks.*.attn.q,
           blocks.*.attn.v
Trains     one
Folds      itself
Source     nobody 2020

Prose that belongs to nobody.
"""
import no_such_package

class Helper:
    size: int = 1

@dataclass(eq=False)
class Mine(Method):
    lr: Annotated[float, Range(1e-5, 1.0)] = 0.5
    """Another
    rate."""
    size: Annotated[int, Choice(1, 2), Ge(1)] = 2
    kind: Annotated[Literal["a", "b"], Choice("a", "b")] = "a"
    sites: tuple[str, ...] = ("q",)
    shift: float | None = None
    """Moves it."""
    odd: dict[str, int] = 3

METHOD = Mine
'''


@pytest.fixture
def mine(tmp_path: Path) -> catalogue.Card:
    (tmp_path / "base.py").write_text(BASE)
    (tmp_path / "mine.py").write_text(MINE)
    return catalogue.card("mine", tmp_path)


def test_a_header_is_taken_apart_and_the_file_is_not_run(mine: catalogue.Card) -> None:
    assert mine.title == "Mine: a method of the tests."
    assert mine.formula.split() == ["y", "=", "x", "+", "1", "z", "=", "y"]
    assert mine.header == {
        "Plugs": "blocks.*.attn.q, blocks.*.attn.v",
        "Trains": "one",
        "Folds": "itself",
        "Source": "nobody 2020",
        "Measured": "not measured",
    }


def test_settings_are_the_fields_that_a_user_may_set(mine: catalogue.Card) -> None:
    assert list(mine.settings) == ["lr", "size", "kind", "sites", "shift", "odd"]
    lr, size, kind, sites, shift, odd = mine.settings.values()
    assert (lr.range, lr.default, lr.about) == (Range(1e-5, 1.0), 0.5, "Another rate.")
    assert (size.range, core(size.annotation)) == (Choice(1, 2), (int, False))
    assert get_args(kind.annotation) == ("a", "b")
    assert (sites.annotation, sites.default, sites.range) == (tuple[str, ...], ("q",), None)
    assert core(shift.annotation) == (float, True)
    assert (odd.annotation, odd.written) == (Any, "dict[str, int]")


@pytest.mark.parametrize("name", names())
def test_the_text_of_a_method_says_what_its_class_says(name: str) -> None:
    method = get_method(name)
    hints = get_type_hints(method, include_extras=True)
    class_fields = {f.name: f for f in fields(method) if f.init}
    card = catalogue.card(name).settings
    assert set(card) == set(class_fields)
    for setting in card.values():
        marks = getattr(hints[setting.name], "__metadata__", ())
        ranges = [mark for mark in marks if isinstance(mark, Choice | Range)]
        assert setting.range == (ranges[0] if ranges else None)
        assert setting.default == class_fields[setting.name].default
        assert core(setting.annotation) == core(hints[setting.name])
        assert setting.about


@pytest.mark.parametrize("name", names())
def test_every_method_s_header_has_its_lines(name: str) -> None:
    card = catalogue.card(name)
    assert set(card.header) == set(catalogue.HEADINGS)
    assert all(card.header.values())
    assert card.formula


def test_an_unknown_method_is_answered_by_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean 'lora'"):
        catalogue.card("lroa")


def test_the_listings_name_everything_there_is() -> None:
    table = listings.methods()
    assert [name for name in names() if f"  {name} " not in table] == []
    for name in names():
        text = listings.method(name)
        assert all(f"  {setting} " in text for setting in catalogue.card(name).settings)
    assert "sst2" in listings.tasks()
    assert "similarity" in listings.tasks()
    assert "minilm" in listings.backbones()
