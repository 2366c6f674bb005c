"""`make docs`: the site builds without a warning, and every link within it leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import tunebench

ROOT = Path(__file__).parent.parent
pytest.importorskip("sphinx", reason="Sphinx comes with `make setup-test`")
pytest.importorskip("myst_parser", reason="MyST comes with `make setup-test`")
pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """The links of a page, the places that one may lead to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if name := values.get("id"):
            self.names.add(name)
        if (link := values.get("href")) and tag == "a":
            self.links.append(link)
        self.loaded += [v for v in (values.get("src"), tag == "link" and values.get("href")) if v]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a socket that is opened fails the build."""
    folder = tmp_path_factory.mktemp("site")
    offline = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('the site is built without network')\n"
        "socket.socket.connect = refuse\n"
        "from sphinx.cmd.build import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-c", "docs", ".", str(folder)]
    built = subprocess.run(
        [sys.executable, "-c", offline, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_there_and_the_first_is_the_readme(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in (site / "docs").glob("*.html")} == pages
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()
    first = Page(site / "index.html").links
    assert {f"docs/{name}.html" for name in pages} <= set(first)


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    broken = defaultdict(list)
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            names = pages[target].names if target in pages else set()
            missing = (
                target in pages and address.fragment and unquote(address.fragment) not in names
            )
            if not target.exists() or missing:
                broken[path.name].append(link)
    assert broken == {}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert [one for one in Page(path).loaded if urlsplit(one).scheme] == [], path.name


def test_the_reference_has_every_public_name_with_its_docstring(site: Path) -> None:
    text = (site / "docs" / "reference.html").read_text("utf-8")
    names = Page(site / "docs" / "reference.html").names
    public = [name for name in tunebench.__all__ if not name.startswith("__")]
    assert [name for name in public if f"tunebench.{name}" not in names] == []
    assert "Run every missing cell, and write store, MLflow and report." in text
    # Arguments are a list, and no heading is left as a line of text.
    assert "<p>Args:" not in text
    # What stands before the colon of a sentence is no type of an attribute.
    assert "The question: its text columns, its classes, its objective." in text
