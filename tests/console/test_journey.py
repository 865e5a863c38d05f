"""A trader's day in the browser, on a desk that asks who they are and replays the prices of May 2014."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.clones import ROOT
from tests.acceptance.desk_process import READY, DeskProcess, start_desk
from tests.acceptance.hands import unused_port
from tests.acceptance.test_replayed_trading import configured, minutes
from tests.console.conftest import Wrongs
from tests.fakes.replayed import SYMBOL

pytestmark = [
    pytest.mark.full,
    pytest.mark.acceptance,
    pytest.mark.market_data,
    pytest.mark.xdist_group("console"),
    pytest.mark.timeout(400),
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped here"),
]

NAME, PASSWORD = "olga", "correct horse battery"
SOON, LATER = 5_000, 20_000
PHONE = 390


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, market_data: Any) -> Iterator[DeskProcess]:
    """A desk that others could reach: it asks for sign-in, of this machine's people too."""
    home = tmp_path_factory.mktemp("journey") / "home"
    configured(home, {})
    limits = json.loads((home / "config/risk.json").read_text(encoding="utf-8"))
    (home / "config/risk.json").write_text(json.dumps(limits | {"mode": "supervised"}), encoding="utf-8")
    data = minutes(market_data, home / "recorded")
    env = dict(os.environ) | {"MT5UI_HOME": str(home)}
    added = [sys.executable, "-m", "backend.cli", "user", "add", NAME, "--role", "owner"]
    subprocess.run(
        added, cwd=ROOT, env=env, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True
    )
    more = ("--host", "0.0.0.0", "--replay", str(data), "--speed", "1000000")  # noqa: S104 - see above
    desk = start_desk(home, unused_port(), env, *more)
    try:
        desk.wait_for_line(READY, 90)
        token = json.loads((home / "data/run/local_token.json").read_text(encoding="utf-8"))["token"]
        desk.headers["Authorization"] = f"Bearer {token}"
        yield desk
    finally:
        desk.destroy()


def items(desk: DeskProcess, path: str, **asked: Any) -> list[Any]:
    found: list[Any] = desk.get(path, **asked).json()["items"]
    return found


def idea_that_waits(desk: DeskProcess) -> dict[str, Any]:
    """The next idea of the replayed days; time stands still from then on."""
    conductor = psutil.Process(desk.children()["beat"])

    def waiting() -> list[Any]:
        return items(desk, "/api/trade-ideas", status="pending_approval")

    while True:
        desk.wait_until(waiting, 180, "an idea waits for a person")
        conductor.suspend()
        if found := waiting():
            idea: dict[str, Any] = found[0]
            return idea
        conductor.resume()


def test_a_day(page: Page, desk: DeskProcess, wrongs: Wrongs) -> None:
    assert desk.get("/api/session").json()["name"] == "local"
    page.goto("/ideas")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("header .kind")).to_have_text("REPLAY", timeout=LATER)
    wrongs.expected("401")  # a browser notes the answers by which the page learns that it must ask

    idea = idea_that_waits(desk)
    row = page.get_by_role("row").filter(has_text=SYMBOL).first
    expect(row).to_be_visible(timeout=SOON)
    row.click()
    sign = 1 if idea["side"] == "buy" else -1
    stop = round(idea["stop"] - sign * 0.0005, 5)
    page.get_by_label("Stop", exact=True).fill(f"{stop:.5f}")
    expect(page.get_by_text("1 check refuses")).to_be_visible(timeout=LATER)  # less reward than risk
    target = idea["entry"] + 2.5 * (idea["entry"] - stop)
    page.get_by_label("Target", exact=True).fill(f"{target:.5f}")
    expect(page.get_by_text("1 check refuses")).to_have_count(0, timeout=LATER)
    page.locator("main").focus()
    page.keyboard.press("a")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Send .* risking")).click(timeout=LATER)
    [position] = desk.wait_until(lambda: items(desk, "/api/positions"), 30, "the idea is a position")
    assert position["stop"] == stop

    page.goto("/positions")
    page.get_by_role("row").filter(has_text=str(position["ticket"])).click(timeout=LATER)
    page.get_by_role("dialog").get_by_role("button", name="Close…").click()
    page.get_by_role("button", name=f"Close {position['volume']:.2f} lots").click()
    desk.wait_until(lambda: not items(desk, "/api/positions"), 20, "it was closed")

    page.goto(f"/ideas/{idea['id']}")
    page.get_by_role("link", name="decision", exact=True).click(timeout=LATER)
    expect(page).to_have_url(f"{desk.url}/decisions/{idea['decision_id']}")
    page.get_by_role("button", name="Replay").click(timeout=LATER)
    expect(page.get_by_text("The same bytes came out.")).to_be_visible(timeout=LATER)

    ticket = {"symbol": SYMBOL, "side": "buy", "volume": 0.02, "stop": {"points": 1000}, "note": "by hand"}
    desk.post("/api/orders", ticket).raise_for_status()
    desk.wait_until(lambda: items(desk, "/api/positions"), 20, "the ticket is a position")
    page.get_by_role("button", name="KILL").click()
    page.get_by_label("Also close its open positions at market").check()
    page.get_by_label("Type KILL to confirm").fill("KILL")
    page.get_by_role("button", name="Halt, cancel and close").click()
    expect(page.get_by_text("Positions closed: 1")).to_be_visible(timeout=LATER)
    expect(page.get_by_text("Left: orders 0, positions 0")).to_be_visible()
    assert items(desk, "/api/positions") == []
    assert desk.get("/api/control").json()["halted"] is True

    page.goto("/research")
    page.get_by_role("textbox", name="Strategy").first.click()
    page.get_by_role("option", name="EURUSD_H1", exact=True).click()
    page.get_by_label("Days of history").fill("30")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("link", name="Open the report").click(timeout=120_000)
    expect(page).to_have_url(re.compile(r"/research/[0-9a-f]{16}$"))
    report = desk.get(f"/api/backtests/{page.url.rsplit('/', 1)[1]}").json()["report"]
    expect(page.locator("article")).to_contain_text(report["criticism"][0])

    worker = psutil.Process(desk.children()["worker-main"])
    worker.suspend()
    try:
        task = desk.post("/api/celery/tasks/ai/evaluate-symbol", {"symbol": SYMBOL}).json()["task_id"]
        page.goto(f"/tasks/{task}")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Click again to cancel it").click()
        expect(page.locator("h1 + b")).to_contain_text("cancelled")
    finally:
        worker.resume()

    wrongs.expected("/preview")  # asked while the approval came in: the idea waits no longer
    assert not wrongs
    api = psutil.Process(desk.children()["api"])
    api.suspend()
    try:
        began = time.monotonic()
        expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible(timeout=SOON)
        assert time.monotonic() - began < 5
    finally:
        api.resume()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible(timeout=LATER)
    expect(page.locator(".lost")).to_have_count(0)
    wrongs.expected("Failed to load resource", "net::ERR")

    page.set_viewport_size({"width": PHONE, "height": 844})
    for path in ("/", f"/ideas/{idea['id']}", "/positions", "/tasks"):
        page.goto(path)
        expect(page.locator("main")).not_to_be_empty()
        expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0, timeout=LATER)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, path
    page.get_by_role("button", name="KILL").click()
    expect(page.get_by_label("Type KILL to confirm")).to_be_in_viewport()
