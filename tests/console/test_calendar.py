"""Calendar and news: what is announced, when entries pause for it, what the feeds said."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.desk_process import DeskProcess

pytestmark = [
    pytest.mark.full,
    pytest.mark.acceptance,
    pytest.mark.xdist_group("console"),
    pytest.mark.timeout(240),
]


@pytest.fixture(scope="module")
def informed(desk: DeskProcess) -> DeskProcess:
    """The desk with its calendar and news fetched, and with pauses around news."""
    embargo = {"minutes_before": 30, "minutes_after": 15, "impacts": ["high"]}
    httpx.patch(f"{desk.url}/api/risk/limits", json={"changes": {"news_embargo": embargo}}).raise_for_status()
    desk.wait_until(lambda: desk.get("/api/calendar").json()["events"], 60, "the calendar is fetched")
    desk.wait_until(lambda: desk.get("/api/news").json()["articles"], 60, "the news are collected")
    desk.wait_until(
        lambda: len(desk.get("/api/calendar/embargoes").json()["problems"]) == 0, 60, "symbols are known"
    )
    return desk


def test_an_event_is_told_with_its_figures_and_whom_it_moves(page: Page, informed: DeskProcess) -> None:
    page.goto("/calendar")
    row = page.get_by_role("grid", name="Events").get_by_role("row").filter(has_text="CPI m/m")
    expect(row).to_contain_text("high")
    expect(row.get_by_role("gridcell").nth(5)).to_have_text("—")
    expect(row.get_by_role("gridcell").nth(6)).to_have_text("0.3%")
    expect(row.get_by_role("gridcell").nth(7)).to_have_text("0.2%")
    expect(row.get_by_role("gridcell").nth(1)).to_contain_text("in 1 h")
    expect(row.get_by_role("gridcell").nth(8)).to_contain_text("EURUSD")


def test_a_pause_of_each_symbol_is_a_band_that_tells_its_event(page: Page, informed: DeskProcess) -> None:
    windows = informed.get("/api/calendar/embargoes", hours=12).json()["windows"]
    assert {window["symbol"] for window in windows} >= {"EURUSD", "USDJPY"}
    page.goto("/calendar")
    expect(page.locator(".lanes .lane > button")).to_have_count(len(windows))
    band = page.get_by_role("button", name=windows[0]["text"])
    box, lane = band.bounding_box(), page.locator(".lanes .lane").first.bounding_box()
    assert box is not None
    assert lane is not None
    assert box["width"] / lane["width"] == pytest.approx(45 / (12 * 60), rel=0.05)
    band.click()
    expect(page.get_by_role("dialog")).to_contain_text("CPI m/m")
    expect(page.get_by_role("dialog")).to_contain_text(windows[0]["text"])


def test_filters_of_the_calendar_outlive_a_reload(page: Page, informed: DeskProcess) -> None:
    page.goto("/calendar")
    page.get_by_text("low", exact=True).click()
    expect(page.get_by_text("No event passes these filters.")).to_be_visible()
    expect(page).to_have_url(re.compile("impact=low"))
    page.reload()
    expect(page.get_by_text("No event passes these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("grid", name="Events").get_by_role("row")).to_have_count(2)


def test_before_anything_was_fetched_nothing_is_known_and_it_says_so(
    page: Page, informed: DeskProcess
) -> None:
    reason = informed.get("/api/calendar", as_of="2020-01-01T00:00:00Z").json()["reason"]
    page.goto("/calendar?as_of=2020-01-01T00:00")
    expect(page.locator("main")).to_contain_text(f"The calendar is not known: {reason}")
    expect(page.get_by_role("grid", name="Events")).to_have_count(0)


def test_an_article_is_told_with_its_tags_and_its_feed(page: Page, informed: DeskProcess) -> None:
    page.goto("/news")
    row = page.get_by_role("grid", name="Articles").get_by_role("row").filter(has_text="Rates unchanged")
    expect(row).to_contain_text("USD")
    expect(page.locator(".card .row", has_text="Bank")).to_contain_text("ok")
    row.click()
    link = page.get_by_role("dialog").get_by_role("link")
    expect(link).to_have_attribute("href", "http://bank.test/1")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    page.keyboard.press("Escape")
    page.get_by_label("Words").fill("rates nonsense")
    expect(page.get_by_text("No article passes these filters.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Words")).to_have_value("rates nonsense")
    expect(page.get_by_text("No article passes these filters.")).to_be_visible()


@pytest.mark.full
@pytest.mark.parametrize(
    "path", ["/calendar", "/news", "/tasks", "/tasks?view=schedules", "/tasks?view=history"]
)
def test_on_a_phone_nothing_scrolls_sideways(page: Page, informed: DeskProcess, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path)
    expect(page.locator("main .card, main .table").first).to_be_visible()
    main = "document.querySelector('main')"
    assert page.evaluate(f"{main}.scrollWidth - {main}.clientWidth") == 0
