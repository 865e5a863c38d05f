"""Settings: a change reaches the file, a wrong one is told beside its field, danger wants its word."""

import json
from collections.abc import Iterator

import httpx
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

REFUSED = "Failed to load resource"


@pytest.fixture
def limits(desk: DeskProcess) -> Iterator[str]:
    """Where the limits are; what was there comes back."""
    before = (desk.home / "config/risk.json").read_bytes()
    yield f"{desk.url}/api/risk/limits"
    (desk.home / "config/risk.json").write_bytes(before)


def test_a_limit_is_changed_on_record(page: Page, desk: DeskProcess, limits: str) -> None:
    page.goto("/settings/risk")
    page.get_by_label("Max positions", exact=True).fill("7")
    page.get_by_label("Why").fill("calmer")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("changed by local").first).to_be_visible()
    assert httpx.get(limits).json()["max_positions"] == 7
    assert json.loads((desk.home / "config/risk.json").read_bytes())["max_positions"] == 7
    assert desk.get("/api/settings/changes", limit=1).json()["items"][0]["reason"] == "calmer"


def test_a_wrong_limit_is_told_beside_its_field_and_changes_nothing(
    page: Page, wrongs: Wrongs, limits: str
) -> None:
    before = httpx.get(limits).json()
    page.goto("/settings/risk")
    field = page.get_by_label("Risk fraction", exact=True)
    field.fill("2")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".setting", has=field)).to_contain_text("Did you mean percent")
    assert httpx.get(limits).json() == before
    wrongs.expected(REFUSED)


def test_what_somebody_else_changed_is_not_overwritten_unseen(
    page: Page, wrongs: Wrongs, limits: str
) -> None:
    page.goto("/settings/risk")
    page.get_by_label("Max positions", exact=True).fill("8")
    httpx.patch(limits, json={"changes": {"max_trades_per_day": 11}}).raise_for_status()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changed by somebody else meanwhile")).to_be_visible()
    assert httpx.get(limits).json()["max_positions"] != 8
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. It is in force.")).to_be_visible()
    now = httpx.get(limits).json()
    assert (now["max_positions"], now["max_trades_per_day"]) == (8, 11)
    wrongs.expected(REFUSED)


def test_resuming_wants_its_word_and_a_reason(page: Page, desk: DeskProcess) -> None:
    desk.post("/api/control/halt", {"reason": "lunch"}).raise_for_status()
    page.goto("/settings/control")
    danger = page.locator(".zone")
    resume = danger.get_by_role("button", name="Resume")
    expect(resume).to_be_disabled()
    danger.get_by_label("Why").first.fill("back")
    expect(resume).to_be_disabled()
    danger.get_by_label("Type RESUME to confirm").fill("resume")
    resume.click()
    expect(page.get_by_text("None. The desk may send")).to_be_visible()
    assert desk.get("/api/control").json()["halted"] is False


def test_what_one_may_not_use_is_not_there(page: Page, desk: DeskProcess) -> None:
    """Everybody of a desk without sign-in is `local`, who has no password and can have no token."""
    assert httpx.post(f"{desk.url}/api/tokens", json={"label": "spreadsheet"}).status_code == 404
    page.goto("/settings/access")
    expect(page.get_by_text("`local` has no password")).to_be_visible()
    expect(page.get_by_text("sign in as a user to make one")).to_be_visible()
    expect(page.get_by_role("button", name="Make a token")).to_have_count(0)
    page.goto("/settings/nowhere")
    expect(page.get_by_text("There is no such section")).to_be_visible()
