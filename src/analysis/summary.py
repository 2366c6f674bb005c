"""What the tables say, in sentences that claim no more than the numbers carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..records import Comparison
from ..text import one_line, plural
from .cells import searches_of
from .conclusion import Conclusion, highest
from .format import listed, percent
from .leaders import Average, Leaders, equal
from .rows import Row
from .studies import study_analyses

if TYPE_CHECKING:
    from .verdict import Across

FEW_TRIALS = 10
"""Below so many trials a study has hardly searched."""


def title(comparison: Comparison) -> str:
    """What was compared: "8 methods on 5 tasks"; of a search alone: "A study of lora on rte"."""
    if comparison.studies and not comparison.results:
        studies = [f"{one.method} on {one.task}" for one in comparison.studies]
        return f"A study of {listed(studies)}"
    methods = plural(len(comparison.methods), "method")
    tasks = plural(len(comparison.tasks), "task")
    where = comparison.tasks[0] if len(comparison.tasks) == 1 else tasks
    return f"{methods[0].upper()}{methods[1:]} on {where}"


def trials_of(comparison: Comparison) -> int:
    """Trials in each study: as planned, or as recorded where the plan does not say."""
    recorded = 1 + max((trial.number for trial in comparison.trials), default=-1)
    if comparison.studies and not comparison.results:
        return recorded
    search = comparison.experiment.get("search")
    planned = search.get("trials") if isinstance(search, Mapping) else None
    return planned if isinstance(planned, int) else recorded


def is_barely_tuned(comparison: Comparison) -> bool:
    """Whether the studies were too short to have searched."""
    return trials_of(comparison) < FEW_TRIALS


def budget(comparison: Comparison) -> str:
    """How much the numbers rest on: "one seed, barely tuned (2 trials)", "5 seeds, 12 trials"."""
    trials = plural(trials_of(comparison), "trial")
    if not comparison.seeds:
        return trials
    if (searches := searches_of(comparison)) > 1:
        trials = f"{trials} in each of {searches} searches"
    seeds = seeds_of(comparison)
    if comparison.folds:
        seeds = f"{len(comparison.folds)} folds, {seeds}"
    if is_barely_tuned(comparison):
        return f"{seeds}, barely tuned ({trials})"
    return f"{seeds}, {trials}"


def seeds_of(comparison: Comparison, *, scored: bool = False) -> str:
    """How many seeds each method has: "5 seeds"; "3 to 8 seeds" where they were found by looks.

    With `scored` only those that have a score count, of methods that have any.
    """
    most = plural(len(comparison.seeds), "seed")
    rows = [row for row in comparison.results if not scored or row.score is not None]
    counts = Counter((row.task, row.method) for row in rows).values()
    fewest = min(counts, default=0)
    return f"{fewest} to {most}" if 0 < fewest < len(comparison.seeds) else most


def sources(comparison: Comparison) -> dict[str, tuple[str, ...]]:
    """Data source → the tasks that come from it, in the order of the tasks."""
    tasks: dict[str, list[str]] = {}
    for task in comparison.tasks:
        tasks.setdefault(comparison.sources.get(task, "unknown data"), []).append(task)
    return {source: tuple(names) for source, names in tasks.items()}


def leaders_sentence(
    comparison: Comparison,
    tops: Sequence[Leaders | None],
    overview: Sequence[Average],
    concluded: Sequence[Conclusion | None],
    over_all: Across | None = None,
    unequal: Sequence[str] = (),
) -> str:
    """Which methods have the highest scores, and of one task what its pairs show of them.

    Where budgets were unequal, that is the answer; `unequal` has each task's sentence on it.
    """
    known = [top for top in tops if top is not None]
    if comparison.studies and not comparison.results:
        return " ".join(one.answer for one in study_analyses(comparison))
    if any(unequal):
        return _unequal(comparison, known, unequal)
    if not known:
        # Scores of which no two compare, where there are any.
        sentences = [one.sentences for one in concluded if one is not None]
        return " ".join(sentences) or _nothing(comparison)
    if len(comparison.tasks) == 1:
        scores = {row.method for row in comparison.results if row.score is not None}
        return _one_task(known[0], concluded[0], len(scores))
    sentence = _many_tasks(comparison, known, overview, concluded)
    return " ".join(filter(None, (sentence, _other_draws(over_all))))


def _nothing(comparison: Comparison) -> str:
    """Why there is nothing to compare: cells are still missing, or every one of them failed."""
    rows = comparison.results
    if not rows or any(row.status in ("missing", "complete") for row in rows):
        return "No cell is complete yet, so there is nothing to compare."
    first = rows[0]
    cells = "The only cell" if len(rows) == 1 else f"All {len(rows)} cells"
    reasons = {row.reason for row in rows}
    whose = "" if len(reasons) == 1 else f"{first.method} on {first.task}, seed {first.seed}: "
    return (
        f"{cells} failed, so there is nothing to compare ({whose}{one_line(first.reason)}); "
        "the same command tries again."
    )


def _unequal(comparison: Comparison, tops: Sequence[Leaders], unequal: Sequence[str]) -> str:
    """That nothing is ranked where budgets differ, and who is first on the other tasks."""
    tasks: dict[str, list[str]] = {}
    for task, sentence in zip(comparison.tasks, unequal, strict=True):
        if sentence:
            tasks.setdefault(sentence, []).append(task)
    everywhere = all(unequal) and len(tasks) == 1
    parts = [
        sentence if everywhere else f"{listed(names)}: {sentence}"
        for sentence, names in tasks.items()
    ]
    scored = {(row.task, row.method) for row in comparison.results if row.score is not None}
    counts = Counter(task for task, _ in scored)
    return " ".join([*parts, *(highest(top, counts[top.rows[0].task]) for top in tops)])


def _one_task(top: Leaders, concluded: Conclusion | None, scores: int) -> str:
    """The highest score of the only task."""
    if concluded is not None:
        return concluded.sentences
    row = top.rows[0]
    if top.separate:
        return f"On {row.task}, {row.name} leads ({row.metric or 'score'} {top.score:.3f})."
    return highest(top, scores)


def _many_tasks(
    comparison: Comparison,
    tops: Sequence[Leaders],
    overview: Sequence[Average],
    concluded: Sequence[Conclusion | None],
) -> str:
    """The highest mean over all tasks; methods with a gap have no mean."""
    means = [(each.mean, each.method) for each in overview if each.mean is not None]
    if not means:
        each = [f"{listed(top.names)} on {top.rows[0].task}" for top in tops]
        return f"No method is complete on every task; the highest scores so far: {listed(each)}."
    highest = max(mean for mean, _ in means)
    names = [method for mean, method in means if equal(mean, highest)]
    tasks = len(comparison.tasks)
    if len(names) > 1:
        return (
            f"Averaged over {tasks} tasks, {listed(names)} share the highest score ({highest:.3f})."
        )
    if len(means) == 1:
        only = "" if len(comparison.methods) == 1 else "; no other method has such a mean"
        return f"Averaged over {tasks} tasks, {names[0]} has a score of {highest:.3f}{only}."
    wins = sum(names[0] in top.names for top in tops)
    pairs = {one.task: one for one in concluded if one is not None}
    leads = sum(_leads(top, pairs) and names[0] in top.names for top in tops)
    lead = f" and leads on {leads}" if leads else ""
    return (
        f"Averaged over {tasks} tasks, {names[0]} has the highest score ({highest:.3f}); "
        f"no method is above it on {wins} of {tasks}{lead}."
    )


def _other_draws(over_all: Across | None) -> str:
    """How the highest mean would move with other seeds and test examples; empty if not known."""
    if over_all is None or over_all.standings[0].highest is None:
        return ""
    first = over_all.standings[0]
    drawn = "test examples (one seed says nothing of others)"
    start = f"With other {drawn if over_all.one_seed else 'seeds and test examples'}"
    return (
        f"{start} the mean score of {first.method} would lie between {first.mean_low:.3f} and "
        f"{first.mean_high:.3f}, its mean rank of {first.rank:.1f} between {first.rank_low:.1f} "
        f"and {first.rank_high:.1f} (95 % intervals), and its mean would be the highest in "
        f"{percent(first.highest or 0.0)} of such studies."
    )


def _leads(top: Leaders, concluded: Mapping[str, Conclusion]) -> bool:
    """Whether a task's first method may be called its leader: by its pairs, where there are any."""
    pairs = concluded.get(top.rows[0].task)
    return top.separate if pairs is None else pairs.leads


