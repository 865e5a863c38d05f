"""The journal: figures as the API tells them, notes that reach the file, filters that outlive a reload."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.storage.files import FileStorage
from tests.acceptance.desk_process import DeskProcess
from tests.api.test_trade_routes import closed, write
from tests.console.conftest import Wrongs

pytestmark = [
    pytest.mark.full,
    pytest.mark.acceptance,
    pytest.mark.xdist_group("console"),
    pytest.mark.timeout(240),
]


@pytest.fixture(scope="module")
def traded(desk: DeskProcess) -> DeskProcess:
    """A desk that closed four trades: +100, -40, +60 and one whose result is not known."""
    write(
        FileStorage(desk.home),
        "logs/trades_20260302.csv",
        closed("a", "2026-03-02T10:00:00Z", net=100.0, r=2.0),
        closed("b", "2026-03-02T11:00:00Z", net=-40.0, r=-1.0, symbol="XAUUSD", side="short"),
        closed("c", "2026-03-02T12:00:00Z", net=60.0, r=0.5),
        closed("d", "2026-03-02T13:00:00Z", net=None),
    )
    return desk


def test_figures_are_the_apis_and_the_unknown_is_no_zero(page: Page, traded: DeskProcess) -> None:
    page.goto("/journal?view=statistics")
    expect(page.locator("[data-figure=net]")).to_have_text("+120.00 USD")
    expect(page.locator("[data-figure=trades]")).to_have_text("3")
    expect(page.locator("[data-figure=win_rate_pct]")).to_have_text("66.7 %")
    expect(page.locator("[data-figure=profit_factor]")).to_have_text("4.00")
    expect(page.locator("main")).to_contain_text("1 without a known result")
    page.goto("/journal")
    unknown = page.get_by_role("row").nth(1)
    expect(unknown.get_by_role("gridcell").nth(7)).to_have_text("—")
    assert traded.get("/api/trades/statistics").json()["total"]["values"]["net"] == 120.0


def test_filters_stand_in_the_address_and_outlive_a_reload(page: Page, traded: DeskProcess) -> None:
    assert traded.get("/api/trades", side="short").json()["items"][0]["id"] == "b"
    page.goto("/journal")
    page.get_by_label("Side", exact=True).first.click()
    page.get_by_role("option", name="short").click()
    expect(page.get_by_role("row")).to_have_count(2)
    assert "side=short" in page.url
    page.reload()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("XAUUSD")


def test_a_note_reaches_the_desk_and_a_refusal_is_told_in_its_words(
    page: Page, traded: DeskProcess, wrongs: Wrongs
) -> None:
    page.goto("/journal?trade=a")
    note = page.get_by_label("Note", exact=True)
    note.fill("held too long")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog").locator(".row").first).to_contain_text("held too long")
    said = traded.get("/api/trades/a/notes").json()["items"]
    assert (said[0]["note"], said[0]["by"]) == ("held too long", "local")
    note.fill("x" * 4001)
    page.get_by_role("button", name="Save").click()
    refusal = httpx.put(f"{traded.url}/api/trades/a/notes", json={"note": "x" * 4001}).json()["error"][
        "message"
    ]
    expect(page.get_by_role("dialog")).to_contain_text(refusal)
    assert traded.get("/api/trades/a/notes").json()["items"] == said
    wrongs.expected("Failed to load resource")
