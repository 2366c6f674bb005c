"""`tunebench predict`: a trained adapter answers new texts."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.tasks import TABLE_ENDINGS
from ..errors import UserError
from ..files import at_home, write_whole
from .flags import KeyPath, Line
from .places import file_to_write, keep_inputs, results_folder
from .runs import named_run

if TYPE_CHECKING:
    from ..training.predictor import Prediction

FLAGS: Mapping[str, str] = {
    "file": "Texts to answer: a .tsv, .csv or .jsonl file, or - for a text a line on stdin.",
    "text": "The file's text column, or two with a comma between (the names of the training data).",
    "output": "Write the answers to a .tsv, .csv or .jsonl file instead of printing them.",
    "task": "With best: which task of the last comparison.",
    "out": "Folder of results, where RUN is a cell's name, a MLflow run id or best (runs).",
    "backbone": "Where the backbone is, if not where it was; it must have the same weights.",
    "batch-size": "Texts that are read together (64).",
    "labels": "For a file that does not say its classes: their names, commas between.",
    "label-words": "For a file that does not say them: the template's words, one a class.",
    "objective": "For a file that does not say it: classification or regression.",
    "pooling": "For a file that does not say what its head reads: mean, first or last.",
    "max-length": "For a file that does not say it: longer texts are cut to so many tokens.",
    "layers": "For a file that does not say it: only the backbone's first so many layers.",
}
SWITCHES = {
    "json": "Print one JSON list of {label, probabilities}; a regression's label is a number."
}
STDIN = "-"
LISTS = ("labels", "label_words")
COUNTS = ("max_length", "layers")
PLAIN = ("objective", "pooling")


def flags() -> dict[str, KeyPath]:
    """Flags by name, each its own setting."""
    return {name: (name.replace("-", "_"),) for name in FLAGS}


@dataclass(frozen=True)
class Texts:
    """What is to be answered, with the columns that say which row is which."""

    columns: tuple[str, ...]
    """The names of the text columns."""
    rows: list[tuple[str, ...]]


def predict(line: Line, command: str) -> int:
    """Answer the texts that were typed, or those of a file."""
    if not line.words:
        raise UserError(
            "predict takes a run or an adapter file, and texts, such as: tunebench predict best "
            '"A fine film." or: tunebench predict best --file new.csv'
        )
    name, *words = line.words
    output = _output(line)
    batch_size = line.count("batch_size") or 64
    file = line.text("file")
    if words and file is not None:
        raise UserError("predict takes texts or --file, not both")
    if not words and file is None:
        raise UserError('nothing to predict: type texts in "quotes", or name a --file')
    if line.text("text") is not None and file in (None, STDIN):
        raise UserError("--text names columns of a table: it goes with --file")
    from ..training.adapter_file import check_texts, open_adapter

    out = results_folder(line.text("out"))
    adapter = open_adapter(named_run(name, out), out, line.text("task"), _supplied(line))
    columns = adapter.metadata.text
    if output is not None:
        read = [adapter.path, *([] if file in (None, STDIN) else [at_home(str(file))])]
        keep_inputs(output, "--output", *read)
    if file is None:
        texts = _typed(columns, words)
    elif file == STDIN:
        texts = _lines(columns)
    else:
        texts = _table(at_home(file), line.text("text"), columns)
    check_texts(texts.rows, len(columns))
    for note in adapter.notes:
        print(f"tunebench: {note}", file=sys.stderr)
    from ..training.predictor import build_predictor

    predictor = build_predictor(adapter)
    answers = predictor.predict(texts.rows, batch_size=batch_size, progress=_progress())
    if output is not None:
        write_whole(output, FORMATS[output.suffix.lower()](texts, answers).encode())
        print(f"{len(answers)} answers: {output}", file=sys.stderr)
    if "json" in line.switches:
        print(json.dumps([answer.as_json() for answer in answers], ensure_ascii=False))
    elif output is None:
        print(as_tsv(texts, answers), end="")
    return 0


def _output(line: Line) -> Path | None:
    """The file to write, where one was asked for; its ending says the format."""
    text = line.text("output")
    if text is None:
        return None
    if Path(text).suffix.lower() not in FORMATS:
        raise UserError(f"--output: the name must end in {', '.join(FORMATS)}, but got '{text}'")
    return file_to_write(text, "--output")


def _supplied(line: Line) -> dict[str, Any]:
    """What was typed of an adapter file that does not say it itself."""
    supplied: dict[str, Any] = {}
    for name in ("backbone", *PLAIN, *LISTS):
        text = line.text(name)
        if text is not None:
            parts = tuple(part.strip() for part in text.split(",") if part.strip())
            supplied[name] = parts if name in LISTS else text
    for name in COUNTS:
        if (number := line.count(name)) is not None:
            supplied[name] = number
    return supplied


def _typed(columns: tuple[str, ...], words: Sequence[str]) -> Texts:
    """Words as rows: each one by itself, or two after the other where the task takes pairs."""
    width = len(columns)
    if len(words) % width:
        raise UserError(
            f"the task takes pairs ({', '.join(columns)}), so texts come in twos, "
            f"but got {len(words)}"
        )
    return Texts(columns, [tuple(words[n : n + width]) for n in range(0, len(words), width)])


def _lines(columns: tuple[str, ...]) -> Texts:
    """Standard input: a text a line, or a pair with a tab between."""
    try:
        # Not `splitlines`, which also ends a line at marks that stand inside texts (U+2028).
        lines = [line for line in sys.stdin.read().split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise UserError(f"stdin: not UTF-8 at byte offset {error.start}") from None
    if not lines:
        raise UserError("stdin: there is no text")
    lines = [line.removesuffix("\r") for line in lines]
    rows = [tuple(line.split("\t")) if len(columns) == 2 else (line,) for line in lines]
    return Texts(columns, rows)


def _table(path: Path, named: str | None, columns: tuple[str, ...]) -> Texts:
    """A file's text columns: those that are named, or those of the training data."""
    from ..data.table import read_table

    table = read_table(path)
    setting, names = "", columns
    if named is not None:
        whole = len(columns) == 1 and named in table.columns
        names = (named,) if whole else tuple(part.strip() for part in named.split(","))
        setting = "--text"
        if len(names) != len(columns):
            wanted = "one column" if len(columns) == 1 else "two columns, a comma between"
            raise UserError(f"--text: the adapter takes {wanted}, but got '{named}'")
    cells = [table.column(name, setting) for name in names]
    rows: list[tuple[str, ...]] = []
    for number, row in enumerate(zip(*cells, strict=True)):
        for name, value in zip(names, row, strict=True):
            if not isinstance(value, str) or not value.strip():
                blank = value is None or isinstance(value, str)
                wrong = "the text is empty" if blank else f"a text is needed, but got {value!r}"
                raise UserError(f"{table.place(number)}: column '{name}': {wrong}")
        rows.append(tuple(str(value) for value in row))
    return Texts(names, rows)


