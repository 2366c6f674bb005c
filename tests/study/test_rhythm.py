"""What is done again and again takes a bounded share of the time, however dear it becomes."""

import pytest
from tunebench.study.rhythm import Rhythm


class Clock:
    """Time as a test has it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_is_due_at_once_and_the_next_in_proportion_to_what_it_took():
    clock = Clock()
    rhythm = Rhythm(share=0.1, clock=clock)
    assert rhythm.is_due
    with rhythm.measured():
        clock.now += 2
    assert not rhythm.is_due
    clock.now += 17.9
    assert not rhythm.is_due
    clock.now += 0.2
    assert rhythm.is_due


def test_what_fails_costs_as_much_as_what_works():
    clock = Clock()
    rhythm = Rhythm(share=0.5, clock=clock)

    def fail() -> None:
        clock.now += 3
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), rhythm.measured():
        fail()
    clock.now += 2.9
    assert not rhythm.is_due
    clock.now += 0.2
    assert rhythm.is_due


def test_what_costs_nothing_is_always_due():
    rhythm = Rhythm(share=0.1, clock=Clock())
    with rhythm.measured():
        pass
    assert rhythm.is_due


@pytest.mark.parametrize("cells", [100, 10_000])
def test_a_look_at_all_cells_takes_a_share_of_the_run_and_no_square_of_it(cells):
    """Each look costs a hundredth of a second for each cell that is there; a cell trains for 2 s.

    After each cell it would have taken n² / 200 s: 500,000 s of 20,000 s for 10,000 cells.
    """
    clock = Clock()
    rhythm = Rhythm(share=0.05, clock=clock)
    looks, spent = 0, 0.0
    for cell in range(1, cells + 1):
        clock.now += 2
        if rhythm.is_due:
            with rhythm.measured():
                clock.now += cell / 100
            looks, spent = looks + 1, spent + cell / 100
    last = cells / 100
    assert spent <= 0.05 * (clock.now - 100) + last
    assert looks > 10
