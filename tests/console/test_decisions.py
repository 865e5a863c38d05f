"""Decisions in the browser: the river, one of them with its replay, and why not."""

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.desk_process import DeskProcess
from tests.acceptance.hands import until
from tests.console.conftest import Wrongs

pytestmark = [
    pytest.mark.full,
    pytest.mark.acceptance,
    pytest.mark.xdist_group("console"),
    pytest.mark.timeout(240),
]


@pytest.fixture(scope="module")
def made(desk: DeskProcess) -> dict[str, str]:
    """The newest decision of the desk, which is asked for some."""
    desk.post("/api/celery/tasks/ai/evaluate-all")
    until(lambda: desk.get("/api/decisions").json()["items"], 60, "a decision is made")
    found: dict[str, str] = desk.get("/api/decisions", limit=1).json()["items"][0]["decision"]
    return found


def test_the_river_shows_the_decisions_that_pass_and_keeps_its_filters(
    page: Page, desk: DeskProcess, made: dict[str, str]
) -> None:
    page.goto(f"/decisions?symbol={made['symbol']}")
    page.reload()
    rows = page.get_by_role("grid", name="Decisions").get_by_role("row")
    expect(rows.nth(1)).to_contain_text(made["symbol"])
    total = desk.get("/api/decisions/stats", symbol=made["symbol"]).json()["total"]
    expect(page.locator("main [role=status]")).to_contain_text(f"{total:,} decisions pass")
    page.goto("/decisions?symbol=NOSUCH")
    expect(page.locator("main")).to_contain_text("No decision passes")


def test_a_decision_shows_what_it_saw_and_replays_to_the_same_bytes(
    page: Page, desk: DeskProcess, made: dict[str, str]
) -> None:
    page.goto(f"/decisions/{made['id']}")
    for reason in made["reasons"]:
        expect(page.locator("main")).to_contain_text(reason)
    page.get_by_role("button", name="Replay").click()
    assert desk.get(f"/api/decisions/{made['id']}/replay").json()["same"] is True
    expect(page.get_by_text("The same bytes came out.")).to_be_visible()


def test_why_not_counts_as_the_api_does_and_leads_to_the_decisions(
    page: Page, desk: DeskProcess, made: dict[str, str]
) -> None:
    assert made
    page.goto("/decisions?view=why-not")
    (first, *_) = desk.get("/api/decisions/why-not").json()["checks"]
    name = first["check"].replace("_", " ")
    row = page.get_by_role("grid", name="Why not").get_by_role("row").filter(has_text=name).first
    expect(row).to_contain_text(f"{first['decisions']:,}")
    row.get_by_role("button", name=name, exact=True).click()
    expect(page).to_have_url(f"{desk.url}/decisions?refused_by={first['check']}")


def test_a_decision_that_is_not_there_is_told_in_the_words_of_the_desk(
    page: Page, desk: DeskProcess, wrongs: Wrongs
) -> None:
    page.goto("/decisions/d-000000000000000000000000")
    said = desk.get("/api/decisions/d-000000000000000000000000").json()["error"]["message"]
    expect(page.get_by_role("alert")).to_contain_text(said)
    wrongs.expected("404")
