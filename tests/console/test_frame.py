"""The frame and the dashboard, on a real desk in a real browser."""

import signal
import time

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.desk_process import DeskProcess
from tests.console.conftest import Wrongs

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("console"), pytest.mark.timeout(240)]

NO_ANSWER = ("Failed to load resource", "net::ERR")


def test_the_dashboard_shows_the_account_as_the_terminal_has_it(page: Page, desk: DeskProcess) -> None:
    account = desk.get("/api/account").json()
    page.goto("/")
    expect(page.locator("header .kind")).to_have_text("SIMULATED")
    expect(page.locator("main")).to_contain_text(f"{account['balance']:,.2f} {account['currency']}")
    expect(page).to_have_title("Dashboard · MT5_UI")


def test_any_address_of_its_own_is_the_page_and_says_where_there_is_none(page: Page) -> None:
    page.goto("/no/such/page")
    expect(page.locator("main")).to_have_text("There is no such page.")


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped here")
def test_a_desk_that_falls_silent_is_told_within_5_seconds_and_back_when_it_answers(
    page: Page, desk: DeskProcess, wrongs: Wrongs
) -> None:
    page.goto("/")
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    api = psutil.Process(desk.children()["api"])
    api.suspend()
    began = time.monotonic()
    try:
        expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible(timeout=5000)
        assert time.monotonic() - began < 5
        expect(page.locator("html")).to_have_attribute("data-connection", "lost")
    finally:
        api.resume()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible(timeout=8000)
    expect(page.locator(".lost")).to_have_count(0)
    wrongs.expected(*NO_ANSWER)


def test_the_kill_switch_wants_its_word_and_shows_what_is_left(page: Page, desk: DeskProcess) -> None:
    """The last test of the module: it leaves the desk halted."""
    page.goto("/")
    page.get_by_role("button", name="KILL").click()
    act = page.get_by_role("button", name="Halt and cancel")
    expect(act).to_be_disabled()
    page.get_by_label("Type KILL to confirm").fill("KIL")
    page.keyboard.press("Enter")
    assert desk.get("/api/control").json()["halted"] is False
    page.get_by_label("Type KILL to confirm").fill("KILL")
    act.click()
    expect(page.get_by_text("The halt is on record")).to_be_visible()
    assert desk.get("/api/control").json()["halted"] is True
    expect(page.locator("header.top")).to_contain_text("HALTED")
