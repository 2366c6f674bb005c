"""The benchmark of generation times each way on the same tokens, and draws what it found."""

import json
from importlib import import_module
from pathlib import Path

import pytest
from tunebench.checkpoints.language_head import LanguageHead

from tests import tiny

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return import_module("bench_generate")


def test_each_way_is_timed_at_each_length_and_drawn(bench, tmp_path):
    backbone = tiny.backbone(tiny.DECODER)
    head = LanguageHead(backbone.embedding.weight)
    rows = [bench.at_length(backbone, head, length, 1) for length in (4, 20)]
    for row in json.loads(json.dumps(rows)):
        assert set(row["ms"]) == {"cache", "no cache"}
        assert all(0 < low <= middle <= high for middle, low, high in row["ms"].values())
    bench.plot_generation(rows, tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")
    result = bench.whole(backbone, head, 12)
    assert [len(took) for took in result["seconds"].values()] == [2, 1]
    assert result["share"] > 0


def test_ways_that_disagree_are_not_timed(bench, monkeypatch):
    backbone = tiny.backbone(tiny.DECODER)
    honest = bench.generate

    def other(*arguments, cached, **more):
        ((first, *rest),) = honest(*arguments, cached=cached, **more)
        return [[first + int(cached), *rest]]

    monkeypatch.setattr(bench, "generate", other)
    with pytest.raises(SystemExit, match="nothing is reported"):
        bench.at_length(backbone, LanguageHead(backbone.embedding.weight), 4, 1)
