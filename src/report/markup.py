"""HTML that is escaped by construction: text is a `str`, markup is a `Markup`."""

from __future__ import annotations

import html


class Markup(str):
    """A piece of HTML that is finished: it is never escaped again."""


VOID = frozenset({"br", "hr", "input", "meta"})
"""Elements without an end tag."""


def escape(text: str) -> Markup:
    """The text as HTML, or the markup as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(text))


def join(*parts: str, between: str = "") -> Markup:
    """The parts in a row, texts among them escaped."""
    return Markup(between.join(escape(part) for part in parts))


def element(tag: str, *children: str, **attributes: str | None) -> Markup:
    """One element.

    Args:
        tag: Its name.
        children: Texts, which are escaped, and finished markup.
        attributes: By name; `class_` is `class`, other underscores are hyphens, none is left out.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    end = "" if tag in VOID else f"</{tag}>"
    return Markup(f"<{tag}{written}>{join(*children)}{end}")
