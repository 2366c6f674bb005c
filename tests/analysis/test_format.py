from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunebench.analysis import format as formats
from tunebench.text import one_line, redact


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (770, "770"),
        (999, "999"),
        (999.6, "1.00 k"),
        (1000, "1.00 k"),
        (73_728, "73.7 k"),
        (999_600, "1.00 M"),
        (22_713_216, "22.7 M"),
        (1.5e9, "1.50 G"),
        (None, "not measured"),
    ],
)
def test_a_count_is_written_with_its_si_prefix(value: float | None, shown: str) -> None:
    assert formats.short(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.8734, "0.873"),
        (8.734, "8.73"),
        (9.996, "10.0"),
        (87.34, "87.3"),
        (99.96, "100"),
        (1204.4, "1,204"),
        (math.nan, "not measured"),
        (None, "not measured"),
    ],
)
def test_a_measurement_has_three_significant_digits(value: float | None, shown: str) -> None:
    assert formats.significant(value) == shown


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_what_is_written_is_within_half_a_percent_of_the_number(value: float) -> None:
    assert float(formats.significant(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


def test_a_whole_number_has_commas_and_what_is_not_finite_was_not_measured() -> None:
    for value in (0, 999, 1000, 22_713_216.4, -1234.0):
        assert int(formats.thousands(value).replace(",", "")) == round(value)
    assert formats.thousands(22_713_216) == "22,713,216"
    for absent in (None, math.nan, math.inf):
        assert formats.thousands(absent) == formats.ratio(absent) == formats.ABSENT
        assert not formats.present(absent)


def test_a_score_has_three_decimals_and_its_spread_only_where_there_is_one() -> None:
    assert formats.score(0.84159) == "0.842"
    assert formats.score(0.84159, 0.0114) == "0.842 ± 0.011"
    assert formats.score(None) == formats.score(math.inf) == formats.ABSENT


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4, "0 s"),
        (45, "45 s"),
        (59.6, "1 min 0 s"),
        (60, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (3900, "1 h 5 min"),
        (7260, "2 h 1 min"),
    ],
)
def test_a_duration_is_written_as_people_say_it(seconds: float, shown: str) -> None:
    assert formats.duration(seconds) == shown


def test_names_are_listed_as_a_sentence_has_them() -> None:
    assert formats.listed([]) == ""
    assert formats.listed(["a"]) == "a"
    assert formats.listed(["a", "b"]) == "a and b"
    assert formats.listed(["a", "b", "c"]) == "a, b and c"


def test_control_characters_and_line_breaks_never_reach_the_terminal() -> None:
    shown = one_line("one\ntwo\x1b[31m red\x07\ttab")
    assert shown == "one two [31m red tab"
    assert shown.isprintable()


def test_an_address_is_shown_without_its_credentials() -> None:
    text = "no answer from https://user:canary@host:5000/x and http://plain/y"
    assert redact(text) == "no answer from https://***@host:5000/x and http://plain/y"
