"""Several searches of one method: other draws, another seed of the trials, a winner each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.analysis import analyse, read_from
from tunebench.analysis.studies import best_trial
from tunebench.config import SearchSettings
from tunebench.report import markdown, page
from tunebench.study.compare import compare
from tunebench.study.doctor import examine

from tests import small


@pytest.mark.usefixtures("records_only")
def test_each_search_draws_and_chooses_for_itself_and_the_first_is_the_one_there_was(
    checkpoint: Path, out: Path
) -> None:
    search = SearchSettings(trials=2, trial_epochs=1, epochs=1)
    once = small.experiment(checkpoint, out, methods={"head": {}}, seeds=(0, 1, 2), search=search)
    before = compare(once)
    comparison = compare(replace(once, search=replace(search, studies=2)))
    assert [study.number for study in comparison.studies] == [0, 1]
    first, second = (study.study for study in comparison.studies)
    assert first == before.studies[0].study
    rows = {row.seed: row for row in comparison.results}
    assert list(rows) == [0, 1, 2]
    # What was there stays: the trials of the first search, and its winner's seeds.
    assert (rows[0], rows[2]) == (before.results[0], before.results[2])
    assert comparison.trials[:2] == before.trials
    assert rows[1].study == second
    mine, other = comparison.trials[:2], comparison.trials[2:]
    assert [trial.study for trial in other] == [second, second]
    assert mine[0].params == other[0].params, "both begin with the defaults"
    assert mine[0].curve != other[0].curve, "on another seed"
    assert mine[1].params["lr"] != other[1].params["lr"]
    winner = best_trial(other)
    assert winner is not None
    assert (rows[1].best_trial, rows[1].validation_score) == (winner.number, winner.score)
    assert dict(rows[1].hyperparameters) == dict(winner.params)
    assert examine(out) == []
    analysis = analyse(comparison, read_from(out))
    (task,) = analysis.tasks
    (spread,) = task.searches
    assert spread.scores == pytest.approx(
        ((rows[0].score + rows[2].score) / 2, rows[1].score)  # type: ignore[operator]
    )
    assert task.rows[0].score is not None
    assert task.rows[0].score.value == pytest.approx(sum(spread.scores) / 2)
    assert "3 seeds, barely tuned (2 trials in each of 2 searches)" in analysis.budget
    for text in (page.text(analysis, {}), markdown.text(analysis)):
        assert "spread over searches" in text
        assert "head, search 2" in text
        assert "search 2: " in text, "each winner's settings"