def doubts(
    comparison: Comparison,
    tops: Sequence[Leaders | None],
    overview: Sequence[Average],
    tables: Sequence[Sequence[Row]],
    concluded: Sequence[Conclusion | None],
) -> str:
    """How far the highest scores can be trusted; empty while there are none."""
    if comparison.studies and not comparison.results:
        cautions = [one.caution for one in study_analyses(comparison)]
        return " ".join([*filter(None, cautions), "The test split was not touched."])
    known = [top for top in tops if top is not None]
    if not known:
        return ""
    # Where the pairs have their own sentences, the plain means have nothing to add.
    pairs = [one for one in concluded if one is not None]
    plain = [top for top in known if top.rows[0].task not in {one.task for one in pairs}]
    parts = (
        _seeds(comparison, plain),
        _undecided(comparison, pairs),
        _examples(comparison, plain),
        _gaps(comparison, overview),
        _references(tops, tables),
    )
    return " ".join(filter(None, parts))


def _seeds(comparison: Comparison, tops: Sequence[Leaders]) -> str:
    """What the seeds or folds cannot separate."""
    if comparison.folds:
        each = plural(len(comparison.seeds), "seed")
        start = (
            f"The numbers are means over {len(comparison.folds)} folds of {each} each, in which "
            "every row is a test row once."
        )
        apart = len(comparison.methods) == 1 or len(tops[0].rows) > 1 or tops[0].separate
        return start if apart else f"{start} They do not separate the first from all others."
    if len(comparison.seeds) == 1:
        return "One seed cannot say which method is better."
    searches = searches_of(comparison)
    each = f" of the winners of {searches} searches" if searches > 1 else ""
    means = f"The numbers are means over {seeds_of(comparison, scored=True)}{each}."
    mixed = [top.rows[0].task for top in tops if not top.separate and len(top.rows) == 1]
    if not mixed or len(comparison.methods) == 1:
        return means
    where = "" if len(comparison.tasks) == 1 else f" on {listed(mixed)}"
    return f"{means} They do not separate the first from all others{where}."


