"""A real browser without a window, which talks to nobody by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def launched() -> Iterator[Browser]:
    """The browser that is installed; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(NAMES)})")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(OPTIONS))
        yield browser
        browser.close()


def heard(page: Page, *, origin: str) -> tuple[list[str], list[str]]:
    """What a page says in its console, errors first of all, and what it asks of others.

    Both lists fill while the page is open.

    Args:
        page: One that has not been sent anywhere yet.
        origin: How the addresses begin that are the page's own.
    """
    messages: list[str] = []
    asked: list[str] = []
    page.on(
        "console",
        lambda message: messages.append(
            f"{message.type}: {message.text} {message.location['url']}"
        ),
    )
    page.on("pageerror", lambda error: messages.append(f"error: {error}"))

    def note(url: str) -> None:
        if not url.startswith((origin, "data:")):
            asked.append(url)

    page.on("request", lambda request: note(request.url))
    return messages, asked
