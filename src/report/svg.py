"""Makes matplotlib's SVG part of a page: its colours and font, ids of its own, hover texts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

NAMESPACE = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}href"
DROPPED = frozenset({"metadata", "style"})
"""Elements that a page must not take over: `style` would apply to the whole page."""

INK, MUTED, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
"""Stand-ins for the page's colours while matplotlib draws; no figure uses them for itself."""

SERIES = tuple(f"#0501{i:02x}" for i in range(8))
"""Stand-ins for the methods' colours; the ninth method begins again and differs by its marker."""

_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PAPER: "var(--card)",
    **{stand_in: f"var(--series-{i})" for i, stand_in in enumerate(SERIES)},
}
_FAMILY = re.compile(r"font-family:[^;]*;?")
_FILE_REFERENCE = re.compile(r"url\(#")


def embed(document: str, name: str, label: str, hover: Mapping[str, str]) -> str:
    """The drawing as an element of a page.

    Args:
        document: A whole SVG document as matplotlib writes it, its own work and thus trusted.
        name: Begins every id, so that several drawings live on one page.
        label: What the drawing shows, for those who do not see it.
        hover: The id of a drawn group to the text that appears over it.
    """
    root = ET.fromstring(document)
    for parent in list(root.iter()):
        for child in [c for c in parent if _local(c.tag) in DROPPED]:
            parent.remove(child)
    for node in list(root.iter()):
        _adapt(node, name, hover)
    view = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-label": label, "class": "plot"})
    return ET.tostring(root, encoding="unicode", short_empty_elements=False)


def _adapt(node: ET.Element, name: str, hover: Mapping[str, str]) -> None:
    """Rename one element's ids, and give it the page's colours and its hover text."""
    node.tag = _local(node.tag)
    identity = node.attrib.pop("id", None)
    if identity is not None:
        node.set("id", f"{name}-{identity}")
    target = node.attrib.pop(XLINK, None)
    if target is not None:
        node.set("href", f"#{name}-{target.removeprefix('#')}")
    if "clip-path" in node.attrib:
        node.set("clip-path", _FILE_REFERENCE.sub(f"url(#{name}-", node.attrib["clip-path"]))
    if "style" in node.attrib:
        node.set("style", _recolour(node.attrib["style"]))
    if identity is not None and identity in hover:
        title = ET.Element("title")
        title.text = hover[identity]
        node.insert(0, title)
        node.set("class", "point")


def _recolour(style: str) -> str:
    """The style with the page's variables for the stand-ins, and the page's font."""
    for stand_in, variable in _COLOURS.items():
        style = style.replace(stand_in, variable)
    return _FAMILY.sub("", style).strip("; ")


def _local(tag: str) -> str:
    """A tag without its namespace: in a page an inline drawing needs none."""
    return tag.removeprefix(NAMESPACE)
