"""Claims about latency, work, memory and weights: C6 to C10, C12."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...records import Measurement
from .claim import Claim, Part
from .estimate import Mean, count
from .evidence import Evidence

SERVED, UNFOLDED = "served", "before folding"
"""What is timed beside the base model; a larger batch says its size: "served, 32 texts"."""
NO_LATENCY = 0.02
"""Timing here does not tell smaller shares from nothing."""
NEARLY = 0.1
"""By how much the added work may differ from the share of the virtual tokens."""
HARDLY = 0.1
"""Of the work that a prompt of the same length adds."""
FEW_SAVED = 0.5
"""Of the share that is saved of gradients and optimizer state."""
FAR_MORE = 10.0
"""Weights trained to weights stored."""


def overhead(evidence: Evidence, method: str) -> Iterator[Part | str]:
    """A single text through a served model, over the base model.

    By what was measured in rounds where that is there, else by what each cell measured.
    """
    measured = [one for one in evidence.measured("latency") if one.method == method]
    for one in measured:
        shares = tuple(ratio - 1 for ratio in one.rounds[SERVED])
        what = f"latency of {method} over the base model, one text"
        yield Part(what, Mean(shares, (one.name,)), "share", above=0.0)
    for arms in () if measured else evidence.by(lambda arm: arm.condition.task, method):
        shares = tuple(ratio - 1 for arm in arms for ratio in arm.ratios(1))
        if shares:
            runs = tuple(run for arm in arms for run in arm.runs)
            what = f"latency of {method} over the base model, one text of {arms[0].condition.task}"
            yield Part(what, Mean(shares, runs), "share", above=0.0)


def latency_of_lora(evidence: Evidence) -> Iterator[Part | str]:
    """LoRA timed in turn with the base model, merged and unmerged."""
    for one in evidence.measured("latency"):
        if one.method == "lora" and UNFOLDED in one.rounds:
            merged, unmerged = (
                Mean(tuple(ratio - 1 for ratio in one.rounds[side]), (one.name,))
                for side in (SERVED, UNFOLDED)
            )
            what = "latency of LoRA over the base model, merged"
            yield Part(what, merged, "share", above=-NO_LATENCY, below=NO_LATENCY)
            what = "latency of LoRA over the base model, unmerged"
            yield Part(what, unmerged, "share", above=0.0)


def overhead_by_batch(evidence: Evidence) -> Iterator[Part | str]:
    """What adapters add to latency in the smallest batch, less what they add in the largest."""
    what = "overhead of adapters for one text less that for {} in a batch"
    measured = [one for one in evidence.measured("latency") if one.method == "adapter"]
    for one in measured:
        for side in one.rounds.keys() - {SERVED}:
            both = zip(one.rounds[SERVED], one.rounds[side], strict=False)
            less = Mean(tuple(single - many for single, many in both), (one.name,))
            texts = side.removeprefix(f"{SERVED}, ").removesuffix(" texts")
            yield Part(what.format(texts), less, "share", above=0.0)
    for arms in () if measured else evidence.by(lambda arm: arm.condition.task, "adapter"):
        batches = sorted({each.batch for arm in arms for each in arm.first.latency})
        if len(batches) > 1 and batches[0] == 1:
            pairs = [
                (single, many)
                for arm in arms
                for single, many in zip(arm.ratios(1), arm.ratios(batches[-1]), strict=False)
            ]
            runs = tuple(run for arm in arms for run in arm.runs)
            less = Mean(tuple(single - many for single, many in pairs), runs)
            where = f"{what.format(batches[-1])}, on {arms[0].condition.task}"
            yield Part(where, less, "share", above=0.0)


def takes_context(evidence: Evidence) -> Iterator[Part | str]:
    """Positions that a prompt takes, and the work that it adds, to what its length would say."""
    for one in evidence.measured("work"):
        if one.method in ("prompt", "p_tuning"):
            values, runs = one.values, (one.name,)
            length = values["length"]
            what = f"{one.method}: positions that the layers see beyond the text's, to its length"
            taken = count(values["positions"] / length, runs)
            yield Part(what, taken, "times", above=0.99, below=1.01)
            what = f"{one.method}: added work, to the share of its tokens"
            work = count(_added(values) / (length / values["tokens"]), runs)
            yield Part(what, work, "times", above=1 - NEARLY, below=1 + NEARLY)


def prefix_is_cheap(evidence: Evidence) -> Iterator[Part | str]:
    """The work that a prefix adds, to that of a prompt, for each virtual token."""
    work = {one.method: one for one in evidence.measured("work")}
    prompt = work.get("prompt")
    for method in ("prefix", "p_tuning_v2"):
        if prompt is not None and method in work:
            each = [_added(one.values) / one.values["length"] for one in (work[method], prompt)]
            what = f"work that a token of {method} adds, to that of a prompt's token"
            if each[1] > 0:
                share = count(each[0] / each[1], (work[method].name, prompt.name))
                yield Part(what, share, "share", below=HARDLY)


def saves_state(evidence: Evidence) -> Iterator[Part | str]:
    """The share of activations that a method saves, to the share of gradients and state."""
    memory = {one.method: one for one in evidence.measured("memory")}
    full = memory.pop("full", None)
    for method, one in memory.items():
        if full is None or method == "head":
            continue
        state, activations = (_saved(one, full, of) for of in ("state", "activations"))
        if state > 0:
            what = f"{method}: saved share of activations, to that of gradients and state"
            ratio = count(activations / state, (one.name, full.name))
            yield Part(what, ratio, "times", below=FEW_SAVED)


def trains_more_than_it_stores(evidence: Evidence) -> Iterator[Part | str]:
    """Trained to stored weights, of methods with an encoder."""
    for method in ("prefix", "p_tuning"):
        for arm in evidence.of(method):
            trained, stored = arm.first.trainable_params, arm.first.stored_params
            if trained and stored and arm.setting("hidden"):
                factor = count(trained / stored, arm.runs)
                yield Part(
                    f"{arm.name}: trained to stored weights", factor, "times", above=FAR_MORE
                )


def _added(values: Mapping[str, float]) -> float:
    """The work that a method adds, as a share of the base model's."""
    return values["flops"] / values["base_flops"] - 1


