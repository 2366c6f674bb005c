"""What an adapter's file says of itself comes back as it was, and nothing else is believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.errors import UserError
from tunebench.methods._metadata import (
    ENTRIES,
    FORMAT,
    AdapterMetadata,
    parse_header,
    read_metadata,
)

PATH = Path("runs/lora.safetensors")
FULL = AdapterMetadata(
    backbone="tiny",
    layers=2,
    backbone_digest="0123",
    task="sst2",
    text=("sentence", "other"),
    objective="classification",
    labels=("no", "yes"),
    pooling="mean",
    template="{sentence} so",
    label_words=("bad", "good"),
    max_length=64,
    center=1.5,
    spread=2.25,
    method="lora",
    hyperparameters={"rank": 2, "sites": ("q", "v"), "alpha": 0.5},
)
HEADER = {
    **FULL.to_header(*ENTRIES, "method", "hyperparameters"),
    "format": FORMAT,
}


def test_every_entry_comes_back_as_it_was() -> None:
    assert all(isinstance(text, str) for text in HEADER.values())
    assert parse_header(PATH, HEADER) == FULL
    names = ENTRIES[::2]
    short = {name: HEADER[name] for name in ("format", "method", "hyperparameters", *names)}
    read = parse_header(PATH, short)
    assert read.lacks == tuple(name for name in ENTRIES if name not in names)
    assert [getattr(read, name) for name in names] == [getattr(FULL, name) for name in names]
    assert [getattr(read, name) for name in read.lacks] == [
        getattr(AdapterMetadata(), name) for name in read.lacks
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("layers", "null", None),
        ("layers", "1", 1),
        ("max_length", "1", 1),
        ("center", "2", 2.0),
        ("labels", "[]", ()),
        ("hyperparameters", "{}", {}),
        ("backbone", "null", "null"),
    ],
)
def test_an_entry_is_read_by_its_kind(name: str, text: str, value: object) -> None:
    read = parse_header(PATH, HEADER | {name: text})
    assert read == replace(FULL, **{name: value})
    assert type(getattr(read, name)) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("text", text) for text in ('"sentence"', "[1]", "{}", "null", "[")),
        *(("labels", text) for text in ('["a", 1]', "true")),
        *(("layers", text) for text in ("0", "-1", "true", "1.5", '"2"', "[2]", "[" * 100_000)),
        *(("max_length", text) for text in ("0", "false", "{}")),
        *(("center", text) for text in ('"x"', "[]", "null")),
        *(("hyperparameters", text) for text in ("[]", "{", "null", "3")),
    ],
)
def test_an_entry_of_another_kind_is_named(name: str, text: str) -> None:
    with pytest.raises(UserError, match=rf"^{PATH}: its {name} are not read: ") as refusal:
        parse_header(PATH, HEADER | {name: text})
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("name", ["method", "hyperparameters"])
def test_a_header_without_its_method_is_refused(name: str) -> None:
    header = {key: text for key, text in HEADER.items() if key != name}
    with pytest.raises(UserError, match="its method or hyperparameters are missing"):
        parse_header(PATH, header)


@pytest.mark.parametrize("written", ["", "another"])
def test_a_header_of_another_format_is_refused(written: str) -> None:
    with pytest.raises(UserError, match=f"its format is '{written}', not '{FORMAT}'"):
        parse_header(PATH, HEADER | {"format": written})


def test_a_file_that_is_not_there_or_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    for name in ("none.safetensors", "."):
        with pytest.raises(UserError, match=r"^no adapter file '"):
            read_metadata(tmp_path / name)
    with pytest.raises(UserError, match=r"torn\.safetensors is not a readable safetensors file"):
        read_metadata(tmp_path / "torn.safetensors")
