"""What a strategy would have claimed: stored trainings are replayed in many random orders of seeds.

    python experiments/replay.py collect runs other-runs      writes experiments/replay.npz
    python experiments/replay.py report [--picture FILE]      prints the table, and draws it

The ground truth is many seeds of every method on a few tasks. Each replay takes the seeds in
another order, lets a strategy spend trainings on it, and compares its verdicts on the pairs of
methods with those of all seeds together. All verdicts are the product's own
(`src/analysis/verdict`); only the habit of believing the higher number of one seed is written here.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tunebench.analysis import read_from
from tunebench.analysis.cells import Cell
from tunebench.analysis.predictions import PROBABILITY, Predictions
from tunebench.analysis.verdict import LEVEL, LOOKS, MARGIN, Pair
from tunebench.analysis.verdict.matching import Scored, scored
from tunebench.analysis.verdict.pairs import verdict_of
from tunebench.analysis.verdict.sequential import take_looks
from tunebench.errors import UserError
from tunebench.records import Result
from tunebench.store.store import Store

FILE = Path(__file__).with_name("replay.npz")
FIXED = (2, 3, 5, 8, 12, 20)
"""Seeds of the strategies that give every method the same number."""
FOREKNOWN = "half, known what differs"
REPLAYS = 200


@dataclass(frozen=True)
class Truth:
    """Every method's answers to one task, for every seed."""

    task: str
    metric: str
    methods: tuple[str, ...]
    labels: NDArray[np.bool_]
    """The right classes (examples)."""
    answers: NDArray[np.bool_]
    """What was answered (methods, seeds, examples)."""
    scores: NDArray[np.float64]
    """The recorded scores (methods, seeds)."""
    seconds: NDArray[np.float64]
    """Wall time of each training (methods, seeds)."""

    @property
    def seeds(self) -> int:
        """Seeds of each method."""
        return int(self.answers.shape[1])

    def scored(self) -> dict[str, Scored]:
        """Each method as the verdict takes it; the recorded scores are held against the answers."""
        ids = tuple(range(len(self.labels)))
        labels = tuple(map(int, self.labels))
        known = {}
        for m, method in enumerate(self.methods):
            cells = []
            for seed in range(self.seeds):
                row = Result(
                    cell=f"{self.task}-{method}-{seed}",
                    study=f"{self.task}-{method}",
                    task=self.task,
                    method=method,
                    seed=seed,
                    status="complete",
                    metric=self.metric,
                    score=float(self.scores[m, seed]),
                    train_seconds=float(self.seconds[m, seed]),
                )
                answers = tuple(map(int, self.answers[m, seed]))
                cells.append(Cell(row, predictions=Predictions(ids, labels, answers)))
            known[method] = scored(cells)
        return known


def collect(
    folders: Sequence[Path], file: Path = FILE, wanted: Sequence[str] = ()
) -> tuple[Truth, ...]:
    """Read every complete cell of some output folders, and keep what all methods of a task have.

    A cell that is in several folders is taken from the first one.

    Raises:
        UserError: A folder has none, or a task's answers are not of two classes.
    """
    rows: dict[tuple[str, str, int], tuple[Result, Predictions]] = {}
    for folder in folders:
        for key, value in _complete(folder):
            rows.setdefault(key, value)
    tasks = tuple(wanted) or tuple(dict.fromkeys(task for task, _, _ in rows))
    if missing := set(tasks) - {task for task, _, _ in rows}:
        raise UserError(f"no complete cell of: {', '.join(sorted(missing))}")
    truths = tuple(_truth(task, {k: v for k, v in rows.items() if k[0] == task}) for task in tasks)
    write(truths, file)
    return truths


def _complete(folder: Path) -> Iterator[tuple[tuple[str, str, int], tuple[Result, Predictions]]]:
    """The complete cells of a folder, with their answers."""
    store, read = Store(folder), read_from(folder)
    names = sorted(path.stem for path in (folder / "cells").glob("*.json"))
    if not names:
        raise UserError(f"no cell in '{folder}': name output folders of `tunebench compare`")
    for name in names:
        row = store.result(name)
        answers = read(row) if row is not None else None
        if row is not None and answers is not None and row.status == "complete":
            yield (row.task, row.method, row.seed), (row, answers)


