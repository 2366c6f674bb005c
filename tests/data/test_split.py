"""Stratified splits: disjoint, seeded, in proportion, the same everywhere."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tunebench.data.split import apportion, hold_out, train_validation_split
from tunebench.data.tasks import Examples, Task
from tunebench.errors import UserError

SIZES = st.lists(st.integers(2, 40), min_size=2, max_size=5)


def _task(classes: int) -> Task:
    labels = tuple(f"class {n}" for n in range(classes))
    return Task("t", ("text",), "label", labels, (), "")


REGRESSION = Task("t", ("text",), "label", (), (), "", objective="regression")


def _rows(labels: list[float]) -> Examples:
    ids = tuple(f"t-train-{n}" for n in range(len(labels)))
    return Examples(ids, tuple((f"text {n}",) for n in range(len(labels))), tuple(labels))


def _classes(sizes: list[int]) -> Examples:
    return _rows([float(label) for label, size in enumerate(sizes) for _ in range(size)])


@settings(deadline=None)
@given(
    sizes=SIZES, share=st.floats(0.05, 0.5), most=st.integers(1, 30), cap=st.integers(0, 90),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_a_carved_split_obeys_every_law(
    sizes: list[int], share: float, most: int, cap: int, seed: int
) -> None:
    rows, task = _classes(sizes), _task(len(sizes))
    cap = max(cap, 2 * len(sizes)) if cap else 0
    train, held = train_validation_split(rows, task, share=share, most=most, cap=cap, seed=seed)
    total = min(cap or len(rows), len(rows))
    assert len(train) + len(held) == total
    assert len(held) == max(1, min(int(share * total), most))
    assert not set(train.ids) & set(held.ids)
    place = {name: number for number, name in enumerate(rows.ids)}
    for part in (train, held):
        order = [place[name] for name in part.ids]
        assert order == sorted(order)
        assert part == rows.take(order)
    assert set(train.labels) == set(rows.labels)
    if len(held) >= len(sizes):
        assert set(held.labels) == set(rows.labels)


@given(sizes=SIZES, wanted=st.integers(0, 200))
def test_quotas_are_in_proportion_and_sum_up(sizes: list[int], wanted: int) -> None:
    quotas = apportion(sizes, wanted)
    assert sum(quotas) == min(wanted, sum(sizes))
    for size, quota in zip(sizes, quotas, strict=True):
        assert abs(quota - min(wanted / sum(sizes), 1) * size) < 1


@given(sizes=SIZES, wanted=st.integers(0, 200), least=st.integers(0, 3), spare=st.integers(0, 3))
def test_bounds_move_one_quota_at_a_time_the_nearest_to_its_share_first(
    sizes: list[int], wanted: int, least: int, spare: int
) -> None:
    total = sum(sizes)
    highs = [max(0, size - spare) for size in sizes]
    lows = [min(least, high) for high in highs]
    shares = [wanted * size // total for size in sizes]
    expected = [min(max(s, low), high) for s, low, high in zip(shares, lows, highs, strict=True)]

    def lack(k: int) -> int:
        return wanted * sizes[k] - total * expected[k]

    while sum(expected) < min(wanted, sum(highs)):
        below = [k for k in range(len(sizes)) if expected[k] < highs[k]]
        expected[max(below, key=lambda k: (lack(k), -k))] += 1
    while sum(expected) > max(wanted, sum(lows)):
        above = [k for k in range(len(sizes)) if expected[k] > lows[k]]
        expected[min(above, key=lambda k: (lack(k), k))] -= 1
    assert apportion(sizes, wanted, least=least, spare=spare) == expected


def test_the_draw_does_not_depend_on_the_order_of_the_file() -> None:
    rows, task = _classes([30, 20]), _task(2)
    other = rows.take(list(range(len(rows)))[::-1])
    for cap in (0, 30):
        one = train_validation_split(rows, task, share=0.2, most=100, cap=cap, seed=3)
        two = train_validation_split(other, task, share=0.2, most=100, cap=cap, seed=3)
        assert [set(part.ids) for part in one] == [set(part.ids) for part in two]


def test_another_seed_draws_other_rows() -> None:
    rows, task = _classes([50, 50]), _task(2)
    draws = {
        train_validation_split(rows, task, share=0.2, most=99, cap=0, seed=s)[1].ids
        for s in range(5)
    }
    assert len(draws) == 5


def test_the_draw_is_by_the_hash_of_seed_and_id() -> None:
    _, held = train_validation_split(_classes([6, 6]), _task(2), share=0.4, most=9, cap=0, seed=0)
    drawn = []
    for members in (range(6), range(6, 12)):
        keyed = {sha256(f"0\0t-train-{n}".encode()).hexdigest(): n for n in members}
        drawn += [keyed[key] for key in sorted(keyed)[:2]]
    assert held.ids == tuple(f"t-train-{n}" for n in sorted(drawn))


def test_a_regression_is_drawn_evenly_over_the_ranks() -> None:
    rows = _rows([float(n * n % 101) for n in range(101)])
    train, held = train_validation_split(rows, REGRESSION, share=0.2, most=100, cap=100, seed=1)
    assert (len(train), len(held)) == (80, 20)
    ranked = sorted((*train.labels, *held.labels))
    tenths = Counter(ranked.index(label) // 10 for label in held.labels)
    assert set(tenths.values()) <= {1, 2, 3}
    assert len(tenths) == 10


def test_a_class_with_one_row_and_a_cap_that_is_too_small_are_refused() -> None:
    with pytest.raises(UserError, match=r"at least 2 training rows .*'class 1' has 1"):
        train_validation_split(_classes([9, 1]), _task(2), share=0.2, most=9, cap=0, seed=0)
    with pytest.raises(UserError, match="at least 2 for each of 3 classes, but got 5"):
        train_validation_split(_classes([9, 9, 9]), _task(3), share=0.2, most=9, cap=5, seed=0)
    with pytest.raises(UserError, match="at least 2 rows, but got 1"):
        train_validation_split(_rows([0.5]), REGRESSION, share=0.2, most=9, cap=0, seed=0)


@given(sizes=SIZES, seed=st.integers(0, 9))
def test_holding_out_leaves_two_of_every_class(sizes: list[int], seed: int) -> None:
    rows, task = _classes(sizes), _task(len(sizes))
    if sum(sizes) - 2 * len(sizes) < max(1, sum(sizes) // 5):
        with pytest.raises(UserError, match="give a test file"):
            hold_out(rows, task, share=0.2, seed=seed)
        return
    train, test = hold_out(rows, task, share=0.2, seed=seed)
    assert min(Counter(train.labels)[float(label)] for label in range(len(sizes))) >= 2
    assert len(test) == max(1, sum(sizes) // 5)
    assert sorted((*train.ids, *test.ids)) == sorted(rows.ids)


def test_two_rows_are_enough_to_train_on_and_one_is_not() -> None:
    train, held = train_validation_split(
        _rows([1.0, 2.0]), REGRESSION, share=0.5, most=1, cap=0, seed=0
    )
    assert (len(train), len(held)) == (1, 1)
    with pytest.raises(UserError, match="training needs at least 2 rows, but got 1"):
        train_validation_split(_rows([1.0]), REGRESSION, share=0.5, most=1, cap=0, seed=0)
