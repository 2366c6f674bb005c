"""What each method's page names as its drawback, as far as runs can show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from .claim import Claim, Part, part
from .costs import FAR_MORE, MEASURED, overhead
from .estimate import count
from .evidence import Evidence

HERE = "src/methods/{}.py"
Parts = Callable[[Evidence], Iterable[Part | str]]


def learns_little(evidence: Evidence, method: str) -> Iterator[Part | str]:
    """The middle between head-only and full fine-tuning, less the method."""
    for condition, arms in evidence.conditions(method, "head", "full"):
        yield part(
            f"the middle of head and full less {method} on {condition.task}",
            (0.5, arms["head"]),
            (0.5, arms["full"]),
            (-1, arms[method]),
            above=0.0,
        )


def is_below(evidence: Evidence, method: str, other: str) -> Iterator[Part | str]:
    """Another method less this one."""
    for condition, arms in evidence.conditions(method, other):
        what = f"{other} less {method} on {condition.task}"
        yield part(what, (1, arms[other]), (-1, arms[method]), above=0.0)


def trains_many(evidence: Evidence) -> Iterator[Part | str]:
    """Prefix tuning's trained to stored weights."""
    for arm in evidence.of("prefix"):
        trained, stored = arm.first.trainable_params, arm.first.stored_params
        if trained and stored and arm.setting("hidden"):
            factor = count(trained / stored, arm.runs)
            yield Part(f"{arm.name}: trained to stored weights", factor, "times", above=FAR_MORE)


def most_to_store(evidence: Evidence) -> Iterator[Part | str]:
    """Full fine-tuning's stored weights and bytes of training, to those of each other method."""
    seen = set()
    for _, arms in evidence.conditions("full"):
        full = arms["full"]
        for method, arm in arms.items():
            sizes = full.first.stored_params, arm.first.stored_params
            if method != "full" and sizes[0] and sizes[1] and method not in seen:
                seen.add(method)
                times = count(sizes[0] / sizes[1], (*full.runs, *arm.runs))
                yield Part(f"stored weights, full to {method}", times, "times", above=1.0)
    memory = {one.method: one for one in evidence.measured("memory")}
    if "full" in memory:
        full_bytes = sum(memory["full"].values[of] for of in ("state", "activations"))
        for method, one in memory.items():
            if method != "full":
                of_method = sum(one.values[of] for of in ("state", "activations"))
                times = count(full_bytes / of_method, (memory["full"].name, one.name))
                yield Part(f"bytes of a step, full to {method}", times, "times", above=1.0)


def needs_its_rate(evidence: Evidence) -> Iterator[Part | str]:
    """LoRA at the rate that it comes with, less a rate of a tenth or less."""
    for group in evidence.variants("lora", "lr"):
        usual = [lr for lr, arm in group.items() if not arm.pins]
        low = [lr for lr in group if usual and lr <= usual[0] / 10]
        if usual and low:
            arm, slow = group[usual[0]], group[max(low)]
            what = f"lora at rate {usual[0]:g} less at {max(low):g} on {arm.condition.task}"
            yield part(what, (1, arm), (-1, slow), above=0.0)


def _none(evidence: Evidence) -> Iterable[Part | str]:
    return ()


def _all(*checks: Parts) -> Parts:
    """The parts of several checks, one after the other."""
    return lambda evidence: (part for parts in checks for part in parts(evidence))


def _claim(method: str, sentence: str, needs: str, parts: Parts, *, every: bool = True) -> Claim:
    return Claim(method, sentence, HERE.format(method), needs, parts, every)


def _prompt(method: str) -> Claim:
    return _claim(
        method,
        "On an encoder its tokens cost latency; on a small backbone it learns less than half of "
        "what full fine-tuning adds to the head alone.",
        f"{method}, head and full, on two seeds at least",
        _all(partial(overhead, method=method), partial(learns_little, method=method)),
    )


DRAWBACKS = (
    _claim(
        "adapter",
        "Its maps stay when served, and cost latency.",
        "adapter, on two seeds at least",
        partial(overhead, method="adapter"),
    ),
    _claim(
        "bitfit",
        "It is not for backbones without biases, such as Llama.",
        "a backbone without biases, which is refused before any training: no run can show it",
        _none,
    ),
    _claim(
        "full",
        "A whole network is to be stored for each task, and training takes the most memory.",
        f"full beside another method, and {MEASURED}",
        most_to_store,
    ),
    _claim(
        "head",
        "It changes nothing of what the backbone computes, and is far behind where a task needs "
        "that.",
        "head and full",
        partial(is_below, method="head", other="full"),
        every=False,
    ),
    _claim(
        "ia3",
        "It can only weigh what the backbone already computes, and is behind full fine-tuning.",
        "ia3 and full",
        partial(is_below, method="ia3", other="full"),
    ),
    _claim(
        "layer_norm",
        "It learns a scale and a shift for each channel alone, and is behind full fine-tuning.",
        "layer_norm and full",
        partial(is_below, method="layer_norm", other="full"),
    ),
    _claim(
        "lora",
        "It needs its rate: a tenth of it, or less, hardly trains it.",
        "lora as it comes, and with a rate of a tenth",
        needs_its_rate,
    ),
    _prompt("p_tuning"),
    _claim(
        "p_tuning_v2",
        "Every token reads its keys, which costs some latency.",
        "p_tuning_v2, on two seeds at least",
        partial(overhead, method="p_tuning_v2"),
    ),
    _claim(
        "prefix",
        "Its MLP trains many times the weights that are kept, and every token reads its keys, "
        "which costs some latency.",
        "prefix, on two seeds at least",
        _all(trains_many, partial(overhead, method="prefix")),
    ),
    _prompt("prompt"),
    _claim(
        "vera",
        "It can do less with its rank than LoRA.",
        "vera and lora",
        partial(is_below, method="vera", other="lora"),
    ),
)
"""One for each method; a test holds that none is missing."""