def _truth(task: str, rows: Mapping[tuple[str, str, int], tuple[Result, Predictions]]) -> Truth:
    """One task's answers over the seeds that all of its methods have."""
    methods = tuple(sorted({method for _, method, _ in rows}))
    common = sorted(set.intersection(*({s for _, m, s in rows if m == one} for one in methods)))
    if not common:
        raise UserError(f"{task}: its methods have no complete seed in common")
    table = [[rows[task, method, seed] for seed in common] for method in methods]
    first, answers = table[0][0]
    if any(one.labels != answers.labels for line in table for _, one in line):
        raise UserError(f"{task}: its cells were tested on different examples")
    classes = _classes(answers)
    if len(classes) != 2 or not set(answers.labels) <= set(classes):
        raise UserError(f"{task}: answers are kept as bits, which takes two classes")
    number = {name: place for place, name in enumerate(classes)}
    return Truth(
        task=task,
        metric=first.metric,
        methods=methods,
        labels=np.array([number[one] for one in answers.labels], dtype=bool),
        answers=np.array(
            [[[number[a] for a in one.predictions] for _, one in line] for line in table],
            dtype=bool,
        ),
        scores=np.array([[row.score for row, _ in line] for line in table], dtype=np.float64),
        seconds=np.array([[row.train_seconds for row, _ in line] for line in table], dtype=float),
    )


def _classes(answers: Predictions) -> tuple[Any, ...]:
    """The classes in the order of their numbers, as the columns of probabilities have them."""
    named = [name for name in answers.more if name.startswith(PROBABILITY)]
    return tuple(name.removeprefix(PROBABILITY) for name in named) or (0, 1)


def write(truths: Sequence[Truth], file: Path) -> None:
    """Keep ground truths as a small file: answers take a bit each."""
    arrays: dict[str, Any] = {"tasks": np.array([truth.task for truth in truths])}
    for truth in truths:
        arrays |= {
            f"{truth.task}/metric": np.array(truth.metric),
            f"{truth.task}/methods": np.array(truth.methods),
            f"{truth.task}/labels": truth.labels,
            f"{truth.task}/answers": np.packbits(truth.answers, axis=-1),
            f"{truth.task}/scores": truth.scores,
            f"{truth.task}/seconds": truth.seconds.astype(np.float32),
        }
    np.savez_compressed(file, **arrays)


def read(file: Path = FILE) -> tuple[Truth, ...]:
    """The ground truths that `write` kept."""
    with np.load(file, allow_pickle=False) as kept:
        return tuple(
            Truth(
                task=task,
                metric=str(kept[f"{task}/metric"]),
                methods=tuple(map(str, kept[f"{task}/methods"])),
                labels=kept[f"{task}/labels"],
                answers=np.unpackbits(
                    kept[f"{task}/answers"], axis=-1, count=len(kept[f"{task}/labels"])
                ).astype(bool),
                scores=kept[f"{task}/scores"],
                seconds=kept[f"{task}/seconds"].astype(np.float64),
            )
            for task in map(str, kept["tasks"])
        )


def only(truths: Sequence[Truth], tasks: Sequence[str]) -> tuple[Truth, ...]:
    """The ground truths of these tasks; of all where none is named.

    Raises:
        UserError: One of them is not kept.
    """
    known = {truth.task: truth for truth in truths}
    if missing := set(tasks) - set(known):
        raise UserError(f"--tasks: known are {', '.join(known)}, not {', '.join(sorted(missing))}")
    return tuple(known[task] for task in tasks or known)


@dataclass(frozen=True)
class Claim:
    """What a strategy claims of a pair."""

    better: str = ""
    """The better method; empty where it does not name one."""
    equivalent: bool = False

    @property
    def something(self) -> bool:
        """Whether it is a verdict at all."""
        return self.equivalent or bool(self.better)


Claims = Mapping[tuple[str, str], Claim]
Strategy = Callable[[Mapping[str, Scored], Sequence[int]], tuple[Claims, int]]
"""Of each method's seeds and the order in which they come: what is claimed, and the trainings."""


def of_pairs(pairs: Sequence[Pair]) -> dict[tuple[str, str], Claim]:
    """The product's verdicts as claims."""
    return {(p.a, p.b): Claim(p.better, p.verdict == "equivalent") for p in pairs}


def in_order(known: Mapping[str, Scored], order: Sequence[int], count: int) -> dict[str, Scored]:
    """The first so many seeds of an order, numbered from 0."""
    return {method: renumbered(one.at(order[:count])) for method, one in known.items()}


def renumbered(one: Scored) -> Scored:
    """The same seeds, numbered from 0."""
    return replace(one, seeds=tuple(range(len(one.seeds))))


def fixed(known: Mapping[str, Scored], order: Sequence[int], count: int) -> tuple[Claims, int]:
    """So many seeds for every method, one verdict at the end; what it claims and what it costs."""
    usable = in_order(known, order, count)
    seen = verdict_of(list(usable), usable, {}, "", MARGIN, LEVEL)
    return of_pairs(seen.pairs), count * len(usable)


