from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tunebench.cli.yaml_file import LARGEST, read, read_list, scalar
from tunebench.errors import UserError


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "my.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1E3", 1000.0),
        ("-3", -3),
        ("007", 7),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'4'", "4"),
        ('"true"', "true"),
        ("[4, 8]", [4, 8]),
        ("[[a, b], [a]]", [["a", "b"], ["a"]]),
        ("{low: 1e-4, high: 1e-2, log: true}", {"low": 1e-4, "high": 1e-2, "log": True}),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    read = scalar(text, "--x")
    assert read == value
    assert type(read) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_python_writes_is_read_back(number: float) -> None:
    assert scalar(repr(number), "--x") == number


TEXT = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_plain_data_survives_being_written_as_json_which_yaml_contains(value: object) -> None:
    assert scalar(json.dumps(value), "--x") == value


def test_each_key_knows_its_line(tmp_path: Path) -> None:
    document = read(written(tmp_path, "# one\ntasks: [rte]\nsearch:\n  trials: 4\n"))
    assert document.value == {"tasks": ["rte"], "search": {"trials": 4}}
    assert document.place(("search", "trials")) == f"{document.name}:4: search.trials"
    assert document.place(("search", "epochs")) == f"{document.name}:3: search.epochs"


@pytest.mark.parametrize(
    "text", [b"", b"# only a remark\n", b"\xef\xbb\xbf# with a mark\n", b"~\n"]
)
def test_an_empty_file_says_nothing(tmp_path: Path, text: bytes) -> None:
    assert read(written(tmp_path, text)).value == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: the key 'a' stands here a second time"),
        ("search:\n  trials: 1\n  trials: 2\n", ":3: the key 'search.trials' stands here a second"),
        ("out: !!python/object/apply:os.system [true]\n", ":1: the tag"),
        ("out: !mine x\n", ":1: '"),
        ("a: &x [1]\nb: *x\n", ":2: aliases are not read here"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", ":3: aliases are not read here"),
        ("a: " + "[" * 40 + "]" * 40 + "\n", ":1: at most 16 levels"),
        ("[" * 200_000, ":1: at most 16 levels"),
        ("a: " + "9" * 5000 + "\n", ":1: a number has at most 40 characters"),
        ("a: 1e999\n", ":1: '1e999' is beyond the range of a real number"),
        ("1: a\n", ":1: a key is a name"),
        ("? [a, b]\n: c\n", ":1: a key is a name"),
        ("a: [1\nb: 2\n", ":2: "),
        ("a: 1\n---\nb: 2\n", ":2: "),
        ("a:\n\t- 1\n", ":2: "),
        ("- a\n", "an experiment is a mapping"),
        ("a: \x07\n", "unacceptable character"),
        (b"a: \xff\n", "not UTF-8 at byte 3"),
    ],
)
def test_a_file_that_is_no_experiment_is_answered_in_one_line(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_longer_than_an_experiment_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at most 1,000,000 bytes"):
        read(written(tmp_path, "#" * (LARGEST + 1)))


def test_a_missing_file_lists_those_that_are_there(tmp_path: Path) -> None:
    there = written(tmp_path, "")
    with pytest.raises(UserError) as error:
        read(tmp_path / "mine.yaml")
    assert str(there) in str(error.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_answered(text: str) -> None:
    try:
        value = scalar(text, "--x")
    except UserError:
        return
    json.dumps(value, allow_nan=False)


@given(PLAIN)
def test_what_pyyaml_writes_is_read_as_pyyaml_reads_it(value: object) -> None:
    text = yaml.safe_dump(json.loads(json.dumps(value)), default_style='"')
    plain = yaml.safe_dump(value, default_flow_style=True)
    if "!!" not in text and "&" not in plain:
        assert scalar(plain, "--x") == value


def test_a_list_is_several_experiments_each_with_its_own_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "- tasks: [rte]\n- tasks: [mrpc]\n  seeds: [1]\n")
    first, second = read_list(path)
    assert (first.value, second.value) == ({"tasks": ["rte"]}, {"tasks": ["mrpc"], "seeds": [1]})
    assert first.place(("tasks",)) == f"{path}:1: tasks"
    assert second.place(("seeds",)) == f"{path}:3: seeds"
    with pytest.raises(UserError, match="a list of 2 experiments, which `tunebench claims` runs"):
        read(path)


def test_one_experiment_is_a_list_of_one(tmp_path: Path) -> None:
    path = written(tmp_path, "tasks: [rte]\n")
    assert read_list(path) == [read(path)]


@pytest.mark.parametrize("text", ["- 1\n", "- tasks: [rte]\n- rte\n", "-\n"])
def test_an_entry_that_is_no_experiment_is_answered_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="an experiment is a mapping"):
        read_list(written(tmp_path, text))
