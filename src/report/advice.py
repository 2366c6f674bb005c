"""The advice in sentences: what is taken, why, how sure that is, and what would settle the rest."""

from __future__ import annotations

from collections.abc import Mapping

from ..analysis.advice import SURE, Advice, Choice, Limit, Limits
from ..analysis.format import duration, listed, percent, ratio, thousands
from ..text import one_line

NAMES: Mapping[Limit, str] = {
    "weights": "trained weights",
    "latency": "latency",
    "memory": "memory",
    "score": "score",
}
CHEAPEST = {
    "size": "it is the smallest",
    "latency": "none of them is smaller, and it is the fastest",
    "memory": "none of them is smaller or surely faster, and it needs the least memory",
}
HEADER = (
    "method",
    "score",
    "95 % interval",
    "size",
    "× base",
    "peak MiB",
    "keeps",
    "front",
    "both",
)
UNDER = (
    "keeps: probability that it keeps the limits; front: that no other method is as good in score, "
    "size, latency and memory and better in one; both: that it does and is"
)


def sentences(advice: Advice) -> list[str]:
    """The whole answer, a paragraph each."""
    texts = _taken(advice) if advice.advised is not None else [_none(advice)]
    return [one_line(text) for text in (*texts, *_missing(advice)) if text]


def described(choice: Choice, advice: Advice) -> str:
    """What a method scores and costs."""
    size = f"{thousands(choice.weights)} trained weights"
    if advice.limits.tasks_served is not None:
        tasks = advice.limits.tasks_served
        size = f"{thousands(choice.size)} weights stored for {tasks} task{'s' * (tasks != 1)}"
    costs = [size]
    if choice.latency is not None:
        costs.append(f"latency {ratio(choice.latency)} the base model's")
    if choice.memory is not None:
        costs.append(f"{thousands(choice.memory)} MiB to train")
    return (
        f"{choice.method}: {advice.metric or 'score'} {choice.score:.3f} "
        f"({choice.low:.3f} to {choice.high:.3f}), {', '.join(costs)}."
    )


def line_of(choice: Choice) -> tuple[str, ...]:
    """A method's line under `HEADER`."""
    return (
        choice.method,
        f"{choice.score:.3f}",
        f"{choice.low:.3f} to {choice.high:.3f}",
        thousands(choice.size),
        "" if choice.latency is None else ratio(choice.latency),
        "" if choice.memory is None else thousands(choice.memory),
        *map(percent, (choice.keeps, choice.on_front, choice.probability)),
    )


def certainty(choice: Choice, advice: Advice) -> str:
    """How sure it is that a method keeps the limits and is on the front."""
    keeps = "keeps the limits and " if asked(advice.limits) else ""
    kinds = ["score", "size"]
    kinds += [name for name in ("latency", "memory") if getattr(choice, name) is not None]
    return (
        f"{keeps}is on the Pareto front of {listed(kinds)} with probability "
        f"{percent(choice.probability)} (over seeds and test examples)"
    )


def asked(limits: Limits) -> list[Limit]:
    """The limits that were set."""
    values: dict[Limit, float | None] = {
        "weights": limits.weights,
        "latency": limits.latency,
        "memory": limits.memory,
        "score": limits.score,
    }
    return [name for name, value in values.items() if value is not None]


def _taken(advice: Advice) -> list[str]:
    """An advice: what, how sure, why, and what came next."""
    taken = advice.advised
    assert taken is not None
    parts = [
        f"On {advice.task}, take {described(taken, advice)}",
        f"It {certainty(taken, advice)}.",
        f"{_why(taken, advice)} {_higher(taken, advice)}{_unclear(advice)}".strip(),
    ]
    if advice.relation == "undecided" and advice.settlement is not None:
        parts.append(f"What would decide between them: {advice.settlement.sentence}")
    if advice.runner_up is None and len(advice.choices) > 1:
        parts.append("There is no runner-up: no other method surely keeps the limits.")
    elif advice.runner_up is not None:
        other = advice.runner_up
        parts.append(f"Runner-up, {described(other, advice)} It {certainty(other, advice)}.")
    return parts


def _why(taken: Choice, advice: Advice) -> str:
    """Why this method."""
    if len(advice.choices) == 1:
        return "It is the only method that could be judged: what others would do is not known."
    among = " of those that keep the limits" if asked(advice.limits) else ""
    others = listed(advice.as_good)
    because = CHEAPEST.get(advice.cheaper_in, "no cost tells them apart")
    highest = advice.choice(advice.highest)
    if not advice.relation or highest is None:
        if not others:
            return f"It has the highest score{among}, and no cheaper method may be as good."
        return f"It has the highest score{among}; {others} may be as good, and {because}."
    known = f"{highest.method} scores {highest.score:.3f}"
    if advice.relation == "equivalent":
        return f"{known}, which is equivalent; {taken.method} is taken because {because}."
    return (
        f"{known}, and whether it is better is undecided; {taken.method} is taken because of "
        f"those that may be as good ({others}) {because}."
    )


