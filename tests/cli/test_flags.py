from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunebench.cli.fields import core, experiment_flags, from_text, table
from tunebench.cli.flags import parse
from tunebench.config import Experiment
from tunebench.errors import UnknownName, UserError

KNOWN = experiment_flags()
SWITCHES = ("dry-run",)


@pytest.mark.parametrize("typed", [["--search.trials", "4"], ["--search.trials=4"]])
def test_a_value_stands_beside_its_flag_or_after_an_equals_sign(typed: list[str]) -> None:
    line = parse(["rte", *typed, "sst2"], KNOWN, SWITCHES)
    assert line.words == ("rte", "sst2")
    assert [(f.path, f.text, f.typed) for f in line.flags] == [
        (("search", "trials"), "4", "--search.trials")
    ]


def test_a_short_flag_and_a_hyphen_lead_to_the_same_setting() -> None:
    line = parse(["--backbone=a", "--tracking-uri=b", "--search.train-examples=1"], KNOWN)
    assert [f.path for f in line.flags] == [
        ("backbone", "name"),
        ("tracking_uri",),
        ("search", "train_examples"),
    ]


def test_of_a_flag_given_twice_the_last_counts() -> None:
    assert parse(["--out=a", "--out", "b"], KNOWN).text("out") == "b"


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "", " 1", "٣", "1e3", "9" * 5_000, "x"])
def test_a_count_is_a_whole_number_of_at_least_one(text: str) -> None:
    line = parse([f"--search.trials={text}"], KNOWN)
    with pytest.raises(UserError, match=r"--layers: must be a whole number >= 1, but got '") as e:
        parse([f"--layers={text}"], {"layers": ("layers",)}).count("layers")
    assert len(str(e.value)) < 200
    assert line.count("layers") is None


def test_a_count_is_read() -> None:
    known = {"layers": ("layers",)}
    assert parse(["--layers=012"], known).count("layers") == 12
    assert parse([f"--layers={10**17}"], known).count("layers") == 10**17


def test_a_method_s_setting_needs_no_entry() -> None:
    line = parse(["--methods.lora.rank=[4, 8]"], KNOWN)
    assert line.flags[0].path == ("methods", "lora", "rank")


def test_after_two_hyphens_everything_is_a_word() -> None:
    assert parse(["--", "--out", "x"], KNOWN).words == ("--out", "x")


def test_a_switch_takes_no_value() -> None:
    assert parse(["--dry-run", "-h"], KNOWN, SWITCHES).switches == {"dry-run", "help"}
    with pytest.raises(UserError, match="--dry-run is a switch"):
        parse(["--dry-run=yes"], KNOWN, SWITCHES)


@pytest.mark.parametrize("rest", [[], ["--out"], ["--"]])
def test_a_flag_without_its_value_is_told(rest: list[str]) -> None:
    with pytest.raises(UserError, match=r"--search\.trials needs a value"):
        parse(["--search.trials", *rest], KNOWN)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--search.trails", "--search.trials"),
        ("--bakbone", "--backbone"),
        ("--backbone.layer", "--backbone.layers"),
        ("--seed", "--seeds"),
        ("--dry-rnu", "--dry-run"),
        ("-out", "--out"),
    ],
)
def test_a_misspelt_flag_is_answered_by_the_one_that_was_meant(typed: str, meant: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{meant}'"):
        parse([f"{typed}=1"], KNOWN, SWITCHES)


@pytest.mark.parametrize(
    "typed", ["--methods.lora", "--methods..rank", "--methods.a.b.c", "---out"]
)
def test_a_flag_that_names_nothing_is_unknown(typed: str) -> None:
    with pytest.raises(UnknownName):
        parse([f"{typed}=1"], KNOWN)


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_line_is_read_or_answered(arguments: list[str]) -> None:
    with contextlib.suppress(UserError):
        parse(arguments, KNOWN, SWITCHES)


def test_every_field_of_the_experiment_is_a_flag() -> None:
    experiment = Experiment()
    for path, field in table().items():
        value: object = experiment
        for part in path:
            value = getattr(value, part)
        assert value == field.default or path == ("methods",)
        assert KNOWN[".".join(path)] == path


def test_every_setting_of_a_group_says_what_it_is() -> None:
    assert [field.path for field in table().values() if not field.about] == []


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        (("seeds",), "0,1, 2", [0, 1, 2]),
        (("seeds",), "", []),
        (("data", "text"), "a,b", ["a,b"]),
        (("data", "label"), "3", "3"),
        (("data", "label"), "none", None),
        (("backbone", "layers"), "8", 8),
        (("backbone", "layers"), "none", None),
        (("train", "warmup"), "1e-1", 0.1),
        (("budget",), "quick", "quick"),
        (("out",), "2024", "2024"),
        (("search", "trials"), "four", "four"),
    ],
)
def test_a_flag_s_text_is_read_by_its_setting_s_type(
    path: tuple[str, ...], text: str, value: object
) -> None:
    assert from_text(table()[path].annotation, text, "--x") == value


def test_bounds_and_options_are_peeled_off_a_type() -> None:
    assert core(table()["backbone", "layers"].annotation) == (int, True)
    assert core(table()["search", "trials"].annotation) == (int, False)
