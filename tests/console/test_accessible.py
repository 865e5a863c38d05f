"""axe finds nothing serious on any page, in dark and light, on a desk's screen and on a phone."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.desk_process import DeskProcess
from tests.console.visits import VIEWS, View, addresses
from tests.fakes.desk import ROOT

pytestmark = [
    pytest.mark.full,
    pytest.mark.acceptance,
    pytest.mark.xdist_group("console"),
    pytest.mark.timeout(900),
]

AXE = ROOT / "console/node_modules/axe-core/axe.min.js"
ASK = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(" | ")}`)"""


def wrong_on(page: Page, path: str) -> list[str]:
    """What is serious or critical there once it shows more than skeletons."""
    page.goto(path)
    expect(page.locator("main")).not_to_be_empty()
    expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0, timeout=20_000)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    told: list[Any] = page.evaluate(ASK)
    return [f"{path}: {one}" for one in told]


def examined(browser: Browser, desk: DeskProcess, view: View, paths: list[str]) -> list[str]:
    elsewhere: list[str] = []
    with view.context(browser, desk.url) as context:
        page = context.new_page()
        page.on("request", lambda request: elsewhere.append(request.url))
        found = [one for path in paths for one in wrong_on(page, path)]
    assert [url for url in elsewhere if not url.startswith((desk.url + "/", "data:", "blob:"))] == []
    return found


@pytest.fixture(scope="module", autouse=True)
def axe() -> Path:
    if not AXE.exists():
        pytest.skip("no axe-core: `npm ci` in console/")
    return AXE


@pytest.mark.parametrize("view", [VIEWS[0], VIEWS[3]], ids=lambda view: view.name)
def test_the_dashboard_has_nothing_serious(browser: Browser, desk: DeskProcess, view: View) -> None:
    assert examined(browser, desk, view, ["/"]) == []


@pytest.mark.full
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_page_has_anything_serious(browser: Browser, desk: DeskProcess, view: View) -> None:
    assert examined(browser, desk, view, list(addresses(desk.get).values())) == []


@pytest.mark.full
def test_nothing_scrolls_sideways_on_a_phone(browser: Browser, desk: DeskProcess) -> None:
    wide = {}
    with VIEWS[2].context(browser, desk.url) as context:
        page = context.new_page()
        for name, path in addresses(desk.get).items():
            page.goto(path)
            expect(page.locator("main")).not_to_be_empty()
            expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0, timeout=20_000)
            if (breadth := page.evaluate("document.documentElement.scrollWidth")) > VIEWS[2].width:
                wide[name] = breadth
    assert wide == {}
