"""Names are the field's terms: words that only this project used stay away, in code and prose."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("src", "tests", "bench", "docs", "experiments")
CODE = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
PAGES = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        *(path for path in (ROOT / "experiments").iterdir() if path.suffix != ".npz"),
        ROOT / "README.md",
        ROOT / "Makefile",
    ]
)

SAY_WHAT_IT_IS = "what the thing is: metadata, weights, settings, matches, names"
NAMES: dict[str, str] = {
    "BENDS": "ACTIVATIONS",
    "bend": "activation",
    "cu": "cu_seqlens",
    "longest": "max_seqlen in kernels, max_length of a text",
    "Pass": "NoPrompt",
    "Empty": "NoMemory",
    "Flow": "ForwardContext",
    "flow": "context",
    "shed": "drop_encoder",
    "law": "require, or rule",
    "Span": "Range",
    "Front": "SharedPrefix",
    "front": "shared_prefix",
    "ahead": "prefill",
    "behind": "without_prefix",
    "standing": "shared_prefix",
    "read_once": "prefilled",
    "pose": "encode_template",
    "poses": "spans",
    "posing": "verbalizer",
    "posings": "verbalizers",
    "Pose": "TemplateSpans",
    "Poses": "BatchSpans",
    "Posing": "Verbalizer",
    "slot": "trial number",
    "slots": "soft_token_positions",
    "best_slot": "best_trial",
    "Bench": "RunContext",
    "bare": "base_model",
    "told": SAY_WHAT_IT_IS,
    "said": SAY_WHAT_IT_IS,
    "own": SAY_WHAT_IT_IS,
    "found": SAY_WHAT_IT_IS,
    "given": SAY_WHAT_IT_IS,
    "alone": "file_lock, or head_only",
    "settle": "absorb_normalisation",
    "undisturbed": "quiet_lightning",
    "in_row_order": "restore_order",
    "within": "what is checked",
    "DirectedLinear": "DoRALinear",
    "stretching": "rope_scaling",
    "stretched": "scaled_frequencies",
    "theirs": "source_name",
    "Side": "PeftNames",
    "heal": "reconcile",
    "corners": "boundary_settings",
    "carve": "train_validation_split",
    "slope": "lr_factor",
    "Planned": "PlannedCell in study, PlannedRun in tracking",
}
"""What stands no more, and what stands in its place."""
FAMILIES = {
    r"turns?|turned|turn_\w+|turned_\w+": "rotate, apply_rotary, rotated",
}
"""The same for whole families of names."""
SCOPED = {
    ("exchange", "side"): "peft_names",
    ("exchange", "give"): "export",
    ("exchange", "take"): "import_",
}
"""Names that are good English elsewhere: (room of the source, name)."""
PROSE = {
    r"\bbare\b": "the base model, a base model",
    r"\bpos(?:es?|ed|ing)\b": "a text is put into a template",
    r"\btold\b(?! apart)": "say, print, read from",
    r"\bsaid\b": "name what says it",
    r"\b(?:shed|sheds|bend|bends)\b": "drop the encoder; activation",
    r"\bslots?\b": "soft tokens; a trial's number",
}
"""Telling words in docstrings, comments, messages and pages; the changelog may name what went."""
QUOTED = {
    "tests/data/conftest.py": "a sentence of GLUE's MRPC",
    "tests/data/test_glue.py": "a sentence of GLUE's MRPC",
}
"""Files in which such a word is data, with the reason."""


def identifiers(path: Path) -> Iterator[tuple[str, int]]:
    """Every name that a file binds, reads or passes, with its line."""
    tree = ast.parse(path.read_text("utf-8"))
    decorators = {
        id(call.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if id(node) not in decorators:  # hypothesis's `@given(...)`
                yield name, node.lineno
            case ast.Attribute(attr=name):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.keyword(arg=str(name)):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name, node.lineno
            case ast.alias(name=name, asname=alias) if alias or name != "given":
                yield alias or name.rpartition(".")[2], node.lineno


def replacement(room: str, name: str) -> str | None:
    """The field's term for a name that is ours alone, or None where the name may stand."""
    plain = name.strip("_")
    if plain in NAMES:
        return NAMES[plain]
    for pattern, term in FAMILIES.items():
        if re.fullmatch(pattern, plain):
            return term
    return SCOPED.get((room, plain))


def prose(path: Path) -> Iterator[tuple[str, int]]:
    """Telling words of a file, with their lines."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for pattern in PROSE:
            yield from ((match[0], number) for match in re.finditer(pattern, line, re.IGNORECASE))


def offences(path: Path) -> list[str]:
    """What a file still has of the left column, one line each."""
    where = path.relative_to(ROOT)
    room = where.parts[1] if where.parts[0] == "src" else where.parts[0]
    here = [(name, line, replacement(room, name)) for name, line in identifiers(path)]
    return [f"{where}:{line}: {name} -> {term}" for name, line, term in here if term]


def room_of(path: Path) -> str:
    """A room of the source or of the tests, or a top folder."""
    where = path.relative_to(ROOT)
    return "/".join(where.parts[:2]) if len(where.parts) > 2 else where.parts[0]


@pytest.mark.parametrize("room", sorted({room_of(path) for path in CODE}))
def test_a_room_has_no_name_that_only_we_use(room: str) -> None:
    here = [line for path in CODE if room_of(path) == room for line in offences(path)]
    assert here == [], "\n".join(here)


@pytest.mark.parametrize("room", sorted({room_of(path) for path in (*CODE, *PAGES)}))
def test_a_room_s_sentences_have_no_word_that_only_we_use(room: str) -> None:
    here = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in (*CODE, *PAGES)
        if room_of(path) == room and path != Path(__file__)
        for word, line in prose(path)
        if str(path.relative_to(ROOT)) not in QUOTED
    ]
    assert here == [], "\n".join(here)
