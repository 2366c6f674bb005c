"""Which runs are set beside each other: those of one backbone that differ in what is claimed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tunebench.analysis.claims import Evidence, evidence_of
from tunebench.records import Comparison, Fold, Measurement

from tests.records import comparison

SEEDS = (0, 1)


def records(
    methods: dict[str, Any], *, study: str = "", task: str = "sst2", **search: Any
) -> Comparison:
    """A comparison with pins; `study` sets its cells apart from those of others."""
    made = comparison((task,), tuple(methods), SEEDS)
    results = tuple(
        replace(
            row,
            study=row.study + study,
            cell=row.cell + study,
            hyperparameters={"lr": 1e-3, "length": 10, **methods[row.method]},
        )
        for row in made.results
        if row.status == "complete"
    )
    experiment = {**made.experiment, "methods": methods}
    experiment["search"] = {**experiment["search"], **search}
    return replace(made, results=results, experiment=experiment)


def names(evidence: Evidence) -> list[str]:
    return [arm.name for arm in evidence.arms]


def test_arms_have_their_pins_and_their_seeds_in_order() -> None:
    evidence = evidence_of([records({"prefix": {"length": 5}, "full": {}})])
    assert names(evidence) == ["prefix (length 5)", "full"]
    for arm in evidence.arms:
        assert [cell.result.seed for cell in arm.cells] == list(SEEDS)
        assert arm.condition.examples == 500


def test_a_cell_of_two_comparisons_counts_once() -> None:
    once, twice = records({"full": {}}), records({"full": {}, "lora": {}})
    evidence = evidence_of([once, twice])
    assert [len(arm.cells) for arm in evidence.arms] == [2, 2]


def test_variants_differ_in_one_setting_alone() -> None:
    evidence = evidence_of(
        [
            records({"prefix": {}}),
            records({"prefix": {"length": 5}}, study="-5"),
            records({"prefix": {"length": 5, "lr": 1e-2}}, study="-fast"),
            records({"prefix": {"length": 100}}, study="-long", epochs=9),
        ]
    )
    (group,) = evidence.variants("prefix", "length")
    assert sorted(group) == [5, 10]
    (rates,) = evidence.variants("prefix", "lr")
    assert {arm.name for arm in rates.values()} == {
        "prefix (length 5)",
        "prefix (length 5, lr 0.01)",
    }


def test_methods_are_compared_as_they_come_and_under_one_condition() -> None:
    evidence = evidence_of(
        [
            records({"full": {}, "prompt": {"lr": 1e-4}}),
            records({"full": {}, "prompt": {}}, study="-more", epochs=9),
        ]
    )
    ((condition, arms),) = evidence.conditions("full", "prompt")
    assert condition.epochs == 9
    assert set(arms) == {"full", "prompt"}


def test_other_training_settings_and_other_numbers_of_trials_are_other_conditions() -> None:
    base = records({"full": {}})
    tuned = records({"lora": {}}, study="-tuned", trials=12)
    trained = replace(
        records({"adapter": {}}, study="-trained"),
        experiment={**base.experiment, "train": {"batch_size": 8}},
    )
    assert list(evidence_of([base, tuned]).conditions("full", "lora")) == []
    assert list(evidence_of([base, trained]).conditions("full", "adapter")) == []


def test_the_last_comparison_s_backbone_decides() -> None:
    old = records({"full": {}})
    other = tuple(replace(row, backbone_digest="1" * 64) for row in old.results)
    new = replace(records({"lora": {}}), results=other)
    measured = [
        Measurement(name, "start", "lora", {"change": 0.0}, backbone_digest=digit * 64)
        for name, digit in (("old", "0"), ("new", "1"))
    ]
    evidence = evidence_of([old, new], measured)
    assert {arm.first.backbone_digest for arm in evidence.arms} == {"1" * 64}
    assert [one.name for one in evidence.measured("start")] == ["new"]


def test_folds_share_training_rows_and_are_left_out() -> None:
    folded = replace(records({"full": {}}), folds={"sst2": Fold("sst2", 1, 2)})
    assert evidence_of([folded]) == Evidence()


def test_figures_that_are_missing_or_no_numbers_make_no_measurement() -> None:
    bad = Measurement("a", "start", "lora", {"change": float("nan")})
    none = Measurement("b", "start", "lora", {})
    assert Evidence(measurements=(bad, none)).measured("start") == ()


def test_settings_that_are_none_are_no_reason_to_fail() -> None:
    """A record may come from a stranger."""
    strange = replace(records({"full": {}}), experiment={"methods": [], "search": None})
    assert names(evidence_of([strange])) == ["full"]
