"""Scores beside PEFT: what the files hold, going on after a kill, and the statistics."""

import json

import numpy as np
import pytest
from tunebench.data.tasks import GLUE
from tunebench.objectives import get_objective

CELLS = ["lora/sst2", "head/stsb"]


@pytest.fixture
def run(bench, folder, tmp_path):
    argv = ["--scores", "--data", "pocket", "--backbone", str(folder), "--out", str(tmp_path)]
    argv += ["--rows", "40", "--test-rows", "30", "--seeds", "0", "--cells"]
    return lambda *cells: bench["bench_peers"].main([*argv, *cells])


def test_the_files_hold_what_is_promised(run, tmp_path):
    assert run(*CELLS) == 0
    lines = [json.loads(x) for x in (tmp_path / "scores.jsonl").read_text().splitlines()]
    names = [(line["cell"], line["seed"], line["side"]) for line in lines]
    assert names == [(cell, 0, side) for cell in CELLS for side in ("ours", "peft")]
    for line in lines:
        task = GLUE[line["cell"].split("/")[1]]
        objective = get_objective(task.objective)
        metrics = objective.score(task, line["answers"], line["labels"])
        assert len(line["answers"]) == 30
        assert objective.mean_score(task, metrics) == pytest.approx(line["score"])
        assert len(line["losses"]) == line["epochs"] * 2
        assert line["source"] == "built-in pocket data, not GLUE"
        assert {"torch", "transformers", "peft", "tunebench"} == set(line["versions"])
    whole = json.loads((tmp_path / "scores.json").read_text())
    assert [row["cell"] for row in whole["cells"]] == CELLS
    for row in whole["cells"]:
        assert row["difference"] == pytest.approx(row["ours"][0] - row["peft"][0])
        assert {"standard_error", "below", "seeds"} <= set(row)
    assert {"difference", "standard_error", "below"} <= set(whole["overall"])
    table = (tmp_path / "scores.md").read_text()
    assert "| sst2 | lora | 0 |" in table
    assert "Not all seeds [0, 1, 2] done" in table


def test_what_is_done_is_not_done_again(bench, run, tmp_path, monkeypatch):
    assert run("head/stsb") == 0
    path = tmp_path / "scores.jsonl"
    before = path.read_text()

    def never(plan, identity):
        raise AssertionError(identity)

    monkeypatch.setattr(bench["scores"], "train", never)
    assert run("head/stsb") == 0
    assert path.read_text() == before
    with pytest.raises(AssertionError, match="sst2"):
        run(*reversed(CELLS))


def test_a_torn_line_is_run_again_and_the_others_stay(bench, run, tmp_path, monkeypatch):
    assert run("head/stsb") == 0
    path = tmp_path / "scores.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{second[:40]}")
    asked, train = [], bench["scores"].train

    def counted(plan, identity):
        asked.append(identity["side"])
        return train(plan, identity)

    monkeypatch.setattr(bench["scores"], "train", counted)
    assert run("head/stsb") == 0
    assert asked == ["peft"]
    again = json.loads(path.read_text().splitlines()[-1])
    timeless = {key: value for key, value in again.items() if key != "seconds"}
    assert timeless == {k: v for k, v in json.loads(second).items() if k != "seconds"}


def test_without_glue_nothing_is_run(bench, monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("GLUE_DIR", raising=False)
    assert bench["bench_peers"].main(["--scores", "--out", str(tmp_path)]) == 0
    assert "$GLUE_DIR is not set" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--cells", "lora/rte"], ["--methods", "ia3"]])
def test_unknown_names_are_refused_before_anything_is_read(bench, words, capsys):
    assert bench["bench_peers"].main([*words, "--backbone", "nowhere"]) == 2
    assert f"'{words[1]}'" in capsys.readouterr().err


# --- the statistics ---


def test_pseudo_values_of_accuracy_are_the_rows_own(bench):
    labels = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    predictions = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    values = bench["table"].pseudo_values(GLUE["sst2"], predictions, labels)
    assert values.tolist() == pytest.approx([1, 1, 0, 1, 0, 1])


def test_pseudo_values_of_a_correlation_give_its_known_standard_error(bench):
    drawn = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=2000)
    predictions, labels = drawn[:, 0].tolist(), drawn[:, 1].tolist()
    table = bench["table"].pseudo_values(GLUE["stsb"], predictions, labels)[None]
    error = bench["table"].standard_error(table)
    # Pearson's alone, Fisher 1915: (1 - r²) / sqrt(n); Spearman's is little wider.
    assert error == pytest.approx(0.75 / 2000**0.5, rel=0.25)


def test_one_seed_has_the_standard_error_of_a_mean(bench):
    values = np.random.default_rng(1).normal(size=50)
    error = bench["table"].standard_error(values[None])
    assert error == pytest.approx(values.std(ddof=1) / 50**0.5)


@pytest.mark.parametrize(("seed", "row", "rest"), [(0.1, 0.5, 1.0), (0.0, 0.0, 1.0), (0.3, 0, 0.1)])
def test_the_variance_of_crossed_factors_is_found(bench, seed, row, rest):
    draw, seeds, rows = np.random.default_rng(2), 3, 40
    shares = [(seed, (seeds, 1)), (row, (1, rows)), (rest, (seeds, rows))]
    tables = [sum(s * draw.normal(size=shape) for s, shape in shares) for _ in range(2000)]
    true = seed**2 / seeds + row**2 / rows + rest**2 / (seeds * rows)
    variance = np.mean([bench["table"].standard_error(table) ** 2 for table in tables])
    # What seeds add is cut off at zero: where they add nothing, E[max(0, χ²/2 - 1)] = 1/e too much.
    assert true * 0.95 < variance < true * 1.45


def test_rounding_is_no_difference(bench):
    labels = [float(row) for row in range(40)]
    pair = [{"score": 0.5, "answers": labels, "labels": labels}] * 2
    pair[0] = pair[0] | {"score": 0.5 - 1e-6}
    assert not bench["table"].compared([tuple(pair)], np.zeros((1, 40)))["below"]


def test_a_worse_side_is_found_below_and_an_equal_one_is_not(bench):
    labels = [float(row % 2) for row in range(200)]
    wrong = [1 - label if row < 60 else label for row, label in enumerate(labels)]

    def record(cell, side, seed, answers):
        objective = get_objective("classification")
        value = objective.score(GLUE["sst2"], answers, labels)["accuracy"]
        return {"cell": cell, "side": side, "seed": seed, "score": value} | {
            "answers": answers,
            "labels": labels,
        }

    records = [
        record(cell, side, seed, wrong if (cell, side) == ("lora/sst2", "ours") else labels)
        for cell in ("lora/sst2", "head/sst2")
        for seed in (0, 1, 2)
        for side in ("ours", "peft")
    ]
    summary = bench["table"].summary(records, {"sst2": GLUE["sst2"]})
    assert [row["below"] for row in summary["cells"]] == [True, False]
    assert summary["overall"]["difference"] == pytest.approx(-0.15)
    assert summary["overall"]["below"]
    text = bench["table"].markdown(summary, ["lora/sst2", "head/sst2"], [0, 1, 2])
    assert "-0.3000" in text
    assert "Not all seeds" not in text
