"""analysis.json: strict, equal to the Analysis, and described key by key."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tunebench.analysis import Analysis, PredictionReader, analyse
from tunebench.analysis.claims import Evidence, checked
from tunebench.analysis.studies import study_analyses
from tunebench.records import Comparison, Fold, Study
from tunebench.report import json as json_file

from tests.analysis.planted import answered, reader, records_of, renamed
from tests.analysis.verdict import made_up
from tests.records import comparison, name_of, trial

DOCS = Path(__file__).parents[2] / "docs" / "report.md"
LISTS = (
    "conclusions",
    "pairs",
    "groups",
    "unpaired",
    "reasons",
    "front",
    "across",
    "across_pairs",
    "across_notes",
    "looks",
    "budget",
    "tuning",
    "claims",
    "curves",
    "epochs",
    "importances",
    "searches",
    "unequal_budgets",
    "rows",
)
TASK = "made-up"
EXAMPLES = 60
RIGHT = {"lora": 0.97, "head": 0.55, "prompt": 0.6}
"""Method → its share of right answers: one is far ahead, two are close."""


def strict(source: str) -> Any:
    """What a parser that follows RFC 8259 reads; `json` itself would take NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(source, parse_constant=refuse)


def made(seeds: int, **settings: Any) -> tuple[Comparison, PredictionReader]:
    """A comparison on one task with its answers; `settings` go into its experiment."""
    random = np.random.default_rng(7)
    right = {name: random.random((seeds, EXAMPLES)) < share for name, share in RIGHT.items()}
    cells = {(cell.result.method, cell.result.seed): cell for cell in made_up.cells(right)}
    records = comparison((TASK,), tuple(RIGHT), tuple(range(seeds)))
    results = tuple(
        replace(
            row,
            metric="accuracy",
            metrics=cells[row.method, row.seed].result.metrics,
            score=cells[row.method, row.seed].result.score,
        )
        for row in records.results
    )
    shares = {"lr": 0.75, "rank": 0.25}
    studies = tuple(Study(name_of(TASK, m), TASK, m, 100, "accuracy", 2, shares) for m in RIGHT)
    trials = tuple(
        replace(one, curve=replace(one.curve, epochs=(10, 20), validation=(0.5, one.score or 0.0)))
        for one in records.trials
    )
    records = replace(
        records,
        results=results,
        studies=studies,
        trials=trials,
        experiment={**records.experiment, **settings},
    )
    return records, lambda row: cells[row.method, row.seed].predictions


def searched_twice() -> Analysis:
    """The same with two searches, each of whose winners has a seed."""
    records, read = made(2)
    again = tuple(replace(one, study=f"{one.study}-2", number=1) for one in records.studies)
    results = tuple(
        replace(row, study=f"{row.study}-2") if row.seed else row for row in records.results
    )
    return analyse(replace(records, studies=(*records.studies, *again), results=results), read)


def written(analysis: Analysis) -> Any:
    return strict(json_file.text(analysis))


@pytest.fixture(scope="module")
def several() -> Analysis:
    """Three methods with three seeds each."""
    records, read = made(3)
    return analyse(records, read)


def test_pairs_and_groups_are_those_of_the_analysis(several: Analysis) -> None:
    content = written(several)
    judged = several.tasks[0].judged
    assert judged is not None
    assert len(content["pairs"]) == len(judged.verdict.pairs) == 3
    for line, pair in zip(content["pairs"], judged.verdict.pairs, strict=True):
        for key in ("task", "metric", "a", "b", "difference", "low", "high", "p", "p_holm"):
            assert line[key] == getattr(pair, key)
        for key in ("p_equivalence", "verdict", "seeds", "searches", "examples", "smallest_seen"):
            assert line[key] == getattr(pair, key)
        assert line["better"] == (pair.better or None)
        settlement = pair.to_decide
        assert line["to_decide"] == (None if settlement is None else asdict(settlement))
    # Both ends are there: what is decided asks for nothing, what is not has no better method.
    assert {(line["better"], line["to_decide"] is None) for line in content["pairs"]} == {
        ("lora", True),
        (None, False),
    }
    letters = {line["method"]: line["letters"] for line in content["groups"]}
    assert letters == dict(judged.verdict.letters)
    assert content["title"] == several.title
    assert content["answer"] == several.answer
    assert content["margin"] == judged.verdict.margin
    concluded = several.tasks[0].conclusion
    assert concluded is not None
    assert content["conclusions"] == [
        {"task": TASK, "leads": concluded.leads, "sentences": concluded.sentences}
    ]


