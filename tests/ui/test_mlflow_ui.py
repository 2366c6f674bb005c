"""MLflow's own page, in a real browser, shows the tree of a comparison with its columns."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from tunebench.analysis import analyse
from tunebench.tracking import Tracker
from tunebench.tracking.address import locate
from tunebench.tracking.server import Server, page, taken

from tests.browser import heard, launched
from tests.records import comparison

pytestmark = [
    pytest.mark.slow,
    # MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),
]

TASKS, METHODS = ("sst2", "rte"), ("lora", "adapter", "head")
COLUMNS = ("score", "trainable_params", "latency_ratio")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with a finished comparison in MLflow."""
    folder = tmp_path_factory.mktemp("runs")
    whole = comparison(tasks=TASKS, methods=METHODS, seeds=(0,))
    analysis, tracker = analyse(whole), Tracker(None, folder)
    tracker.sync(analysis, status="finished")
    tracker.close(analysis, status="finished")
    return folder


@pytest.fixture(scope="module")
def server(out: Path) -> Iterator[Server]:
    """A server on the folder's store."""
    with Server(locate(None, out)) as running:
        yield running


def test_parent_and_children_stand_side_by_side_with_the_chosen_columns(
    out: Path, server: Server
) -> None:
    from playwright.sync_api import expect

    with launched() as browser:
        tab = browser.new_page(viewport={"width": 1600, "height": 900})
        _, elsewhere = heard(tab, origin=server.url)
        tab.goto(page(locate(None, out), server.url))
        rows = tab.locator(".ag-row")
        parent = rows.filter(has_text="sst2, rte: 3 methods on")
        expect(parent).to_be_visible(timeout=120_000)
        for column in COLUMNS:
            expect(tab.locator(f".ag-header-cell[col-id='metrics.`{column}`']")).to_be_visible()
        records = comparison(tasks=TASKS, methods=METHODS, seeds=(0,))
        for shown in analyse(records).cells:
            row = shown.result
            child = rows.filter(has_text=f"{row.task} {row.method}")
            expect(child).to_be_visible()
            # The grid draws names and numbers in two halves of one line.
            line = f".ag-row[row-index='{child.get_attribute('row-index')}']"
            for name in COLUMNS:
                cell = tab.locator(f"{line} [col-id='metrics.`{name}`']")
                expect(cell).to_be_visible()
                single = shown.single
                assert single is not None
                value = single.ratio if name == "latency_ratio" else getattr(row, name)
                assert float(cell.inner_text()) == pytest.approx(value, rel=1e-3)
    assert elsewhere == []


def test_the_view_is_still_there_after_reloading_going_back_and_a_click_beside_the_table(
    out: Path, server: Server
) -> None:
    from playwright.sync_api import Page, expect

    def assert_view(tab: Page) -> None:
        row = tab.locator(".ag-row").filter(has_text="sst2 lora")
        expect(row.first).to_be_visible(timeout=120_000)
        for column in COLUMNS:
            expect(tab.locator(f".ag-header-cell[col-id='metrics.`{column}`']")).to_be_visible()

    with launched() as browser:
        tab = browser.new_page(viewport={"width": 1600, "height": 900})
        tab.set_default_timeout(120_000)
        problems: list[str] = []
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.goto(page(locate(None, out), server.url))
        assert_view(tab)
        tab.reload()
        assert_view(tab)
        tab.locator("a[href*='/models?']").first.click()
        expect(tab.locator(".ag-row").filter(has_text="sst2 lora")).to_have_count(0)
        tab.locator("a[href*='/runs?']").first.click()
        assert_view(tab)
        tab.locator(".ag-row a").filter(has_text="sst2 lora").first.click()
        expect(tab.locator(".ag-header-cell")).to_have_count(0)
        tab.go_back()
        assert_view(tab)
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1600, 390])
def test_by_day_by_night_and_on_a_phone_the_page_asks_nobody_and_raises_no_error(
    out: Path, server: Server, width: int, scheme: Literal["light", "dark"]
) -> None:
    with launched() as browser:
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        messages, elsewhere = heard(tab, origin=server.url)
        tab.goto(page(locate(None, out), server.url))
        # On a phone MLflow leaves the table no room; its rows are there all the same.
        row = tab.locator(".ag-row").filter(has_text="sst2 lora")
        row.first.wait_for(timeout=120_000, state="attached")
        # MLflow asks its own server who is there, and a server without accounts has no such page.
        errors = [line for line in messages if line.startswith("error")]
        assert [line for line in errors if "/users/current" not in line] == []
    assert elsewhere == []


def test_the_server_takes_the_next_free_port_and_ends_with_its_children(
    out: Path, server: Server
) -> None:
    assert taken("127.0.0.1", server.port)
    second = Server(locate(None, out))
    assert second.port != server.port
    second.start()
    with urllib.request.urlopen(f"{second.url}/health") as answer:
        assert answer.status == 200
    second.stop()
    assert not taken("127.0.0.1", second.port)


def test_ending_the_command_ends_its_server(out: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tunebench.tracking import serve; "
        "serve(None, Path(sys.argv[1]))"
    )
    command = [sys.executable, "-u", "-c", code, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        printed = running.stdout.readline()
        running.terminate()
    port = int(printed.partition("http://127.0.0.1:")[2].partition("/")[0])
    assert running.returncode == 143
    assert not taken("127.0.0.1", port)
