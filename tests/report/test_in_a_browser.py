"""The pages in a real Chromium: no error, no request, no overflow, and clicks do what they say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from made_cells import Made, Reports, odd_cells

from cellpipe.baselines import table1
from cellpipe.core import contracts
from cellpipe.report import write_index
from cellpipe.report.html.several_cells import several_page
from cellpipe.report.news import News

pytest.importorskip("playwright")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("reports")]
WIDTHS = (360, 768, 1440)
WHAT = list(odd_cells())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                 None)  # fmt: skip
    if found is None:
        pytest.skip("no Chromium on this machine")
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=arguments)
        yield opened
        opened.close()


class Looked:
    """A page that is open, and what it said and asked for meanwhile."""

    def __init__(self, browser: Browser, path: Path) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = browser.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", self._request)
        self.page.goto(path.as_uri())

    def _console(self, message: ConsoleMessage) -> None:
        self.said.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.is_navigation_request():
            self.asked.append(request.url)

    def __enter__(self) -> Looked:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()


def lab(folder: Path, cells: list[Made], news: News | None = None) -> Path:
    names = ("cells", "baseline_comparison", "cycles", "findings")
    tables = {name: pl.concat([one.tables[name] for one in cells]) for name in names}
    files = pl.concat(
        [contracts.empty_table("files"), *(one.files for one in cells)], how="diagonal"
    )
    tables |= {
        "files": files, "baselines": table1(), "cell_sheet": contracts.empty_table("cell_sheet"),
    }  # fmt: skip
    return write_index(tables, folder, version="0.0.1", news=news)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lab(tmp_path_factory.mktemp("lab"), list(odd_cells().values()))


def check(looked: Looked) -> None:
    page = looked.page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{over} px too wide at {width}"
    for figure in page.query_selector_all("figure svg"):
        box = figure.bounding_box()
        assert box is not None
        assert box["width"] > 100
        assert box["height"] > 60
        assert figure.get_attribute("aria-label")
    assert looked.said == []
    assert looked.asked == []


def faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("what", WHAT)
def test_a_cells_page_is_whole_at_every_width(
    browser: Browser, reports: Reports, what: str
) -> None:
    with Looked(browser, reports[what][1]) as looked:
        check(looked)


@pytest.mark.parametrize("what", ["full with spectra", "half", "hostile id", "nothing at all"])
def test_a_cells_page_can_be_used_without_eyes_and_hands(
    browser: Browser, reports: Reports, what: str
) -> None:
    with Looked(browser, reports[what][1]) as looked:
        assert faults(looked.page) == []


def test_the_index_is_whole_and_can_be_used_by_everybody(browser: Browser, index: Path) -> None:
    with Looked(browser, index) as looked:
        check(looked)
        assert faults(looked.page) == []


def column(page: Page, place: int) -> list[str]:
    found = page.locator(f"#cells tbody tr:not([hidden]) td:nth-child({place})")
    return [text.strip() for text in found.all_text_contents()]


def test_sorting_does_what_it_says(browser: Browser, index: Path) -> None:
    with Looked(browser, index) as looked:
        page = looked.page
        before = column(page, 5)
        head = page.locator("#cells thead th").nth(4)
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        assert column(page, 5) == sorted(before, key=int)
        head.get_by_role("button").press("Enter")  # the keyboard does the same
        assert head.get_attribute("aria-sort") == "descending"
        assert column(page, 5) == sorted(before, key=int, reverse=True)
        resistance = page.locator("#cells thead th").nth(10)
        resistance.get_by_role("button").click()
        assert column(page, 11)[-1] == "–"  # what has no value stands last, either way
        resistance.get_by_role("button").click()
        assert column(page, 11)[-1] == "–"
        assert looked.said == []


def test_filters_do_what_they_say(browser: Browser, index: Path) -> None:
    with Looked(browser, index) as looked:
        page = looked.page
        every = column(page, 1)
        page.get_by_label("Kind").select_option("half")
        kinds = column(page, 3)
        assert kinds
        assert set(kinds) == {"half"}
        assert page.locator("#shown").text_content() == f"{len(kinds)} of {len(every)} cells"
        page.get_by_label("Kind").select_option("")
        page.get_by_label("Filter cells").fill("ssb-02")
        assert all("ssb-02" in name.lower() for name in column(page, 1))
        page.get_by_label("Filter cells").fill("")
        page.get_by_label("with something to check").check()
        assert all(int(number) > 0 for number in column(page, 2))
        page.get_by_label("with something to check").uncheck()
        assert column(page, 1) == every


def test_what_is_new_since_yesterday_is_named(browser: Browser, tmp_path: Path) -> None:
    cells = list(odd_cells().values())[:2]
    fresh, old = (one.files for one in cells)
    stamp = datetime.now(UTC)
    long_ago = stamp - timedelta(days=30)
    dtype = contracts.load_schema("files").columns["modified_at"].dtype
    made = [  # by when the results first held them, whatever the date that they were written
        Made(
            one.cell, one.tables,
            files.with_columns(
                first_seen_at=pl.lit(seen).cast(dtype), modified_at=pl.lit(long_ago).cast(dtype)
            ),
        )
        for one, files, seen in zip(cells, (fresh, old), (stamp, long_ago), strict=True)
    ]  # fmt: skip
    name = cells[0].cell.cell_id
    news = News("in the 24 hours before the run of 2026-01-02 (UTC)", cells=(name,))
    with Looked(browser, lab(tmp_path, made, news)) as looked:
        page = looked.page
        block = page.locator("#since-yesterday")
        assert "in the 24 hours before the run of" in (block.text_content() or "")
        assert block.locator("a").text_content() == name
        page.get_by_label("New files").select_option("1")
        assert column(page, 1) == [cells[0].cell.cell_id]


def test_several_cells_side_by_side(browser: Browser, tmp_path: Path) -> None:
    cells = [(one.cell, one.tables) for one in odd_cells().values()]
    page, _ = several_page(cells, title="All", up="..", version="0.0.1")
    path = tmp_path / "several.html"
    path.write_text(page, encoding="utf-8")
    with Looked(browser, path) as looked:
        check(looked)
        assert faults(looked.page) == []
        assert "Configuration is not the same for all" in (looked.page.text_content("main") or "")
