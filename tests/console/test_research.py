"""Backtests in the browser: started, read, compared and removed, with the figures of the API."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.desk_process import DeskProcess
from tests.console.conftest import Wrongs

pytestmark = [
    pytest.mark.full,
    pytest.mark.acceptance,
    pytest.mark.xdist_group("console"),
    pytest.mark.timeout(240),
]


def start(page: Page, days: str) -> None:
    page.get_by_role("textbox", name="Strategy").first.click()
    page.get_by_role("option", name="EURUSD_H1", exact=True).click()
    page.get_by_label("Days of history").fill(days)
    page.get_by_role("button", name="Start").click()


def test_a_run_is_started_and_its_report_has_the_figures_of_the_api(page: Page, desk: DeskProcess) -> None:
    page.goto("/research")
    start(page, "30")
    expect(page).to_have_url(re.compile(r"task="))
    page.reload()
    page.get_by_role("link", name="Open the report").click(timeout=60_000)
    expect(page).to_have_url(re.compile(r"/research/[0-9a-f]{16}$"))
    told = desk.get(f"/api/backtests/{page.url.rsplit('/', 1)[1]}").json()
    net = told["row"]["metrics"]["net_profit"]
    sign = "+" if net > 0 else "−" if net < 0 else ""
    expect(page.locator("article")).to_contain_text(f"{sign}{abs(net):,.2f} USD")
    for sentence in told["report"]["criticism"]:
        expect(page.locator("article")).to_contain_text(sentence)
    figure = page.get_by_title(told["report"]["undefined"]["pbo"]).first
    expect(figure).to_contain_text("—")


def test_what_the_desk_refuses_stands_beside_the_field(page: Page, wrongs: Wrongs) -> None:
    page.goto("/research")
    start(page, "4000")
    field = page.get_by_label("Days of history")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("less than or equal to 3650")).to_be_visible()
    wrongs.expected("422")


def test_a_run_with_money_and_costs_of_its_own(page: Page, desk: DeskProcess, wrongs: Wrongs) -> None:
    page.goto("/research")
    page.get_by_role("textbox", name="Mode").click()
    page.get_by_role("option", name="autonomous").click()
    page.get_by_label("Balance at the start").fill("25000")
    risk = page.get_by_label("Risk of a trade in %")
    risk.fill("30")
    page.get_by_label("Spread at least").fill("40")
    start(page, "30")
    expect(risk).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("0.3 is 30 % of the account in one trade")).to_be_visible()
    wrongs.expected("422")
    risk.fill("0.25")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("link", name="Open the report").click(timeout=60_000)
    expect(page).to_have_url(re.compile(r"/research/[0-9a-f]{16}$"))
    report = desk.get(f"/api/backtests/{page.url.rsplit('/', 1)[1]}").json()["report"]
    assert (report["limits"]["mode"], float(report["account"]["balance"])) == ("autonomous", 25_000)
    assert report["streams"][0]["strategy"]["strategy"]["max_risk_pct"] == 0.0025


def test_filters_outlive_a_reload_and_what_passes_nothing_says_so(page: Page) -> None:
    page.goto("/research?strategy=XAUUSD_H1&from=2090-01-01")
    page.reload()
    expect(page.get_by_role("textbox", name="Strategy").last).to_have_value("XAUUSD_H1")
    expect(page.locator("main")).to_contain_text("No backtest is kept that passes")
