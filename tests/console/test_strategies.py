"""The pages of strategies, on a real desk in a real browser."""

import json
from pathlib import Path

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


def _file(desk: DeskProcess, strategy: str) -> Path:
    return Path(desk.get("/api/status").json()["home"]) / "config/ai/strategies" / f"{strategy}.json"


def test_the_switch_changes_the_file(page: Page, desk: DeskProcess) -> None:
    path = _file(desk, "XAUUSD_H1")
    before = json.loads(path.read_text(encoding="utf-8"))["enabled"]
    page.goto("/strategies?text=XAUUSD_H1")
    switch = page.get_by_role("switch", name="XAUUSD_H1 is evaluated")
    expect(switch).to_be_checked(checked=before)
    switch.dispatch_event("click")
    expect(switch).to_be_checked(checked=not before)
    assert json.loads(path.read_text(encoding="utf-8"))["enabled"] is not before


def test_a_condition_that_is_none_is_told_in_the_servers_words_and_cannot_be_saved(page: Page) -> None:
    page.goto("/strategies/EURUSD_H1")
    page.get_by_role("textbox", name="Entry 1", exact=True).fill("rsi(14 > 3")
    expect(page.locator("main").get_by_text("',' is missing before the end").first).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()


def test_a_file_that_somebody_else_changed_meanwhile_is_not_overwritten(
    page: Page, desk: DeskProcess, wrongs: Wrongs
) -> None:
    path = _file(desk, "GBPUSD_H1_SHORT")
    page.goto("/strategies/GBPUSD_H1_SHORT")
    name = page.get_by_label("Name", exact=True)
    name.fill("Mine")
    theirs = json.loads(path.read_text(encoding="utf-8")) | {"name": "Theirs"}
    path.write_text(json.dumps(theirs), encoding="utf-8")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="somebody else changed it")).to_be_visible()
    assert json.loads(path.read_text(encoding="utf-8")) == theirs
    page.get_by_role("button", name="Read the file as it is now").click()
    expect(name).to_have_value("Theirs")
    wrongs.expected("Failed to load resource")
