"""The market's page, on a real desk in a real browser."""

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


def test_every_enabled_symbol_is_watched_and_the_address_keeps_what_was_chosen(
    page: Page, desk: DeskProcess, wrongs: Wrongs
) -> None:
    symbols = desk.get("/api/status").json()["symbols"]
    page.goto("/market/GBPUSD?tf=M15&tf2=H4&clock=utc&hide=sessions")
    watched = page.get_by_role("navigation", name="Watchlist").get_by_role("link")
    expect(watched).to_have_count(len(symbols))
    for _ in range(2):
        expect(page.get_by_role("textbox", name="Timeframe")).to_have_value("M15")
        expect(page.get_by_role("textbox", name="Beside it")).to_have_value("H4")
        expect(page.get_by_role("checkbox", name="Sessions")).not_to_be_checked()
        expect(page.get_by_role("checkbox", name="Trades")).to_be_checked()
        page.reload()
    watched.filter(has_text="EURUSD").click()
    expect(page).to_have_url(re.compile(r"/market/EURUSD\?.*tf=M15"))
    wrongs.expected("/quality")  # a desk that has just begun has judged no series yet, and says so
