from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunebench.analysis import Analysis, TaskAnalysis, analyse
from tunebench.records import Comparison
from tunebench.report import plots
from tunebench.report.drawing import tick
from tunebench.report.svg import SERIES

from tests.records import comparison, result

Draw = Callable[[Analysis, TaskAnalysis, str], str | None]
POINTS = st.lists(st.tuples(st.floats(1, 1e6), st.floats(-1, 1)), min_size=1, max_size=12)


def drawn(draw: Draw, records: Comparison, name: str) -> str | None:
    analysis = analyse(records)
    return draw(analysis, analysis.tasks[0], name)


@given(POINTS)
def test_the_front_holds_exactly_the_points_that_nothing_beats(
    points: list[tuple[float, float]],
) -> None:
    kept = plots.unbeaten(points)
    for cost, value in points:
        beaten = any((c <= cost and v >= value) and (c, v) != (cost, value) for c, v in points)
        assert ((cost, value) in kept) == (not beaten)
    assert kept == sorted(kept)


def test_nine_methods_differ_in_colour_or_marker() -> None:
    records = comparison(("sst2",), tuple(f"m{i}" for i in range(20)), (0,))
    looks = plots.series(records.methods)
    assert len(set(looks.values())) == 20
    assert {colour for colour, _ in looks.values()} == set(range(len(SERIES)))


def test_a_drawing_is_well_formed_and_says_what_it_shows() -> None:
    drawing = drawn(plots.against_latency, comparison(("sst2",)), "p")
    assert drawing is not None
    root = ET.fromstring(drawing)
    assert root.get("aria-label") == "Score against latency of one text, ms on sst2"
    assert root.get("viewBox")


def test_two_drawings_of_one_page_share_no_identity() -> None:
    records = comparison(("sst2",))
    drawings = [drawn(plots.against_latency, records, name) for name in ("a", "b")]
    first, second = (set(re.findall(r'\bid="([^"]+)"', str(drawing))) for drawing in drawings)
    assert first
    assert not first & second


def test_references_are_lines_with_their_names() -> None:
    drawing = drawn(plots.against_parameters, comparison(("sst2",)), "p")
    assert drawing is not None
    assert "majority class" in drawing
    assert "bag of words" in drawing


def test_one_point_is_no_drawing() -> None:
    records = comparison(("sst2",), ("lora",))
    assert drawn(plots.against_parameters, records, "p") is None


def test_a_method_without_the_cost_is_left_out_of_the_drawing_only() -> None:
    records = comparison(("sst2",), ("lora", "head", "full"), (0,))
    blind = replace(records.results[2], latency_ms=None)
    records = replace(records, results=(*records.results[:2], blind))
    drawing = drawn(plots.against_latency, records, "p")
    assert drawing is not None
    assert "head:" in drawing
    assert "full:" not in drawing


def test_no_curve_is_no_drawing() -> None:
    records = comparison(
        ("sst2",),
        status={("sst2", m, s): "missing" for m, s in itertools.product(("lora", "head"), (0, 1))},
    )
    assert drawn(plots.curves, records, "p") is None


def test_mathematics_in_a_name_is_not_set_as_mathematics() -> None:
    records = comparison(("sst2",), ("lora", "a$b$"), (0,))
    records = replace(
        records, results=tuple(replace(result("sst2", m, 0), metric="$x") for m in records.methods)
    )
    drawing = drawn(plots.against_latency, records, "p")
    assert drawing is not None
    assert ">a$b$</text>" in drawing
    assert ">$x</text>" in drawing


def test_matplotlibs_settings_are_left_as_they_were() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    drawn(plots.against_latency, comparison(("sst2",)), "p")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "1"), (100.0, "100"), (1e3, "1 k"), (1e5, "100 k"), (1e7, "10 M")]
)
def test_a_tick_is_as_short_as_it_can_be(value: float, shown: str) -> None:
    assert tick(value) == shown