def higher(known: Mapping[str, Scored], order: Sequence[int]) -> tuple[Claims, int]:
    """The habit: one seed each, and the higher score is the better method."""
    pairs, cost = _pairs_of_one_seed(known, order)
    return {
        (p.a, p.b): Claim((p.a if p.difference > 0 else p.b) if p.difference else "") for p in pairs
    }, cost


def examples_alone(known: Mapping[str, Scored], order: Sequence[int]) -> tuple[Claims, int]:
    """One seed each, and a difference that its test examples carry (Holm, 5 %) counts as one."""
    pairs, cost = _pairs_of_one_seed(known, order)
    return {
        (p.a, p.b): Claim((p.a if p.difference > 0 else p.b) if p.p_holm <= LEVEL else "")
        for p in pairs
    }, cost


def _pairs_of_one_seed(
    known: Mapping[str, Scored], order: Sequence[int]
) -> tuple[tuple[Pair, ...], int]:
    usable = in_order(known, order, 1)
    return verdict_of(list(usable), usable, {}, "", MARGIN, LEVEL).pairs, len(usable)


def until_decided(known: Mapping[str, Scored], order: Sequence[int]) -> tuple[Claims, int]:
    """`--until decided`: the product's looks."""
    nothing = verdict_of([], {}, {}, "", MARGIN)

    def at(wanted: Mapping[str, int], level: float) -> Any:
        if max(wanted.values()) > len(order):
            return None
        usable = {m: in_order({m: one}, order, wanted[m])[m] for m, one in known.items()}
        return verdict_of(list(usable), usable, {}, "", MARGIN, level)

    looks = take_looks(dict.fromkeys(known, LOOKS[0]), at, nothing)
    return of_pairs(looks.verdict.pairs), sum(looks.wanted.values())


