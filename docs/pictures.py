"""Makes the pictures of README and docs: `python -m docs.pictures runs`, with a finished folder.

docs/mlflow.png is MLflow's page of the newest comparison, docs/report.png the top of report.html.
Needs the packages of `make setup-test` and a Chromium or Chrome on the path.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tunebench.errors import UserError
from tunebench.tracking.address import TrackingError, locate
from tunebench.tracking.server import Server, page

from tests.browser import NAMES, OPTIONS

HERE = Path(__file__).parent
WIDTH = 1400
LONGEST = 1200
"""A picture is no higher than this, in points."""


def main() -> int:
    """Draws both pictures; a mistake is answered by one line."""
    parser = argparse.ArgumentParser(description="Pictures of a finished comparison.")
    parser.add_argument("out", type=Path, help="the output folder of `tunebench compare`")
    parser.add_argument("--into", type=Path, default=HERE, help="where the pictures go")
    arguments = parser.parse_args()
    try:
        draw(arguments.out, arguments.into)
    except (UserError, TrackingError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def draw(out: Path, into: Path) -> None:
    """Opens both pages in one browser and photographs them."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    address = locate(None, out)
    if program is None:
        raise UserError(f"no browser is on the path (looked for {', '.join(NAMES)})")
    for needed in (out / "mlflow.db", out / "report.html"):
        if not needed.is_file():
            raise UserError(f"{needed} is missing; run `tunebench compare` with this folder first")
    with sync_playwright() as play, Server(address) as server:
        browser = play.chromium.launch(executable_path=program, args=list(OPTIONS))
        mlflow(browser, page(address, server.url), into / "mlflow.png")
        report(browser, (out / "report.html").resolve().as_uri(), into / "report.png")
        browser.close()


def mlflow(browser: Browser, url: str, target: Path) -> None:
    """The tree of runs with its columns, without MLflow's notices and its assistant."""
    tab = new_tab(browser, 700)
    tab.add_init_script(
        "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
    )
    tab.goto(url)
    rows = tab.locator(".ag-row[row-index]")
    rows.first.wait_for(timeout=120_000)
    banner = tab.get_by_role("button", name="Hide banner")
    if banner.is_visible():
        banner.click()
    tab.add_style_tag(content="[data-assistant-ui] { display: none !important; }")
    tab.wait_for_timeout(1500)
    lines = {line.get_attribute("row-index") for line in rows.all()}
    tab.set_viewport_size({"width": WIDTH, "height": min(LONGEST, 340 + 32 * len(lines))})
    tab.wait_for_timeout(1500)
    tab.screenshot(path=target)
    print(target)


def report(browser: Browser, url: str, target: Path) -> None:
    """The first screens of the report."""
    tab = new_tab(browser, LONGEST)
    tab.goto(url)
    tab.wait_for_timeout(500)
    height = int(tab.evaluate("document.documentElement.scrollHeight"))
    tab.set_viewport_size({"width": WIDTH, "height": min(LONGEST, height)})
    tab.screenshot(path=target)
    print(target)


def new_tab(browser: Browser, height: int) -> Page:
    """A light page of the pictures' width, twice as fine as a plain screen."""
    return browser.new_page(
        viewport={"width": WIDTH, "height": height}, device_scale_factor=2, color_scheme="light"
    )


if __name__ == "__main__":
    sys.exit(main())