def _saved(one: Measurement, full: Measurement, of: str) -> float:
    """The share that a method saves of full fine-tuning's bytes."""
    return 1 - one.values[of] / full.values[of]


MEASURED = "what `tunebench claims --measure` records"
CLAIMS = (
    Claim(
        "C6",
        "Merged, LoRA adds no latency; unmerged it does.",
        "Hu et al. 2021 (LoRA); PEFT, issue 957",
        f"lora, and {MEASURED}",
        latency_of_lora,
    ),
    Claim(
        "C7",
        "What adapters add to latency is largest for a single text.",
        "Hu et al. 2021 (LoRA), table 1: 20 to 30 % for one text of 128 tokens, 2 to 3 % for 32 of "
        "512, on GPT-2 medium",
        "adapter, on two seeds at least",
        overhead_by_batch,
    ),
    Claim(
        "C8",
        "A prompt of p tokens takes p positions of the context, and adds work as p more tokens "
        "would.",
        "Hu et al. 2021 (LoRA), section 3; PEFT-Bench's FLOPs (100 tokens before 512 add 19.9 %)",
        f"prompt or p_tuning, and {MEASURED}",
        takes_context,
    ),
    Claim(
        "C9",
        "A prefix of keys and values adds less than a tenth of the work that a prompt of its "
        "length does.",
        "PEFT-Bench's FLOPs (0.01 and 1.67 of 8.38 T for 100 tokens)",
        f"prompt beside prefix or p_tuning_v2, and {MEASURED}",
        prefix_is_cheap,
    ),
    Claim(
        "C10",
        "Training few weights saves gradients and optimizer state, and less than half as large a "
        "share of the activations.",
        "PEFT, issue 960 and pull request 2468",
        f"full and another method, and {MEASURED}",
        saves_state,
    ),
    Claim(
        "C12",
        "A prefix or prompt with an encoder trains ten times the weights that it stores, or more.",
        "PEFT's method comparison, pull request 3356 (P-tuning: 28.4 M trained, 0.2 MiB stored)",
        "prefix or p_tuning",
        trains_more_than_it_stores,
    ),
)
