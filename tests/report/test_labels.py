"""Names in drawings: never on each other nor on a marker, however close the points are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tunebench.analysis import analyse
from tunebench.report import plots
from tunebench.report.drawing import canvas, look
from tunebench.report.labels import MARKER, Box, Place, lines, names, place, shared
from tunebench.report.style import STYLE

from tests.browser import launched
from tests.records import comparison

METHODS = (
    *("adapter", "bitfit", "full", "head", "ia3", "layer_norm", "lora", "p_tuning"),
    *("p_tuning_v2", "prefix", "prompt", "vera"),
)
LEVELS = [("majority class", 0.50), ("bag of words", 0.62), ("zero-shot", 0.51)]


def drawn(
    values: Sequence[tuple[float, float]], levels: Sequence[tuple[str, float]]
) -> tuple[list[Box], list[Box], Box]:
    """What matplotlib really draws: boxes of names, of markers, and of the axes, in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with look():
        figure, axes = canvas("x", "y")
        for x, y in values:
            axes.plot([x], [y], "o", markersize=7)
        axes.margins(x=0.12, y=0.14)
        lines(axes, levels)
        names(axes, [(m, *value) for m, value in zip(METHODS, values, strict=False)], levels)
        renderer = FigureCanvasAgg(figure).get_renderer()
        texts = [_extents(text, renderer) for text in axes.texts]
        pixels = figure.dpi / 72
        middles = [axes.transData.transform(value) for value in values]
        size = MARKER * pixels
        markers = [(x - size, y - size, x + size, y + size) for x, y in middles]
        return texts, markers, tuple(axes.bbox.extents)


def _extents(text: Any, renderer: Any) -> Box:
    """Of the letters; an annotation's own extents have its line too."""
    from matplotlib.text import Text

    text.update_positions(renderer)
    return tuple(Text.get_window_extent(text, renderer).extents)


def clusters(seed: int) -> list[tuple[float, float]]:
    """Twelve points, of which many lie within a hair of each other."""
    generator = np.random.default_rng(seed)
    centers = generator.random((3, 2))
    of = generator.integers(0, 3, len(METHODS))
    near = centers[of] + generator.normal(0, (0.01, 0.003), (len(METHODS), 2))
    return [(float(x), float(0.5 + 0.4 * y)) for x, y in near]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("levels", [[], LEVELS])
def test_twelve_methods_in_three_heaps_have_every_name_free(
    seed: int, levels: list[tuple[str, float]]
) -> None:
    texts, markers, frame = drawn(clusters(seed), levels)
    assert len(texts) == len(METHODS) + len(levels)
    for one, other in itertools.combinations(texts, 2):
        assert shared(one, other) == 0
    for text, marker in itertools.product(texts, markers):
        assert shared(text, marker) == 0
    for left, bottom, right, top in texts:
        assert left >= frame[0] - 1
        assert right <= frame[2] + 1
        assert bottom >= frame[1] - 1
        assert top <= frame[3] + 1


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 390])
def test_the_names_are_free_in_the_fonts_of_a_browser(width: int) -> None:
    made = analyse(comparison(("sst2",), METHODS, (0,)))
    drawing = plots.against_parameters(made, made.tasks[0], "p")
    with launched() as browser:
        shown = browser.new_page(viewport={"width": width, "height": 900})
        shown.set_content(f"<style>{STYLE}</style><figure>{drawing}</figure>")
        texts, markers = shown.evaluate(
            """() => ["g[id^=p-text] text", ".point use"].map(one =>
              [...document.querySelectorAll(one)].map(each => each.getBoundingClientRect())
                .map(box => [box.left, box.top, box.right, box.bottom]))"""
        )
    texts, markers = ([tuple(box) for box in boxes] for boxes in (texts, markers))
    assert len(markers) == len(METHODS)
    assert len(texts) >= len(METHODS)
    for one, other in itertools.combinations(texts, 2):
        assert shared(one, other) == 0
    for text, marker in itertools.product(texts, markers):
        assert shared(text, marker) == 0


def test_a_name_stands_right_of_a_point_that_is_by_itself() -> None:
    ((text,), (marker,), _) = drawn([(0.2, 0.5)], [])
    assert text[0] > marker[2]
    assert text[1] < (marker[1] + marker[3]) / 2 < text[3]


def test_where_no_place_is_free_the_one_that_covers_least_is_taken() -> None:
    frame = (0.0, 0.0, 100.0, 100.0)
    covered, half = Place(50, 50, 0, 0, "center"), Place(50, 20, 0, 0, "center")
    taken = [(0.0, 40.0, 100.0, 60.0), (0.0, 20.0, 100.0, 30.0)]
    assert place("lora", 10, [covered, half], taken, frame) is half
    assert place("lora", 10, [covered, half, Place(50, 80, 0, 0, "center")], taken, frame).y == 80
