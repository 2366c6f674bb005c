"""Compact letters: shared if and only if two methods are not separated."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunebench.analysis.verdict.letters import letters

NAMES = "pqrstuvw"


def tokens(display: str) -> set[str]:
    """The letters of a display; from the 27th on a letter has a number."""
    parts: list[str] = []
    for character in display:
        if character.isdigit():
            parts[-1] += character
        else:
            parts.append(character)
    return set(parts)


@st.composite
def separations(draw):
    methods = NAMES[: draw(st.integers(1, len(NAMES)))]
    pairs = list(itertools.combinations(methods, 2))
    return methods, [pair for pair in pairs if draw(st.booleans())]


@given(separations())
def test_methods_share_a_letter_if_and_only_if_they_are_not_separated(case):
    methods, apart = case
    shown = letters(methods, apart)
    for pair in itertools.combinations(methods, 2):
        shared = tokens(shown[pair[0]]) & tokens(shown[pair[1]])
        assert bool(shared) == (pair not in apart)
    assert all(shown.values())
    assert "a" in shown[methods[0]]


@given(separations())
def test_no_letter_can_be_left_out(case):
    methods, apart = case
    shown = {method: tokens(text) for method, text in letters(methods, apart).items()}
    together = [p for p in itertools.combinations(methods, 2) if p not in apart]
    for letter in set().union(*shown.values()):
        rest = {method: has - {letter} for method, has in shown.items()}
        still = all(rest.values()) and all(rest[a] & rest[b] for a, b in together)
        assert not still, letter


@given(separations())
def test_the_order_of_separations_does_not_matter(case):
    methods, apart = case
    swapped = [(b, a) for a, b in reversed(apart)]
    assert letters(methods, apart) == letters(methods, swapped)


@pytest.mark.parametrize(
    ("apart", "shown"),
    [
        ([], "a a a a"),
        (["ps", "qs", "rs"], "a a a b"),
        (["pr", "ps", "qs"], "a ab bc c"),
        (["pq", "pr", "ps", "qr", "qs", "rs"], "a b c d"),
        (["ps"], "a ab ab b"),
        # Piepho's own point: q is apart from r alone, and p and s are apart from nothing.
        (["qr"], "ab a b ab"),
    ],
)
def test_by_hand(apart, shown):
    pairs = [(pair[0], pair[1]) for pair in apart]
    assert " ".join(letters("pqrs", pairs).values()) == shown


def test_more_groups_than_letters_are_numbered():
    methods = [f"method {number}" for number in range(30)]
    shown = letters(methods, list(itertools.combinations(methods, 2)))
    assert shown["method 25"] == "z"
    assert shown["method 26"] == "a1"
    assert len(set(shown.values())) == 30


def test_nothing_has_no_letters():
    assert letters([], []) == {}