def _undecided(comparison: Comparison, concluded: Sequence[Conclusion]) -> str:
    """The tasks on which the pairs leave the first place open; of one task its answer says so."""
    tasks = [one.task for one in concluded if one.open]
    if not tasks or len(comparison.tasks) == 1:
        return ""
    return (
        f"On {listed(tasks)} the first place is not decided: each task's verdict says what would "
        "settle it."
    )


def _examples(comparison: Comparison, tops: Sequence[Leaders]) -> str:
    """What the test examples cannot separate."""
    if comparison.folds:
        return ""
    unclear = [top.rows[0].task for top in tops if top.margin is not None and top.close]
    if not unclear:
        return ""
    if len(comparison.tasks) == 1:
        return "The test examples alone leave the first place open."
    return f"On {listed(unclear)} the test examples alone leave the first place open."


def _gaps(comparison: Comparison, overview: Sequence[Average]) -> str:
    """The methods that have no mean because some task lacks a score."""
    gaps = [each.method for each in overview if each.mean is None]
    if not gaps or len(gaps) == len(comparison.methods) or len(comparison.tasks) == 1:
        return ""
    apart = [each.method for each in overview if each.mean is None and each.is_complete]
    why = "complete" if not apart else "comparable" if apart == gaps else "complete and comparable"
    return f"Not {why} on every task, and so without a mean: {listed(gaps)}."


def _references(tops: Sequence[Leaders | None], tables: Sequence[Sequence[Row]]) -> str:
    """The tasks on which training did not pay."""
    unbeaten = []
    for top, table in zip(tops, tables, strict=True):
        plain = [(row.score.value, row) for row in table if not row.trained and row.score]
        if top is None or not plain:
            continue
        highest, reference = max(plain, key=lambda pair: pair[0])
        if highest >= top.score or equal(highest, top.score):
            unbeaten.append(f"{reference.task} ({reference.name}, {highest:.3f})")
    if not unbeaten:
        return ""
    return f"No trained method beats the rows that need no training on {listed(unbeaten)}."