def test_budget_and_tuning_are_counted_from_the_records() -> None:
    records, read = made(2)
    failed = replace(trial(TASK, "lora", 2, "error"), seconds=4.0)
    better = replace(trial(TASK, "lora", 1), score=0.9)
    others = [one for one in records.trials if (one.study, one.number) != (better.study, 1)]
    experiment = {**records.experiment, "search": {"trials": 3, "trial_epochs": 1, "epochs": 4}}
    studies = tuple(replace(one, trials=3) for one in records.studies)
    records = replace(
        records, trials=(*others, failed, better), experiment=experiment, studies=studies
    )
    content = written(analyse(records, read))
    line = content["budget"][0]
    mine = [one for one in records.trials if one.study == better.study]
    rows = [row for row in records.results if row.method == "lora"]
    assert (line["task"], line["fold"], line["method"]) == (TASK, None, "lora")
    assert (line["trials"], line["trials_complete"], line["trials_failed"]) == (3, 2, 1)
    assert (line["trial_epochs"], line["epochs"]) == (1, 4)
    assert (line["train_examples"], line["validation_examples"]) == (400, 100)
    assert (line["seeds"], line["seeds_complete"]) == (2, 2)
    assert (line["search_examples"], line["winner_examples"]) == (3 * 1 * 400, 4 * 500)
    assert line["search_seconds"] == pytest.approx(sum(one.seconds for one in mine))
    assert line["train_seconds"] == pytest.approx(sum(row.train_seconds or 0 for row in rows))
    tuning = content["tuning"][0]
    default = next(one.score for one in mine if one.number == 0)
    assert default is not None
    assert (tuning["default_score"], tuning["best_score"], tuning["best_trial"]) == (
        default,
        0.9,
        1,
    )
    assert tuning["gain"] == pytest.approx(0.9 - default)
    assert [one["method"] for one in content["tuning"]] == list(RIGHT)


def test_curves_and_importances_are_lists_that_make_tables(several: Analysis) -> None:
    content = written(several)
    for study in several.studies:
        of_study = [one for one in content["curves"] if one["study"] == study.study.study]
        curve = study.curve
        assert curve is not None
        assert [one["after"] for one in of_study] == list(range(1, curve.trials + 1))
        assert {one["random_trials"] for one in of_study} == {curve.trials}
        for key, values in (("expected", curve.expected), ("low", curve.low), ("high", curve.high)):
            assert tuple(one[key] for one in of_study) == values
    learned = [one for one in content["epochs"] if one["method"] == "head"]
    keys = ("trial", "epoch", "step", "validation")
    head = [study for study in several.studies if study.study.method == "head"]
    assert [tuple(one[key] for key in keys) for one in learned] == [
        (trial.number, epoch, 10 * epoch, value)
        for trial in head[0].trials
        for epoch, value in enumerate((0.5, trial.score), start=1)
    ]
    shares = [(one["method"], one["setting"], one["share"]) for one in content["importances"]]
    assert shares[:2] == [("lora", "lr", 0.75), ("lora", "rank", 0.25)]
    assert len(shares) == 2 * len(RIGHT)


def test_a_gain_needs_the_defaults() -> None:
    records, _ = made(1)
    first = replace(trial(TASK, "lora", 0, "diverged"))
    second = trial(TASK, "lora", 1)
    records = replace(records, trials=(first, second))
    one = study_analyses(records)[0]
    assert one.best is second
    assert one.gain is None
    assert written(analyse(records))["tuning"][0]["gain"] is None


def test_rows_are_the_lines_of_the_tables(several: Analysis) -> None:
    content = written(several)
    rows = several.tasks[0].rows
    assert [line["method"] for line in content["rows"]] == [row.name for row in rows]
    assert [line["trained"] for line in content["rows"]] == [row.trained for row in rows]
    for line, row in zip(content["rows"], rows, strict=True):
        means = {name: (one["mean"], one["spread"]) for name, one in line["values"].items()}
        assert means == {name: (one.value, one.spread) for name, one in row.values.items()}


def test_one_seed_has_no_verdict_and_no_letters() -> None:
    records, read = made(1)
    content = written(analyse(records, read))
    assert {line["verdict"] for line in content["pairs"]} == {"examples alone"}
    assert all(line["smallest_seen"] is line["better"] is None for line in content["pairs"])
    assert all(line["to_decide"]["goal"] is None for line in content["pairs"])
    assert content["groups"] == content["looks"] == content["conclusions"] == []
    assert "One seed is no verdict" in content["reasons"][0]["sentence"]


def test_without_stored_answers_every_pair_has_its_reason() -> None:
    records, _ = made(2)
    content = written(analyse(records, lambda row: None))
    assert content["pairs"] == content["groups"] == []
    assert [(line["a"], line["b"]) for line in content["unpaired"]] == [
        ("lora", "head"),
        ("lora", "prompt"),
        ("head", "prompt"),
    ]
    assert all("not stored" in line["reason"] for line in content["unpaired"])


