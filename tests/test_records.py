"""Records are shown on one line, however much they hold."""

from __future__ import annotations

from dataclasses import replace

from tunebench.records import Curve

from tests.records import comparison


def test_a_comparison_is_shown_by_what_it_compares_and_how_its_cells_ended() -> None:
    records = comparison(("sst2",), ("head", "lora"), (0, 1), status={("sst2", "lora", 1): "error"})
    shown = repr(replace(records, id="comparison-1"))
    assert shown == ("Comparison('comparison-1': head, lora on sst2; 4 cells: 3 complete, 1 error)")
    assert repr(replace(records, results=(), id="x")).endswith("0 cells: none)")


def test_a_curve_is_shown_by_its_length_and_its_end() -> None:
    assert repr(Curve((5, 10), (0.5, 0.25))) == "Curve(2 points, the last 0.25 at step 10)"
    assert repr(Curve()) == "Curve(0 points)"
    assert len(repr(Curve(tuple(range(9999)), (0.1,) * 9999))) < 80
