"""The site that `make docs` builds: README.md and these pages, and a reference from docstrings.

The source is the whole repository, so that links between pages and to files mean the same here and
on GitHub. Nothing is fetched.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tunebench import __version__

project, release, language = "tunebench", __version__, "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "docs/*.md", "experiments/*.md"]
exclude_patterns = [".venv*", ".git", "build", "runs*"]
html_theme = "alabaster"
html_theme_options = {"description": "Fine-tuning methods, side by side", "page_width": "72rem"}
html_copy_source = html_show_sourcelink = False
myst_heading_anchors = 4
"""GitHub's own anchors of headings, down to this level."""
highlight_language = "none"
default_role = "code"
"""Docstrings have names between single backticks."""
autodoc_typehints = "description"
autodoc_member_order = "bysource"
NAVIGATION = """

```{toctree}
:hidden:
:glob:

docs/*
experiments/*
CHANGELOG
```
"""
"""Beside the pages of the site; GitHub lists them by itself."""


def setup(app: Any) -> None:
    """Connect what README.md needs to be the first page."""
    app.connect("source-read", _add_navigation)
    app.connect("build-finished", _write_index)
    docstring = "autodoc-process-docstring"
    sentences = _Sentences()
    app.connect(docstring, sentences.keep, priority=499)
    app.connect(docstring, sentences.restore, priority=501)


class _Sentences:
    """Attributes' docstrings around Napoleon, which takes what ends at a colon for a type."""

    def keep(self, *event: Any) -> None:
        """Before it: remember the lines."""
        self.lines = list(event[-1])

    def restore(self, app: Any, kind: str, *event: Any) -> None:
        """After it: put them back where they are an attribute's."""
        if kind in ("attribute", "property"):
            event[-1][:] = self.lines


def _add_navigation(app: Any, name: str, source: list[str]) -> None:
    if name == root_doc:
        source[0] += NAVIGATION


def _write_index(app: Any, error: Exception | None) -> None:
    """Servers and people open index.html."""
    if error is None:
        folder = Path(app.outdir)
        shutil.copyfile(folder / f"{root_doc}.html", folder / "index.html")
