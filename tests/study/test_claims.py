"""Claims read every comparison of a folder, the last one's backbone first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.errors import UnknownName
from tunebench.records import Measurement
from tunebench.store.store import Plan, PlannedCell, Store
from tunebench.study.claims import claims_of

from tests.analysis.claims.planted import arm


def put(store: Store, number: int, *methods: tuple[str, float]) -> None:
    """A comparison whose cells have planted scores."""
    cells = [cell for method, share in methods for cell in arm(method, share).cells]
    for cell in cells:
        store.put_result(
            replace(cell.result, adapter="", predictions="", cell=named(cell.result.cell))
        )
    planned = tuple(
        PlannedCell(named(c.result.cell), c.result.study, "made-up", c.result.method, c.result.seed)
        for c in cells
    )
    store.put_plan(
        Plan(
            f"comparison-{number}", {"search": {"epochs": 2}}, ("made-up",),
            tuple(method for method, _ in methods), (0, 1, 2, 3, 4), 1, {"made-up": "made-up"}, {},
            planned, (), (), "", "",
        )
    )  # fmt: skip


def named(cell: str) -> str:
    return "".join(letter for letter in cell if letter.isalnum())


def test_arms_of_several_comparisons_are_set_beside_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, 1, ("lora", 0.9))
    put(store, 2, ("prompt", 0.6))
    answers = {
        named(cell.result.cell): cell.predictions
        for method, share in (("lora", 0.9), ("prompt", 0.6))
        for cell in arm(method, share).cells
    }
    for cell in answers:
        # What names no file has no answers to read.
        row = store.result(cell)
        assert row is not None
        (tmp_path / f"{cell}.parquet").write_bytes(b"read by the test")
        store.put_result(replace(row, predictions=f"{cell}.parquet"))
    (one,) = claims_of(tmp_path, ["C1"], lambda row: answers[row.cell])
    assert one.finding == "reproduced"
    assert len(one.runs) == 10


def test_measurements_of_the_folder_count(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, 1, ("lora", 0.9))
    for method, change in (("lora", 0.0), ("zero prefix", 0.5)):
        name = f"start-{method.replace(' ', '-')}"
        store.put_measurement(
            Measurement(name, "start", method, {"change": change}, backbone_digest="0" * 64)
        )
    (one,) = claims_of(tmp_path, ["C14"])
    assert one.finding == "reproduced"
    assert one.runs == ("start-lora", "start-zero-prefix")


def test_an_unknown_claim_is_answered_by_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="claim 'C99'"):
        claims_of(tmp_path, ["C99"])


def test_a_folder_without_runs_tests_nothing(tmp_path: Path) -> None:
    assert {one.finding for one in claims_of(tmp_path)} == {"not tested"}
