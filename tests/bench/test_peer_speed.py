"""Speed beside PEFT: who runs when, the interval, and what is refused."""

import json

import pytest

FREE = {"spread": float("inf"), "seconds": 0.0}


def test_sides_run_in_turn_on_the_same_rows_and_first_by_turns(bench):
    calls = []
    inputs = [(f"packed {n}", f"padded {n}") for n in range(3)]
    ratios = bench["speed"].race(calls.append, lambda batch: calls.append(batch), inputs, **FREE)
    assert len(ratios) == bench["speed"].LEAST
    pairs = list(zip(calls[::2], calls[1::2], strict=True))
    assert all({first[-1], second[-1]} == {first[-1]} for first, second in pairs)
    assert [first.startswith("padded") for first, _ in pairs[:4]] == [True, False, True, False]


@pytest.mark.parametrize(("count", "low", "high"), [(9, 2, 8), (15, 4, 12), (20, 6, 15)])
def test_the_interval_is_that_of_the_sign_test(bench, count, low, high):
    ratios = [float(n) for n in range(count, 0, -1)]
    assert bench["speed"].interval(ratios) == (low, high)


def test_a_restless_ratio_is_refused(bench):
    summary = bench["speed"].summarised([0.5, 1.0, 2.0] * 5, 0.15)
    assert summary["ratio"] is None
    assert summary["interval"] is None
    assert summary["spread"] > 0.15


def test_a_point_for_each_method_order_and_part(bench, folder, tmp_path, capsys):
    argv = ["--data", "pocket", "--backbone", str(folder), "--out", str(tmp_path)]
    argv += ["--rows", "70", "--seconds", "0", "--spread", "1000", "--methods", "lora"]
    assert bench["bench_peers"].main(argv) == 0
    points = json.loads((tmp_path / "speed.json").read_text())["points"]
    assert [(p["method"], p["order"], p["part"]) for p in points] == [
        ("lora", order, part) for order in ("random", "grouped") for part in ("step", "forward")
    ]
    for point in points:
        assert point["interval"][0] <= point["ratio"] <= point["interval"][1]
        assert 0 <= point["padding"] < 1
    assert capsys.readouterr().out.count("| lora |") == 4
