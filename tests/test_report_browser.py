"""The page in a browser: it opens from disk with no network and no complaint, sorts, and no text lies on another."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from page_faults import faults

import concepttransfer as ct
from concepttransfer.report import report_study

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)
ENCODERS = ("nfrn50",)
WIDTHS = (1280, 800)
QUICK = {"n_resamples": 40, "n_permutations": 40, "rows": 16}
LIMIT = 16


def browser_path() -> str | None:
    """The browser: `CONCEPTTRANSFER_CHROMIUM`, or the first installed one that playwright can drive."""
    return os.environ.get("CONCEPTTRANSFER_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium: install Debian's (make browser), or set CONCEPTTRANSFER_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Every analysis of the microworld, of few pictures and one encoder with its control."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCEPTTRANSFER_CACHE", str(folder / "cache"))
        study = ct.load_study("microworld", limit=LIMIT, seeds=1, quiet=True)
        return report_study(study, encoders=ENCODERS, runs=folder / "runs", out=folder / "page", options=QUICK)


class Opened:
    """A page in a window, and all that it did."""

    def __init__(self, browser, path: Path, width: int = 1280, **how) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **how)
        self.said, self.asked = [], []
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def __enter__(self):
        return self.page

    def __exit__(self, *error) -> None:
        self.context.close()


def written(folder: Path, body: str) -> Path:
    path = folder / "page.html"
    path.write_text(f'<!DOCTYPE html><body style="font: 16px sans-serif; margin: 20px">{body}</body>')
    return path


BAD = {
    "lies on": '<p>one line of text</p><p style="margin-top: -30px">another line of text</p>',
    "cut: div": '<div style="width: 60px; overflow: hidden; white-space: nowrap">a text that is cut off</div>',
    "cut: p": '<p style="height: 9px; overflow: hidden">a text that is cut below</p>',
    "wide in a window": '<p style="width: 2000px">a text</p>',
    '"one" lies on "two"': '<svg width="99" height="50"><text y="20">one</text><text y="22">two</text></svg>',
    "cut by its figure": '<svg width="100" height="50"><text x="70" y="20">far too long a label</text></svg>',
    '"slanted" lies on "level"': '<svg width="99" height="150"><text x="30" y="72">level</text>'
    '<text x="20" y="80" transform="rotate(-40 20 80)">slanted</text></svg>',
}
GOOD = {
    "lines": "<h1>A heading</h1><p>" + "some words that take more than a line " * 20 + "</p><ul><li>one<li>two</ul>",
    "table": "<table><tr><th>one<th>two<tr><td>1<td>2</table>",
    "folded": "<details><summary>more</summary><p style='margin-top: -40px'>hidden</p></details>",
    "unseen": '<p class="unseen" style="position: absolute; width: 1px; overflow: hidden">not shown</p><p>shown</p>',
    "slanted": '<svg width="200" height="150"><text x="20" y="80" transform="rotate(-45 20 80)">slanted</text>'
    '<text x="44" y="80" transform="rotate(-45 44 80)">beside</text></svg>',
}


@pytest.mark.parametrize("fault", BAD)
def test_the_check_sees_faults(browser, tmp_path, fault):
    with Opened(browser, written(tmp_path, BAD[fault])) as page:
        found = faults(page)
    assert any(fault in one for one in found), found


@pytest.mark.parametrize("fine", GOOD)
def test_the_check_sees_none_where_there_is_none(browser, tmp_path, fine):
    with Opened(browser, written(tmp_path, GOOD[fine])) as page:
        assert faults(page) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_text_lies_on_another_or_is_cut(browser, report, width, scheme):
    with Opened(browser, report.page, width, color_scheme=scheme) as page:
        assert faults(page) == []


def test_it_opens_from_disk_with_no_network_and_no_complaint(browser, report):
    opened = Opened(browser, report.page)
    with opened as page:
        page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
        page.wait_for_timeout(300)
        assert page.title()
    assert opened.said == []
    assert opened.asked
    assert {url.split(":")[0] for url in opened.asked} <= {"file", "data", "blob"}


def test_a_click_on_a_heading_changes_the_order_of_rows(browser, report):
    with Opened(browser, report.page) as page:
        table = page.locator("section table").first
        first = table.locator("tbody tr > :first-child")
        before = first.all_inner_texts()
        table.locator("thead button").first.click()
        rising = first.all_inner_texts()
        table.locator("thead button").first.click()
        falling = first.all_inner_texts()
    assert sorted(before) == sorted(rising) == sorted(falling)
    assert rising == sorted(before, key=str.lower)
    assert falling == rising[::-1]
    assert before != falling


FIRST_POINT = """() => {
  const view = [...Bokeh.index.roots][0], data = Object.values(view.model.renderers)[0].data_source.data;
  const canvas = document.querySelector(".explorer .drawn").getBoundingClientRect();
  return [canvas.x + view.frame.x_scale.compute(data.x[0]), canvas.y + view.frame.y_scale.compute(data.y[0])];
}"""
LOADED = """() => {
  const found = [], walk = (node) => { for (const one of node.querySelectorAll("*")) {
    if (one.tagName === "IMG") found.push(one.naturalWidth);
    if (one.shadowRoot) walk(one.shadowRoot); } };
  walk(document); return found; }"""


def test_pointing_at_the_map_shows_a_picture_that_was_loaded(browser, report):
    with Opened(browser, report.page) as page:
        page.wait_for_selector(".explorer[data-state=drawn]")
        page.locator(".explorer .drawn").scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        assert page.evaluate(LOADED) == []
        x, y = page.evaluate(FIRST_POINT)
        page.mouse.move(x - 2, y - 2)
        page.mouse.move(x, y)
        page.wait_for_timeout(500)
        widths = page.evaluate(LOADED)
    assert widths
    assert all(0 < width <= 64 for width in widths)


def test_every_analysis_is_on_the_page_or_told_why_not(report):
    from concepttransfer import analysis

    told = {outcome.name.split(" on ")[0]: outcome for outcome in report.outcomes}
    assert set(told) == set(analysis.names())
    text = report.page.read_text(encoding="utf-8")
    for name, outcome in told.items():
        assert outcome.how in ("computed", "left out"), outcome
        assert (f'id="method-{name}"' in text) == (outcome.how == "computed")
    assert sum(outcome.how == "computed" for outcome in report.outcomes) >= 6


def test_the_page_is_small_and_every_figure_lies_beside_it(report):
    assert report.page.stat().st_size <= 25e6
    links = re.findall(r'href="((?:figures|tables)/[^"]+)"', report.page.read_text(encoding="utf-8"))
    assert len(links) > 50
    assert all((report.page.parent / link).is_file() for link in links)


def test_an_encoder_has_the_same_colour_in_every_legend(report):
    text = report.page.read_text(encoding="utf-8")
    from concepttransfer.result.figures import looks_of

    study = ct.load_study("microworld")
    for name, look in looks_of([name for name in study.encoders if name in ENCODERS], study.encoders).items():
        assert re.search(rf'stroke="{look.colour}"[^>]*>[^\n]*</svg> <b>{name}</b>', text), name
