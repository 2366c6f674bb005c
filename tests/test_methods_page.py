"""docs/methods.md is what the method files say."""

import importlib.util
import re
from pathlib import Path

import pytest
from tunebench.methods import names
from tunebench.methods._catalogue import card

HERE = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("methods_page", HERE / "methods.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


@pytest.mark.parametrize("name", names())
def test_every_drawback_has_a_figure_that_the_results_have(name):
    drawback = card(name).header["Drawback"]
    results = (HERE / "results.md").read_text("utf-8")
    figures = [figure.rstrip(".") for figure in re.findall(r"\b\d[\d,.]*\d\b", drawback)]
    assert figures, drawback
    for figure in figures:
        assert figure in results, (figure, drawback)