def foreknown(
    known: Mapping[str, Scored], order: Sequence[int], everything: Claims
) -> tuple[Claims, int]:
    """Half of all trainings, spent on the methods that all seeds together tell apart.

    Nobody knows these before: it says what half of the trainings could decide at most where every
    method of them gets the same number of seeds.
    """
    apart = {method for pair, claim in everything.items() if claim.something for method in pair}
    count = min(len(order), len(known) * len(order) // 2 // max(len(apart), 1))
    usable = in_order({m: one for m, one in known.items() if m in apart}, order, count)
    seen = verdict_of(list(usable), usable, {}, "", MARGIN, LEVEL)
    return {**dict.fromkeys(everything, Claim()), **of_pairs(seen.pairs)}, count * len(usable)


@dataclass(frozen=True)
class Outcome:
    """A strategy over many replays of all tasks."""

    name: str
    trainings: float
    """Mean number of trainings, all tasks together."""
    correct: float
    """Share of the pairs that all seeds decide on which it says the same."""
    wrong: float
    """Share of all pairs on which it says what all seeds contradict."""
    unsupported: float
    """Share of all pairs on which it says what all seeds leave undecided, or differ in kind from
    without contradicting it."""
    any_wrong: float
    """Share of replays of a task with one wrong verdict at least."""


def replayed(truths: Sequence[Truth], replays: int = REPLAYS, seed: int = 0) -> list[Outcome]:
    """Every strategy on the same random orders of seeds."""
    generator = np.random.default_rng(seed)
    common = _strategies(min(truth.seeds for truth in truths))
    tallies: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    costs: dict[str, float] = defaultdict(float)
    for truth in truths:
        known = truth.scored()
        everything = fixed(known, range(truth.seeds), truth.seeds)[0]
        differences = {
            (a, b): float(np.mean(known[a].scores) - np.mean(known[b].scores))
            for a, b in everything
        }
        strategies = {**common, FOREKNOWN: partial(foreknown, everything=everything)}
        for _ in range(replays):
            order = generator.permutation(truth.seeds).tolist()
            for name, strategy in strategies.items():
                claims, cost = strategy(known, order)
                tallies[name].append(judged(claims, everything, differences))
                costs[name] += cost / replays
    return [_outcome(name, costs[name], tallies[name]) for name in tallies]


def _strategies(seeds: int) -> dict[str, Strategy]:
    """What everybody can do who has so many seeds."""
    numbers = [count for count in FIXED if count <= seeds]
    return {
        "1 seed each, the higher score": higher,
        "1 seed each, test examples alone": examples_alone,
        **{f"{count} seeds each": partial(fixed, count=count) for count in numbers},
        "until decided": until_decided,
    }


def judged(
    claims: Claims, everything: Claims, differences: Mapping[tuple[str, str], float]
) -> tuple[float, ...]:
    """Pairs decided by all seeds, those of them claimed alike, wrong ones, unsupported ones, pairs.

    Wrong is what the mean over all seeds contradicts: a better method that scores lower, or an
    equivalence of methods that differ by the margin or more.
    """
    decided = correct = wrong = unsupported = 0
    for pair, truth in everything.items():
        claim = claims[pair]
        decided += truth.something
        if claim == truth:
            correct += truth.something
        elif claim.better:
            higher_one = pair[0] if differences[pair] > 0 else pair[1]
            wrong += claim.better != higher_one
            unsupported += claim.better == higher_one
        elif claim.equivalent:
            far = abs(differences[pair]) >= MARGIN
            wrong += far
            unsupported += not far
    return decided, correct, wrong, unsupported, len(everything)


def _outcome(name: str, trainings: float, tallies: Sequence[tuple[float, ...]]) -> Outcome:
    decided, correct, wrong, unsupported, pairs = np.sum(tallies, axis=0)
    return Outcome(
        name=name,
        trainings=trainings,
        correct=correct / decided if decided else float("nan"),
        wrong=wrong / pairs,
        unsupported=unsupported / pairs,
        any_wrong=float(np.mean([tally[2] > 0 for tally in tallies])),
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a Markdown table."""
    head = "| strategy | trainings | correct | wrong | not supported | a wrong one in a task |"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for one in outcomes:
        shares = (one.correct, one.wrong, one.unsupported, one.any_wrong)
        figures = " | ".join(f"{100 * share:.1f} %" for share in shares)
        lines.append(f"| {one.name} | {one.trainings:.0f} | {figures} |")
    return "\n".join(lines)


def picture(outcomes: Sequence[Outcome], file: Path) -> None:
    """Correct and wrong verdicts against trainings."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 4.0), layout="constrained")
    each = [one for one in outcomes if one.name.endswith("seeds each")]
    axes.plot(
        [one.trainings for one in each],
        [100 * one.correct for one in each],
        "o-",
        color="#4477aa",
        label="the same number of seeds each: 2, 3, 5, 8, 12, 20",
    )
    styles = {
        "until decided": ("*", "#228833", 15, "until decided"),
        FOREKNOWN: ("D", "#aa3377", 7, "half, known what differs"),
        "1 seed each, test examples alone": ("s", "#ccbb44", 7, "1 seed, test examples alone"),
        "1 seed each, the higher score": ("X", "#ee6677", 8, "1 seed, the higher score"),
    }
    for one in outcomes:
        if one.name in styles:
            marker, color, size, label = styles[one.name]
            axes.plot(
                [one.trainings],
                [100 * one.correct],
                marker,
                color=color,
                markersize=size,
                label=f"{label}: correct",
            )
            axes.plot(
                [one.trainings],
                [100 * (one.wrong + one.unsupported)],
                marker,
                color=color,
                markersize=size,
                markerfacecolor="none",
                label=f"{label}: wrong or not supported",
            )
    axes.set_xscale("log")
    ticks = sorted(
        {round(one.trainings) for one in outcomes if one.name not in ("until decided", FOREKNOWN)}
    )
    axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("trainings of winners, all tasks together")
    axes.set_ylabel("% of the pairs that all seeds decide;\nwrong or not supported: % of all pairs")
    axes.set_ylim(-2, 102)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(file, dpi=130)
    plt.close(figure)


def main() -> int:
    """Collect or report; a mistake is answered by one line."""
    parser = argparse.ArgumentParser(description="Replays strategies on stored trainings.")
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect", help="make the ground truth from output folders")
    collecting.add_argument("folders", type=Path, nargs="+")
    collecting.add_argument("--tasks", nargs="+", default=(), help="only these")
    reporting = commands.add_parser("report", help="print the table")
    reporting.add_argument("--replays", type=int, default=REPLAYS)
    reporting.add_argument("--tasks", nargs="+", default=(), help="only these")
    reporting.add_argument("--picture", type=Path, help="also draw it, as a PNG file")
    for command in (collecting, reporting):
        command.add_argument("--file", type=Path, default=FILE)
    arguments = parser.parse_args()
    try:
        if arguments.command == "collect":
            truths = collect(arguments.folders, arguments.file, arguments.tasks)
        else:
            truths = only(read(arguments.file), arguments.tasks)
            outcomes = replayed(truths, arguments.replays)
            print(table(outcomes))
            if arguments.picture:
                picture(outcomes, arguments.picture)
    except (UserError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for truth in truths:
        shape = f"{len(truth.methods)} methods, {truth.seeds} seeds, {len(truth.labels)} examples"
        print(f"{truth.task}: {truth.metric}, {shape}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