def _higher(taken: Choice, advice: Advice) -> str:
    """Methods with a higher score that do not keep the limits."""
    gone = [c for c in advice.choices if c.score > taken.score and c.keeps <= 1 - SURE]
    if not gone:
        return ""
    each = [
        f"{c.method} scores {c.score:.3f} and does not keep the limit on "
        f"{listed([NAMES[name] for name in c.broken]) or 'all of them at once'}"
        for c in gone
    ]
    return f"{'; '.join(each)}. "


def _unclear(advice: Advice) -> str:
    """Methods that may or may not keep the limits."""
    known = [one for name in advice.unclear if (one := advice.choice(name)) is not None]
    if not known:
        return ""
    named = listed([f"{one.method} ({percent(one.keeps)})" for one in known])
    verb = "keeps" if len(known) == 1 else "keep"
    return f"Not sure is whether {named} {verb} the limits."


def _none(advice: Advice) -> str:
    """Why there is no advice."""
    start = f"On {advice.task} there is no advice:"
    if advice.why == "answers":
        return f"{start} no method's stored answers can be used."
    if advice.why == "budgets":
        return f"{start} {advice.unequal_budgets[:1].lower()}{advice.unequal_budgets[1:]}"
    if advice.why == "one seed":
        return f"{start} one seed cannot say how much another would differ."
    if advice.why == "not measured":
        named = listed([NAMES[name] for name in advice.unmeasured])
        return f"{start} {named} was not measured, so that no method is known to keep the limit."
    if advice.why == "limits":
        return f"{start} no method keeps the limits. {_nearest(advice)}"
    if advice.why == "noisy":
        best = max(
            (one for one in advice.choices if one.method in advice.unclear),
            key=lambda one: one.keeps,
        )
        what = NAMES[advice.noisy or "score"]
        return (
            f"{start} no method surely keeps the limits. {best.method} does with probability "
            f"{percent(best.keeps)}: its {what} is too near the limit for what it varies."
        )
    text = (
        f"{start} {listed(advice.as_good)} may be as good as each other, and neither size nor "
        "latency nor memory is surely less for one of them."
    )
    settlement = advice.settlement
    return text if settlement is None else f"{text} {settlement.sentence}"


def _nearest(advice: Advice) -> str:
    """The method that breaks the limits by least, and by what."""
    limits = {name: getattr(advice.limits, name) for name in asked(advice.limits)}

    def excess(choice: Choice) -> float:
        sizes = [_over(choice, name, limits[name]) for name in choice.broken]
        return max(sizes, default=0.0)

    one = min(advice.choices, key=excess)
    if not one.broken:
        return f"{one.method} keeps each of them as measured, but not surely all at once."
    parts = [
        f"{NAMES[name]} {_value(name, getattr(one, name))} where {_value(name, limits[name])} "
        f"is {'wanted' if name == 'score' else 'allowed'}"
        for name in one.broken
    ]
    return f"The nearest is {one.method}: {listed(parts)}."


def _over(choice: Choice, name: Limit, limit: float) -> float:
    """By what share a limit is broken."""
    value = getattr(choice, name)
    over = limit - value if name == "score" else value - limit
    return float(over / abs(limit)) if limit else float("inf")


def _value(name: Limit, value: float) -> str:
    """A limit or what was measured, as it is read."""
    if name == "latency":
        return ratio(value)
    if name == "memory":
        return f"{thousands(value)} MiB"
    return thousands(value) if name == "weights" else f"{value:.3f}"


def _missing(advice: Advice) -> list[str]:
    """The methods that could not be judged."""
    return [f"{method} is not judged: {why}." for method, why in advice.missing.items()]


def run_line(advice: Advice) -> str:
    """What the run that would settle it does; empty where there is none."""
    run = advice.run
    if run is None:
        return ""
    if run.again:
        return "The same comparison in another folder measures and stores what is missing here"
    if run.seeds is None:
        return "Methods that were not compared yet may keep the limits"
    more = run.seeds - advice.seeds
    spent = "" if run.seconds is None else f", about {duration(run.seconds)}"
    return f"{more} more seed{'s' * (more != 1)} of each method{spent}"
