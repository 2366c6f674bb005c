"""Claims about how much is trained, and for how long: C4, C5, C11, C13, C15."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from .by_size import longest_by_size
from .claim import Claim, Part, part
from .estimate import Mean, count
from .evidence import Arm, Condition, Evidence

SLOW = ("p_tuning_v2", "prefix", "prompt")
ADAPTED = ("lora", "adapter", "bitfit", "prefix", "p_tuning_v2")
HALF = (0.4, 0.6)
"""What counts as half the size: the norms train in both."""


def converges_slower(evidence: Evidence) -> Iterator[Part | str]:
    """What more epochs add to a method, less what they add to full fine-tuning."""

    def but_for_epochs(arm: Arm) -> object:
        return arm.condition.task, arm.condition.examples, arm.condition.protocol

    for method in SLOW:
        for arms in evidence.by(but_for_epochs, method, "full"):
            both = sorted(_shared(arms, method), key=lambda one: one["full"].condition.epochs)
            if len(both) < 2:
                continue
            few, many = both[0], both[-1]
            epochs = (few["full"].condition.epochs, many["full"].condition.epochs)
            yield part(
                f"from {epochs[0]} to {epochs[1]} epochs, the gain of {method} less that of full "
                f"on {arms[0].condition.task}",
                (1, many[method]),
                (-1, few[method]),
                (-1, many["full"]),
                (1, few["full"]),
                above=0.0,
            )


def falls_with_length(evidence: Evidence) -> Iterator[Part | str]:
    """A shorter prefix less a longer one."""
    for method in ("prefix", "p_tuning_v2"):
        for group in evidence.variants(method, "length"):
            for short, long in itertools.combinations(sorted(group), 2):
                yield part(
                    f"{method} of length {short} less that of length {long} "
                    f"on {group[short].condition.task}",
                    (1, group[short]),
                    (-1, group[long]),
                    above=0.0,
                    # That it falls by a point is ruled out.
                    fails_below=evidence.margin,
                )


def wins_on_small_data(evidence: Evidence) -> Iterator[Part | str]:
    """A method less full fine-tuning on few examples, on many, and the difference of the two."""

    def but_for_size(arm: Arm) -> object:
        return arm.condition.task, arm.condition.protocol

    for method in ADAPTED:
        for arms in evidence.by(but_for_size, method, "full"):
            sizes = longest_by_size(_shared(arms, method), lambda both: both["full"].condition)
            if len(sizes) < 2:
                continue
            few, many = min(sizes), max(sizes)
            small, large = sizes[few], sizes[many]
            where = f"on {arms[0].condition.task}"
            lead = ((1, small[method]), (-1, small["full"]))
            lead_of_full = ((1, large["full"]), (-1, large[method]))
            yield part(f"{method} less full with {few:,} examples {where}", *lead, above=0.0)
            yield part(
                f"full less {method} with {many:,} examples {where}",
                *lead_of_full,
                above=-evidence.margin,
            )
            yield part(
                f"the lead of {method} over full with {few:,} examples less that with {many:,} "
                f"{where}",
                *lead,
                *lead_of_full,
                above=0.0,
            )


def lstm_costs_more(evidence: Evidence) -> Iterator[Part | str]:
    """P-tuning's two encoders: weights, time, score."""
    for group in evidence.variants("p_tuning", "encoder"):
        if not {"lstm", "mlp"} <= group.keys():
            continue
        lstm, mlp = group["lstm"], group["mlp"]
        where = f"on {lstm.condition.task}"
        weights = [arm.first.trainable_params for arm in (lstm, mlp)]
        if weights[0] and weights[1]:
            factor = count(weights[0] / weights[1], (*lstm.runs, *mlp.runs))
            yield Part("trained weights, LSTM to MLP", factor, "times", above=1.0)
        longer = _longer(lstm, mlp)
        if longer is not None:
            yield Part(f"training time, LSTM over MLP {where}", longer, "share", above=0.0)
        # "Not better": that it is better by more than the margin can be ruled out.
        yield part(
            f"MLP less LSTM {where}",
            (1, mlp),
            (-1, lstm),
            above=-evidence.margin,
            fails_below=0.0,
        )


def one_is_enough(evidence: Evidence) -> Iterator[Part | str]:
    """Two adapters a layer and one: scores, and sizes."""
    for group in evidence.variants("adapter", "place"):
        if not {"houlsby", "pfeiffer"} <= group.keys():
            continue
        two, one = group["houlsby"], group["pfeiffer"]
        sizes = [arm.first.trainable_params for arm in (one, two)]
        if sizes[0] and sizes[1]:
            share = count(sizes[0] / sizes[1], (*one.runs, *two.runs))
            what = "trained weights, pfeiffer to houlsby"
            yield Part(what, share, "share", above=HALF[0], below=HALF[1])
        yield part(
            f"pfeiffer less houlsby on {one.condition.task}",
            (1, one),
            (-1, two),
            above=-evidence.margin,
            below=evidence.margin,
        )


def _shared(arms: Iterable[Arm], method: str) -> list[Mapping[str, Arm]]:
    """The method's arm and that of full fine-tuning, for each condition that both have."""
    groups: dict[Condition, dict[str, Arm]] = {}
    for arm in arms:
        groups.setdefault(arm.condition, {}).setdefault(arm.method, arm)
    return [group for group in groups.values() if {"full", method} <= group.keys()]


def _longer(one: Arm, other: Arm) -> Mean | None:
    """By which share one takes longer to train, seed by seed; none where no times are there."""
    times = [
        {
            cell.result.seed: cell.result.train_seconds
            for cell in arm.cells
            if cell.result.train_seconds
        }
        for arm in (one, other)
    ]
    shares = tuple(times[0][seed] / times[1][seed] - 1 for seed in times[0] if seed in times[1])
    return Mean(shares, (*one.runs, *other.runs)) if shares else None


CLAIMS = (
    Claim(
        "C4",
        "Prompts and prefixes converge more slowly: more epochs add more to them than to full "
        "fine-tuning.",
        "scripts and issue 34 of P-tuning v2's repository (50 to 120 epochs, where BERT takes 3 "
        "to 10)",
        f"full and one of {', '.join(SLOW)}, each with two numbers of epochs",
        converges_slower,
    ),
    Claim(
        "C5",
        "Prefix tuning is not monotone in its size: some longer prefix scores less than a "
        "shorter one.",
        "Hu et al. 2021 (LoRA), section 3",
        "prefix or p_tuning_v2 with two lengths at least",
        falls_with_length,
        every=False,
    ),
    Claim(
        "C11",
        "Methods that train few weights beat full fine-tuning on small data; with more, full "
        "fine-tuning is as good or better.",
        "Chen et al. 2022 (Revisiting parameter-efficient tuning)",
        f"full and one of {', '.join(ADAPTED)}, with two sizes of the training data",
        wins_on_small_data,
    ),
    Claim(
        "C13",
        "P-tuning's LSTM costs more than its MLP and is not better.",
        "PEFT's method comparison, pull request 3356",
        "p_tuning with encoder lstm and with encoder mlp",
        lstm_costs_more,
    ),
    Claim(
        "C15",
        "One adapter a layer (Pfeiffer) is as good as two (Houlsby), at half the size.",
        "adapters, issue 168",
        "adapter with place houlsby and with place pfeiffer",
        one_is_enough,
    ),
)
