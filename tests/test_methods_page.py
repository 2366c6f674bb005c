"""docs/methods.md and the tables of docs/results.md are what their sources make of them."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from tunebench.cli import listings
from tunebench.methods import _measured, names
from tunebench.methods._catalogue import MEASURED, card
from tunebench.methods._measured import measured, summary

HERE = Path(__file__).parent.parent / "docs"
RESULTS = (HERE / "results.md").read_text("utf-8")


def script(name):
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def maker():
    return script("methods")


def test_the_page_in_the_repository_is_the_one_that_is_made(maker):
    made = maker.page() + "\n"
    assert (HERE / "methods.md").read_text("utf-8") == made, "run `python docs/methods.py`"


def test_every_method_and_every_setting_is_on_it(maker):
    sections = maker.page().split("\n## ")[1:]
    assert sorted(s.partition("\n")[0].replace("\\", "") for s in sections) == list(names())
    for section in sections:
        name = section.partition("\n")[0].replace("\\", "")
        assert all(f"| `{setting}` |" in section for setting in card(name).settings)
        assert all(f"**{heading}**" in section for heading in maker.HEADINGS)


def test_text_is_shown_as_it_is(maker):
    assert maker._text("blocks.*.a_b, `sites.*`") == r"blocks.\*.a\_b, `sites.*`"


# --- what was measured stands once ---


def test_the_tables_of_results_are_those_that_are_recorded():
    assert script("results").page(RESULTS) == RESULTS, "run `python docs/results.py`"


def test_the_sentences_on_claims_count_what_the_record_holds():
    record = json.loads((HERE / "claims.json").read_text("utf-8"))
    _, _, section = RESULTS.partition("\n## Claims of the literature\n")
    section = " ".join(section.partition("\n## ")[0].split())
    assert record["date"] in section
    assert record["commit"] in section
    assert f"`{record['command']}`" in section
    claims = [one for one in record["claims"] if one["claim"].startswith("C")]
    named = {one["claim"]: one["finding"] for one in claims}
    assert len(claims) == 16
    for finding in ("reproduced", "contradicted", "undecided", "not tested"):
        some = [name for name, what in named.items() if what == finding]
        listed = f": {', '.join(some)}" if some else ""
        assert f"{finding} {len(some)}{listed}" in section


def test_the_sentences_on_looks_count_what_the_record_holds():
    record = json.loads((HERE / "until.json").read_text("utf-8"))
    _, _, section = RESULTS.partition("\n## Until decided\n")
    section = " ".join(section.partition("\n## ")[0].split())
    assert f"`{record['command']}`" in section
    assert record["commit"] in section
    pairs = record["pairs"]
    decided = [pair for pair in pairs if pair["verdict"] != "undecided"]
    assert {pair["verdict"] for pair in decided} == {"better"}
    left = len(pairs) - len(decided)
    by_seeds = [p for p in pairs if p["to_decide"] and p["to_decide"]["seeds"] is not None]
    assert f"Of {len(pairs)} pairs {len(decided)} are decided, all as *better*" in section
    assert len(by_seeds) == 1
    assert (
        f"of the other {left} one would be settled by more seeds, and {left - 1} by no" in section
    )
    early = sum(pair["seeds"] <= 8 for pair in decided)
    assert f"with 5 and 8 seeds {early} of the {len(decided)} verdicts were there" in section
    cells = sum(len(m["scores"]) for t in record["tasks"].values() for m in t["methods"].values())
    assert f"{cells} of at most 320 cells" in section


def test_the_page_of_results_has_every_recorded_command_and_its_date():
    runs, sweeps = measured()
    for record in (*runs, *sweeps):
        _, _, section = RESULTS.partition(f"\n## {record.section}\n")
        section = section.partition("\n## ")[0]
        assert f"`{record.command}`" in section
        assert record.date in section or record.date[-2:] in RESULTS.partition("##")[0]


@pytest.mark.parametrize("name", names())
def test_every_method_shows_what_was_measured_of_it(name):
    shown = card(name).header[MEASURED]
    assert shown in listings.method(name).replace("\n          ", " ")
    figures = [figure.rstrip(".") for figure in re.findall(r"\b\d[\d,.]*\d\b", shown)]
    assert len(figures) >= 3, shown
    for figure in figures:
        assert figure in RESULTS, (figure, shown)
    rows = [
        line for line in RESULTS.splitlines() if name in line.replace("\\", "").split("| ")[1:2]
    ]
    score = shown.partition(" on SST-2")[0]
    assert score not in {"", shown}
    assert any(f"| {score} |" in row.replace("*", "") for row in rows) or rows == []


@pytest.mark.parametrize("name", names())
def test_a_method_s_file_holds_no_measured_figure(name):
    header = card(name).header
    for heading in ("Prefer", "Drawback"):
        assert not re.search(r"\d\.\d|\d,\d|results", header[heading]), header[heading]


def test_somebody_else_s_method_shows_nothing_of_ours_with_its_name(tmp_path):
    (tmp_path / "lora.py").write_text("class Mine(Method):\n    pass\n\nMETHOD = Mine\n")
    assert card("lora", tmp_path).header[MEASURED] == "not measured"


def test_measuring_again_edits_one_file(monkeypatch, tmp_path):
    source = Path(_measured.__file__).with_name("measured.json")
    raw = json.loads(source.read_text("utf-8"))
    glue, further = raw["runs"]
    glue["tasks"]["sst2"]["rows"]["prompt"] |= {"score": 0.611, "ratio": 1.77, "peak_mib": 1234}
    further["tasks"]["stsb"]["rows"]["vera"]["score"] = 0.622
    raw["sweeps"][0]["scores"]["1e-2"] = 0.633
    (tmp_path / "measured.json").write_text(json.dumps(raw))
    monkeypatch.setattr(_measured.resources, "files", lambda _: tmp_path)
    measured.cache_clear()
    try:
        page = script("results").page(RESULTS)
        shown = {name: summary(name) for name in ("prompt", "vera", "lora", "full", "toy")}
    finally:
        measured.cache_clear()
    assert shown["prompt"].startswith("0.611 on SST-2 and 0.150 on STS-B, where lora has 0.812 and")
    assert "1.16 to 1.77 times the base model's latency; 1,234 MiB at the peak" in shown["prompt"]
    assert shown["vera"].startswith("0.792 on SST-2 and 0.622 on STS-B")
    assert "0.633 at 1e-2" in shown["lora"]
    assert shown["full"] == summary("full")
    assert shown["toy"] == "not measured"
    changed = [
        new for old, new in zip(RESULTS.splitlines(), page.splitlines(), strict=True) if old != new
    ]
    assert [
        line.count("0.611") + line.count("0.622") + line.count("0.633") for line in changed
    ] == [1] * 4
