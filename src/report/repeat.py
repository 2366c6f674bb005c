"""The page's end: how to read its tables, the command to repeat it, the facts and MLflow's runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from ..analysis import Analysis
from ..text import redact
from . import tables
from .markup import Markup, element, join

LOCAL = "http://127.0.0.1:5000"
"""Where `tunebench ui` serves MLflow unless its port is taken."""


def repeat(analysis: Analysis, run_ids: Mapping[str, str]) -> Markup:
    """The command, the facts and the runs."""
    return element(
        "section",
        element("h2", "Repeat it"),
        element("pre", element("code", tables.text(analysis.comparison.command))),
        named([("Cells", analysis.tally_line), *analysis.facts]),
        _runs(analysis, run_ids),
        id="repeat",
    )


def reading(analysis: Analysis) -> Markup:
    """What each column of the tables means."""
    return element("section", element("h2", "How to read the tables"), named(analysis.reading))


def named(items: Sequence[tuple[str, str]]) -> Markup:
    """Names and what belongs to them, as a list."""
    pairs = (join(element("dt", n), element("dd", tables.text(value))) for n, value in items)
    return element("dl", *pairs)


def _runs(analysis: Analysis, run_ids: Mapping[str, str]) -> Markup:
    """Links to MLflow, folded away."""
    server = _server(analysis)
    table = tables.runs(analysis, run_ids, server)
    if table is None:
        return Markup()
    local = join("The links work while ", element("code", "tunebench ui"), " runs.")
    how = element("p", local if server == LOCAL else f"Served by {server}.")
    return element("details", element("summary", "MLflow runs"), how, table)


def _server(analysis: Analysis) -> str:
    """Where MLflow answers, without credentials; by default where `tunebench ui` serves it."""
    uri = analysis.comparison.experiment.get("tracking_uri")
    # Masked before it is split: a password may hold the slash at which splitting ends.
    address = urlsplit(redact(uri)) if isinstance(uri, str) else None
    if address is None or address.scheme not in ("http", "https") or not address.hostname:
        return LOCAL
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path.rstrip('/')}"