def _progress() -> Callable[[int, int], None] | None:
    """Counts on a terminal's last line; says nothing where nobody looks."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        print(f"\r{done:,} of {total:,} texts", end=end, file=sys.stderr, flush=True)

    return show


def _records(texts: Texts, answers: Sequence[Prediction]) -> list[dict[str, Any]]:
    """A row for each text: the text, its label, and a probability for each class."""
    ours = ["prediction", *(f"probability_{name}" for name in answers[0].probabilities)]
    columns = _apart(texts.columns, ours)
    return [
        {
            **dict(zip(columns, row, strict=True)),
            "prediction": answer.label,
            **{f"probability_{name}": value for name, value in answer.probabilities.items()},
        }
        for row, answer in zip(texts.rows, answers, strict=True)
    ]


def _apart(columns: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Names for the text columns, none of them taken or there twice."""
    names: list[str] = []
    for column in columns:
        while column in taken or column in names:
            column = f"{column} (text)"
        names.append(column)
    return names


def as_tsv(texts: Texts, answers: Sequence[Prediction]) -> str:
    """Tab-separated, never quoted: tabs and line breaks inside texts become blanks."""
    records = _records(texts, answers)
    blank = str.maketrans("\t\n\r", "   ")
    lines = [list(records[0]), *(list(record.values()) for record in records)]
    return "".join("\t".join(str(v).translate(blank) for v in line) + "\n" for line in lines)


def as_csv(texts: Texts, answers: Sequence[Prediction]) -> str:
    """Comma-separated and quoted (RFC 4180)."""
    records = _records(texts, answers)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue()


def as_jsonl(texts: Texts, answers: Sequence[Prediction]) -> str:
    """A JSON object a line: the texts by column, the label, and the probabilities by name."""
    pairs = zip(texts.rows, answers, strict=True)
    columns = _apart(texts.columns, list(answers[0].as_json()))
    objects = (dict(zip(columns, row, strict=True)) | a.as_json() for row, a in pairs)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


FORMATS: Mapping[str, Callable[[Texts, Sequence[Prediction]], str]] = dict(
    zip(TABLE_ENDINGS, (as_tsv, as_csv, as_jsonl), strict=True)
)
"""A file's ending, and what writes it."""
