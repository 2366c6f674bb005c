"""The grid: its order, what does not fit, and what a point says."""

import math
from types import SimpleNamespace

import pytest
from torch import nn
from tunebench.costs import latency
from tunebench.costs.grid import Grid
from tunebench.costs.latency import LatencyLab, Point
from tunebench.data.text.tokens import Encoded
from tunebench.measure.ratio import FEWEST, Interval, Timing
from tunebench.methods import get_method
from tunebench.progress import Quiet

from tests import tiny

ROWS = Encoded(((1, 2, 3), (4,), (5, 6)), ((0, 0, 0), (0,), (0, 0)), 0)
QUICK = {"seconds": 0.0, "half_width": 1.0}


@pytest.fixture(autouse=True)
def without_pace(monkeypatch):
    """However slow this machine is, nothing here is refused for its time."""
    monkeypatch.setattr(latency, "LONG", math.inf)


def lab(shape="encoder", names=("lora",), head=False):
    base_model = tiny.backbone(tiny.CONFIGS[shape])
    methods = [get_method(name)() for name in names]
    language_head = nn.Linear(32, 50) if head else None
    return LatencyLab(base_model, methods, ROWS, language_head)


def points(made, **grid):
    return list(made.points(Grid(**(QUICK | grid)), Quiet()))


def test_every_shape_has_every_form_and_small_ones_come_first():
    got = points(lab(names=("lora", "adapter")), batches=(2, 1), lengths=(9, "texts", 3))
    shapes = list(dict.fromkeys((p.length, p.texts) for p in got))
    assert shapes == [("texts", 1), ("texts", 2), (3, 1), (3, 2), (9, 1), (9, 2)]
    forms = [("lora", "folded"), ("lora", "unfolded"), ("adapter", "either")]
    assert [(p.method, p.form) for p in got] == forms * 6
    assert all(p.timing.rounds == FEWEST and p.kind == "classify" for p in got)
    assert [p.tokens for p in got[:6:3]] == [2, 4]


def test_a_decoder_reads_prompts_and_gives_new_tokens_too():
    got = points(lab("decoder", head=True), batches=(2,), lengths=(5,))
    assert [p.kind for p in got[::2]] == ["classify", "prefill", "new token"]
    assert [p.kind for p in points(lab("decoder"), batches=(2,), lengths=(5,))[::2]] == ["classify"]


@pytest.mark.parametrize(
    ("name", "length", "tokens", "reason"),
    [
        ("lora", "context", 64, ""),
        ("prompt", "context", 54, ""),
        ("lora", 64, 64, ""),
        ("lora", 65, 0, "beyond the context of 64 positions"),
        ("prompt", 60, 0, "beyond the context of 64 positions, of which 54 are left for a text"),
    ],
)
def test_a_length_is_at_most_what_the_context_leaves(name, length, tokens, reason):
    got = points(lab(names=(name,)), batches=(1,), lengths=(length,))[0]
    assert (got.tokens, got.reason) == (tokens, reason)
    assert (got.timing is None) is bool(reason)


def test_a_new_token_needs_a_position_too():
    made = lab("decoder", head=True)
    *_, got = points(made, batches=(1,), lengths=("context",))
    assert (got.kind, got.tokens) == ("new token", 63)


def test_a_batch_that_does_not_fit_in_memory_is_a_line(monkeypatch):
    monkeypatch.setattr(latency, "available", lambda device: 0.001)
    got = points(lab(), batches=(8,), lengths=(32,))
    # 8 × 32 tokens, each 4 · 32 + 3 · 48 numbers of four bytes.
    assert {p.reason for p in got} == {"not enough memory: needs about 0 MiB, and 0 are free"}
    monkeypatch.setattr(latency, "available", lambda device: 256 * 272 * 4 / 2**20)
    assert all(p.timing for p in points(lab(), batches=(8,), lengths=(32,)))


def test_so_is_one_that_the_allocator_refuses(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(latency, "time_in_turn", refuse)
    assert {p.reason for p in points(lab(), batches=(8,), lengths=(32,))} == {"not enough memory"}


def test_any_other_error_is_raised(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr(latency, "time_in_turn", fail)
    with pytest.raises(RuntimeError, match="something else"):
        points(lab(), batches=(8,), lengths=(32,))


@pytest.mark.parametrize(("each", "begun"), [(0.1, 1), (0.04, 2)])
def test_what_would_take_too_long_by_the_pace_of_long_passes_is_not_begun(monkeypatch, each, begun):
    now = SimpleNamespace(seconds=0.0)

    def timed(ours, base, **_):
        now.seconds += 22 * each
        return Timing(FEWEST, Interval(1, 1, 1), 1000 * each, 1000 * each)

    monkeypatch.setattr(latency, "LONG", 0.05)
    monkeypatch.setattr(latency, "time_in_turn", timed)
    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    # Twice the work would take 4.4 s after passes of 0.1 s; short ones say nothing of larger ones.
    got = points(lab(names=("p_tuning_v2",)), batches=(8, 16), lengths=(16,), seconds=1.0)
    assert sum(bool(p.timing) for p in got) == begun
    assert (
        begun == 2 or got[1].reason == "5 rounds would take about 4 s, and --seconds allows 4 × 1"
    )


def test_throughput_is_by_the_median_pass():
    timing = Timing(9, None, 20.0, 10.0)
    point = Point("classify", 4, 8, "lora", "folded", tokens=32, timing=timing)
    assert (point.texts_per_second, point.tokens_per_second) == (200, 1600)
    point = Point("new token", 4, 8, "lora", "folded", tokens=32, timing=timing)
    assert point.tokens_per_second == 200
    noisy = Point("classify", 4, 8, "lora", "folded", tokens=32, timing=Timing(9, None, None, None))
    assert (noisy.texts_per_second, noisy.tokens_per_second) == (None, None)


def test_compiled_passes_give_the_same_and_leave_the_cache_out(monkeypatch):
    made = lab("decoder", head=True)
    asked = []

    def as_it_is(batch, *classifiers):
        asked.append(len(classifiers))
        return [lambda: None for _ in classifiers]

    monkeypatch.setattr(latency, "compiled", as_it_is)
    got = points(made, batches=(1,), lengths=(4,), compile=True)
    assert [p.kind for p in got] == ["classify"] * 2
    assert asked == [2, 2]