def test_folds_have_a_reason_no_pairs_and_a_budget_each() -> None:
    tasks = ("mine-fold1", "mine-fold2")
    records = comparison(tasks, ("lora", "head"), (0, 1))
    studies = tuple(Study(name_of(t, m), t, m) for t in tasks for m in ("lora", "head"))
    folds = {task: Fold("mine", number, 2) for number, task in enumerate(tasks, start=1)}
    records = replace(records, folds=folds, studies=studies)
    content = written(analyse(records, lambda row: None))
    assert content["pairs"] == []
    assert "Folds share training rows" in content["reasons"][0]["sentence"]
    named = [(one["task"], one["fold"], one["method"]) for one in content["budget"]]
    assert named == [("mine", f, m) for f in (1, 2) for m in ("lora", "head")]
    assert [(one["task"], one["fold"], one["method"]) for one in content["tuning"]] == named
    assert {one["task"] for one in content["rows"]} == {"mine"}


def test_looks_say_what_is_wanted() -> None:
    records, read = made(3, until="decided")
    analysis = analyse(records, read)
    judged = analysis.tasks[0].judged
    assert judged is not None
    assert judged.looks is not None
    (look,) = written(analysis)["looks"]
    assert look == {
        "task": TASK,
        "look": 3,
        "ended": judged.looks.ended,
        "wanted": dict(judged.looks.wanted),
        "sentence": judged.progress,
    }


def test_a_study_by_itself_has_trials_and_nothing_of_the_test_split() -> None:
    records, _ = made(1)
    records = replace(records, results=(), seeds=())
    content = written(analyse(records, lambda row: None))
    assert content["rows"] == content["reasons"] == content["pairs"] == []
    assert len(content["tuning"]) == len(RIGHT)
    assert all(line["train_seconds"] is None for line in content["budget"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_null(value: float) -> None:
    records, read = made(2)
    trials = tuple(replace(one, seconds=value) for one in records.trials)
    results = tuple(replace(row, train_seconds=value) for row in records.results)
    content = written(analyse(replace(records, trials=trials, results=results), read))
    assert {one["search_seconds"] for one in content["budget"]} == {None}
    assert {one["train_seconds"] for one in content["budget"]} == {None}


def test_numbers_come_back_to_the_last_digit_and_texts_whole(several: Analysis) -> None:
    source = json_file.text(several)
    assert source.isascii()
    assert source.endswith("}\n")
    assert strict(source) == json_file.content(several)


def test_passwords_are_masked_wherever_they_stand() -> None:
    records, _ = made(2)
    secret = "postgresql://me:canary@host/db"
    failed = tuple(
        replace(row, status="error", score=None, reason=secret, metric=secret)
        for row in records.results
    )
    source = json_file.text(analyse(replace(records, results=failed, id=secret)))
    assert "canary" not in source
    assert "postgresql://***@host/db" in source


def described() -> dict[str, set[str]]:
    """Each key of the table in the docs, and the fields that its text names."""
    section = DOCS.read_text("utf-8").partition("\n## analysis.json\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)
    return {key: set(re.findall(r"`(\w+)`", text)) for key, text in lines}


def test_every_key_is_described_and_every_description_has_its_key(several: Analysis) -> None:
    records, _ = made(2)
    unread = json_file.content(analyse(records, lambda row: None))
    looked = json_file.content(analyse(*made(3, until="decided")))
    content = {**json_file.content(several), "looks": looked["looks"]}
    content |= {name: unread[name] for name in ("unpaired", "reasons")}
    content["claims"] = [one.as_json() for one in checked(Evidence())]
    right = answered({"lora": 0.8, "head": 0.7}, seeds=2)
    cells = [*renamed(made_up.cells(right), "one"), *renamed(made_up.cells(right), "two")]
    two = json_file.content(analyse(records_of(cells, ("one", "two")), reader(cells)))
    content |= {name: two[name] for name in ("across", "across_pairs", "across_notes")}
    content["searches"] = json_file.content(searched_twice())["searches"]
    apart, read = made(2)
    first, *others = apart.studies
    apart = replace(apart, studies=(replace(first, trials=9), *others))
    content["unequal_budgets"] = json_file.content(analyse(apart, read))["unequal_budgets"]
    pair = next(one for one in content["pairs"] if one["to_decide"])
    fields = {name: set(content[name][0]) for name in LISTS}
    fields["to_decide"] = set(pair["to_decide"])
    fields["values"] = set(content["rows"][0]["values"]["score"])
    docs = described()
    assert docs.keys() - {"to_decide", "values"} == content.keys()
    assert {key: docs[key] for key in fields} == fields
    for name in LISTS:  # no entry has keys of its own
        assert {frozenset(one) for one in content[name]} == {frozenset(fields[name])}
