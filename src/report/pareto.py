"""Which methods are on a task's Pareto front, in one sentence."""

from __future__ import annotations

from ..analysis import TaskAnalysis
from ..analysis.format import listed, percent

NAMES = {"weights": "trained weights", "latency": "latency", "memory": "peak memory"}


def membership_line(task: TaskAnalysis) -> str:
    """How probably each method is on the front; empty where that is not known.

    One method alone is on it whatever it scores, so that nothing is claimed of it.
    """
    draws = task.draws
    if draws is None or len(draws.methods) < 2:
        return ""
    ordered = sorted(draws.membership.items(), key=lambda one: -one[1])
    chances = listed([f"{method} {percent(chance)}" for method, chance in ordered])
    kinds = listed(["score", *(NAMES[cost] for cost in draws.costs)])
    over = "test examples (one seed)" if draws.seeds == 1 else "seeds and test examples"
    return (
        f"On the Pareto front of {kinds}, where no other method is as good in all of them and "
        f"better in one, with this probability over {over}: {chances}."
    )
