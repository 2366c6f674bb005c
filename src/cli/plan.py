"""What `--dry-run` prints: the experiment, its data and what it costs, without training."""

from __future__ import annotations

from dataclasses import asdict

import yaml

from ..analysis.verdict import LOOKS
from ..config import Experiment
from ..data.load import load_tasks
from ..study.checks import check_data
from ..study.jobs import searches_of
from .text_table import format_table


def plan(experiment: Experiment) -> str:
    """The plan of a comparison: its data, cells, trainings, the budget's numbers, every setting.

    The data is read as a run would read it, so that whatever is wrong with it is answered here.

    Raises:
        UserError: Anything wrong with the settings or the data.
    """
    notes: list[str] = []
    data = load_tasks(experiment.tasks, experiment.data, say=notes.append)
    check_data(experiment, data)
    tasks = [one.task.name for one in data]
    folds = [one.fold for one in data if one.fold is not None]
    named = f"1: {folds[0].task} in {len(folds)} folds" if folds else ""
    what = "folds" if folds else "tasks"
    search, until = experiment.search, experiment.until is not None
    seeds = tuple(range(LOOKS[-1])) if until else experiment.seeds
    pairs = len(tasks) * len(experiment.methods)
    searches = searches_of(experiment)
    trainings = pairs * (searches * search.trials + len(seeds))
    fewest = f"{pairs * LOOKS[0]} to " if until else ""
    of_searches = f" in each of {searches} searches" if searches > 1 else ""
    each = f"{_count(search.trials, 'trial')}{of_searches} and {_count(len(seeds), 'seed')}"
    looks = ", ".join(map(str, LOOKS))
    by_looks = f"0, 1, 2, …: looks at {looks} of them, until all is decided"
    rows = [
        ("tasks", named or f"{len(tasks)}: {', '.join(tasks)}"),
        ("methods", f"{len(experiment.methods)}: {', '.join(experiment.methods)}"),
        ("seeds", by_looks if until else f"{len(seeds)}: {', '.join(map(str, seeds))}"),
        ("cells", f"{fewest}{pairs * len(seeds)} ({what} × methods × seeds)"),
        ("trainings", f"at most {trainings}: {each} for each {what[:-1]} and method"),
        ("budget", _budget(experiment)),
    ]
    settings = yaml.safe_dump(_plain(asdict(experiment)), sort_keys=False, allow_unicode=True)
    body = [
        format_table(rows),
        "data\n" + format_table([note] for note in notes),
        settings.rstrip(),
    ]
    return "\n\n".join(["Nothing is trained: this is the plan.", *body])


def _budget(experiment: Experiment) -> str:
    """The budget in words; 0 training examples mean all."""
    search = experiment.search
    most = f"at most {search.train_examples:,}" if search.train_examples else "all"
    share = f"{search.validation:.0%} of them, at most {search.validation_examples:,}, to select on"
    trials = f"{_count(search.trials, 'trial')} of {_count(search.trial_epochs, 'epoch')}"
    return (
        f"{experiment.budget}: {trials}, the winner {_count(search.epochs, 'epoch')}; "
        f"{most} training examples ({search.pocket_examples:,} on pocket), {share}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _plain(value: object) -> object:
    """Tuples as lists, which YAML has."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
