"""`tunebench advise`: sentences, lines to type and JSON, and one line for every mistake."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tunebench.__main__ import main
from tunebench.analysis.cells import Cell
from tunebench.cli.commands import COMMANDS
from tunebench.cli.fields import experiment_flags
from tunebench.cli.flags import parse
from tunebench.cli.following import again_command
from tunebench.cli.settings import resolve
from tunebench.store.store import Plan, PlannedCell, Store

from tests.analysis.planted import records_of, renamed
from tests.analysis.test_adviser import ALIKE, CLEAR, TASK, hits, plant
from tests.records import comparison

COMMAND = "tunebench compare sst2 --methods full,lora --seeds 0,1,2"


def stored(out: Path, made: list[Cell], command: str = COMMAND) -> None:
    """These cells as a finished comparison in a folder."""
    tasks = tuple(dict.fromkeys(cell.result.task for cell in made))
    records, store, rows = records_of(made, tasks), Store(out), []
    out.mkdir()
    for cell in made:
        answers = cell.predictions
        assert answers is not None
        name = f"{cell.result.cell}.parquet"
        row = replace(cell.result, predictions=name, adapter=f"{cell.result.cell}.safetensors")
        columns = {"id": answers.ids, "label": answers.labels, "prediction": answers.predictions}
        pq.write_table(pa.table({**columns, **answers.more}), out / name)
        (out / row.adapter).write_bytes(b"weights")
        store.put_result(row)
        rows.append(row)
    store.put_plan(
        Plan(
            records.id,
            records.experiment,
            tasks,
            records.methods,
            records.seeds,
            2,
            dict.fromkeys(tasks, "made-up"),
            {},
            tuple(PlannedCell(r.cell, r.study, r.task, r.method, r.seed) for r in rows),
            (),
            (),
            command,
            records.created,
        )
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """full and lora, undecided; full is the larger."""
    folder = tmp_path / "runs"
    right = {"full": ALIKE["first"], "lora": ALIKE["second"]}
    stored(folder, plant(right, {"full": 100_000, "lora": 400}))
    return folder


def answer(line: str, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a line prints, on one line."""
    assert main(["advise", *line.split(), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return " ".join(printed.out.split())


def content(line: str, out: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert main(["advise", *line.split(), "--json", "--out", str(out)]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=refuse)


def test_the_answer_names_method_settings_loading_and_the_runner_up(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = answer("", out, capsys)
    known = content("", out, capsys)
    best = known["advised"]
    assert best["method"] == "lora"
    assert f"On {TASK}, take lora: accuracy {best['score']:.3f}" in text
    assert "whether it is better is undecided; lora is taken because" in text
    assert "it is the smallest" in text
    assert "What would decide between them:" in text
    assert "Runner-up, full: accuracy" in text
    assert "is on the Pareto front of score, size, latency and memory with probability" in text
    for sentence in known["sentences"]:
        assert " ".join(sentence.split()) in text
    # The settings can be typed, and mean what was recorded.
    flags = best["flags"]
    assert shlex.join(flags) in text
    line = parse(["sst2", *flags, "--methods=lora"], experiment_flags(), ())
    pinned = resolve(line).methods["lora"]
    plainly = {n: list(v) if isinstance(v, list | tuple) else v for n, v in pinned.items()}
    assert plainly == best["hyperparameters"]
    loads = shlex.split(best["predict"])
    assert loads[:3] == ["tunebench", "predict", best["cell"]]
    assert best["cell"].startswith(f"{TASK}-lora-0")
    assert " ".join(best["predict"].split()) in text
    assert parse(loads[2:], COMMANDS["predict"].flags(), ()).text("out") == str(out)


def test_limits_are_those_that_were_typed(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = content("--max-params 0.5% --max-latency +5% --max-memory 2GiB", out, capsys)
    # full trains the whole backbone: its 100,000 weights are what a share is of.
    assert known["limits"]["weights"] == pytest.approx(500)
    assert known["limits"]["latency"] == pytest.approx(1.05)
    assert known["limits"]["memory"] == 2048
    assert known["advised"]["method"] == "lora"
    assert [one["method"] for one in known["choices"] if one["broken"] == ["weights"]] == ["full"]
    known = content("--max-latency 9ms", out, capsys)  # the base model takes ten
    assert known["limits"]["latency"] == pytest.approx(0.9)
    assert known["no_advice"] == "limits"
    served = content("--tasks-served 50 --min-score 0.5", out, capsys)
    assert served["limits"]["backbone"] == 100_000
    sizes = {one["method"]: one["size"] for one in served["choices"]}
    assert sizes == {"full": 50 * 100_010, "lora": 100_000 + 50 * 410}
    text = answer("--tasks-served 50 --min-score 0.5", out, capsys)
    assert "120,500 weights stored for 50 tasks" in text
    assert "It keeps the limits and is on the Pareto front" in text


def test_what_breaks_a_limit_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "runs"
    right = {"full": CLEAR["good"], "lora": CLEAR["poor"]}
    stored(out, plant(right, {"full": 100_000, "lora": 400}))
    text = answer("--max-params 1k", out, capsys)
    assert "take lora" in text
    assert "full scores 0.9" in text
    assert "and does not keep the limit on trained weights" in text
    assert "There is no runner-up" in text
    text = answer("--max-params 1k --min-score 0.8", out, capsys)
    assert "there is no advice: no method keeps the limits. The nearest is lora: score 0.6" in text
    assert "where 0.800 is wanted" in text
    assert "What would settle it: Methods that were not compared yet" in text
    assert f"tunebench compare sst2 --seeds 0,1,2 --methods=all --out={out}" in text


def test_one_seed_names_the_run_that_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    right = {"full": hits(0.9, 1), "lora": hits(0.6, 1)}
    stored(out, plant(right, {"full": 9, "lora": 4}), "tunebench compare sst2 --until decided")
    known = content("", out, capsys)
    assert known["advised"] is None
    assert known["no_advice"] == "one seed"
    typed = shlex.split(known["settle"]["command"])
    assert typed == ["tunebench", "compare", "sst2", "--seeds=0,1,2", f"--out={out}"]
    text = answer("", out, capsys)
    assert "one seed cannot say how much another would differ" in text
    assert "2 more seeds of each method" in text
    assert known["settle"]["command"] in text


def test_missing_answers_and_latencies_name_a_run_in_another_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    nothing = {"full": [0.0] * 3, "lora": [0.0] * 3}
    right = {"full": CLEAR["good"], "lora": CLEAR["poor"]}
    stored(out, plant(right, {"full": 9, "lora": 4}, nothing))
    text = answer("--max-latency 1.1x", out, capsys)
    assert "there is no advice: latency was not measured" in text
    assert f"--out={out}-again" in text
    assert main(["advise", "--max-latency", "5ms", "--out", str(out)]) == 2
    assert "write a ratio such as 1.05x" in capsys.readouterr().err
    for file in out.glob("*.parquet"):
        file.write_bytes(b"")
    text = answer("", out, capsys)
    assert "no method's stored answers can be used" in text
    assert "lora is not judged: no seed of lora is complete" in text


def test_a_tie_and_noise_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = {"full": ALIKE["first"], "lora": ALIKE["second"]}
    even = {"full": [1.0, 1.02, 0.98], "lora": [0.99, 1.0, 1.01]}
    stored(tmp_path / "tie", plant(right, {"full": 9, "lora": 9}, even))
    text = answer("", tmp_path / "tie", capsys)
    assert "full and lora may be as good as each other" in text
    noisy = {"full": [1.02, 1.08, 1.04], "lora": [1.3, 1.31, 1.32]}
    stored(tmp_path / "noise", plant(right, {"full": 9, "lora": 9}, noisy))
    text = answer("--max-latency +6%", tmp_path / "noise", capsys)
    assert "no method surely keeps the limits. full does with probability" in text
    assert "its latency is too near the limit" in text
    known = content("--max-latency +6%", tmp_path / "noise", capsys)
    count = len(shlex.split(known["settle"]["command"])[5].removeprefix("--seeds=").split(","))
    assert f"{count - 3} more seed" in known["settle"]["what"]


def test_one_method_and_a_search_say_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path / "one", plant({"lora": CLEAR["good"]}, {"lora": 4}))
    text = answer("", tmp_path / "one", capsys)
    assert "It is the only method that could be judged" in text
    assert "runner-up" not in text.lower()
    stored(tmp_path / "none", [])
    assert main(["advise", "--out", str(tmp_path / "none")]) == 2
    assert "searched settings, and nothing was tested: run `tunebench compare` first" in (
        capsys.readouterr().err
    )


def test_a_task_of_pairs_is_loaded_with_two_texts_whichever_task_is_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = {"full": CLEAR["good"], "lora": CLEAR["poor"]}
    made = plant(right, {"full": 9, "lora": 4})
    stored(tmp_path / "runs", [*renamed(made, "sst2"), *renamed(made, "mrpc")])
    for task, texts in (("sst2", ["A text."]), ("mrpc", ["A text.", "Another text."])):
        known = content(f"--task {task}", tmp_path / "runs", capsys)
        assert known["task"] == task
        loads = shlex.split(known["advised"]["predict"])
        assert loads[2].startswith(f"{task}-")
        assert loads[3 : loads.index("--out")] == texts
    assert main(["advise", "--out", str(tmp_path / "runs")]) == 2
    assert "several tasks; name one by --task: sst2, mrpc" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "changed", "expected"),
    [
        (
            "tunebench compare a b --seeds 0,1 --hours=2 --until decided --out x --methods lora",
            {"seeds": "0,1,2"},
            "tunebench compare a b --methods lora --seeds=0,1,2 --out=here",
        ),
        (
            "tunebench compare --methods=lora --budget full -- -odd",
            {"methods": "all"},
            "tunebench compare --budget full --methods=all --out=here -- -odd",
        ),
        (
            "",
            {"seeds": "0,1,2"},
            "tunebench compare sst2 stsb --methods=lora,head --seeds=0,1,2 --out=here",
        ),
    ],
)
def test_the_line_that_goes_on_keeps_what_was_typed(
    typed: str, changed: dict[str, str], expected: str
) -> None:
    records = replace(comparison(), command=typed)
    assert again_command(records, Path("here"), changed) == expected
    assert "--out" not in again_command(records, Path("runs"), changed)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("sts", "unknown task of the comparison 'sts'"),
        (f"{TASK} other", "takes one task, but got:"),
        ("--task nowhere", "unknown task of the comparison 'nowhere'"),
        ("--max-params half", "--max-params: must be a share of the backbone's weights"),
        ("--max-latency 5%", "--max-latency: must be above 0"),
        ("--max-memory 2G", "(MiB, GiB, TiB, MB, GB, TB)"),
        ("--min-score 85%", "--min-score: must be a number from -1 to 1"),
        ("--tasks-served 0", "--tasks-served: must be a whole number >= 1"),
        ("--max-param 5", "did you mean '--max-params'?"),
        ("--methods.lora.rank=3", "unknown flag '--methods.lora.rank'"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    line: str, hint: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["advise", *line.split(), "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert hint in printed.err


def test_a_folder_without_a_comparison_and_a_backbone_that_is_gone_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["advise", "--out", str(tmp_path / "nowhere")]) == 2
    assert "no folder" in capsys.readouterr().err
    assert main(["advise", "--out", str(tmp_path)]) == 2
    assert "no comparison in" in capsys.readouterr().err
    out = tmp_path / "runs"
    right = {"head": CLEAR["good"], "lora": CLEAR["poor"]}
    stored(out, plant(right, {"head": 9, "lora": 4}))
    assert main(["advise", "--max-params", "1%", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "--max-params: how large the backbone is is not known" in error
    assert error.count("\n") == 1
