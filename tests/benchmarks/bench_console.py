"""How fast is the console? ``python -m tests.benchmarks.bench_console``.

Starts a desk of its own with the built page, opens it in the system's Chromium without a screen and
measures what a person would feel: the dashboard's first paint and when it can be used, the script of the
first page as it crosses the wire, how long a record of the desk takes to the screen, frames while a chart of
100,000 bars is dragged and while 10,000 decisions are scrolled, and what a tab grows by in eight hours of
its own clock. Every frame is drawn by the processor. Exit code 1 where a goal is missed.
"""

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, CDPSession, Page, Route, sync_playwright

from tests.acceptance.desk_process import READY, DeskProcess, start_desk
from tests.acceptance.hands import unused_port
from tests.fakes.desk import ROOT
from tests.fakes.market_hours import open_clock

FIRST_PAINT, INTERACTIVE, SCRIPT, FRAMES, EVENT, GROWTH = 1.0, 1.5, 350_000, 50.0, 0.3, 50_000_000
ROUNDS, BARS, DECISIONS, STEP = 5, 100_000, 10_000, 10
"""A tab's clock goes on by steps of so many seconds; the answers of its polls come between them."""
COUNT_FRAMES = """() => { window.frames_ = [];
  const tick = (at) => { window.frames_.push(at); requestAnimationFrame(tick); };
  requestAnimationFrame(tick); }"""
RATE = "() => { const f = window.frames_; return (f.length - 1) / (f[f.length - 1] - f[0]) * 1000; }"
USABLE = """() => { const look = () =>
  document.querySelector('main .card .num') && document.querySelector('header button')
  ? requestAnimationFrame(() => { window.usable_ = performance.now(); }) : requestAnimationFrame(look);
  look(); }"""


class Goals:
    """What was measured beside what was wanted."""

    def __init__(self) -> None:
        self.missed = 0

    def at_most(self, what: str, value: float, goal: float, unit: str, times: float = 1.0) -> None:
        self._tell(what, value * times, goal * times, unit, "at most", met=value <= goal)

    def at_least(self, what: str, value: float, goal: float, unit: str) -> None:
        self._tell(what, value, goal, unit, "at least", met=value >= goal)

    def _tell(self, what: str, value: float, goal: float, unit: str, sign: str, *, met: bool) -> None:
        self.missed += not met
        print(
            f"{what:<46} {value:>9.1f} {unit:<9} ({sign} {goal:g}: {'met' if met else 'MISSED'})", flush=True
        )


def opened(browser: Browser, url: str) -> Page:
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
    return context.new_page()


def until(page: Page, what: str, patience: float = 30.0) -> None:
    """Wait without a script of the page's own: its policy allows none from text."""
    deadline = time.monotonic() + patience
    while not page.evaluate(what):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience} s: {what}")
        page.wait_for_timeout(20)


def first_page(browser: Browser, url: str, goals: Goals) -> None:
    """The dashboard in fresh browsers, nothing cached."""
    paints, usables, scripts = [], [], []
    for _ in range(ROUNDS):
        page = opened(browser, url)
        page.add_init_script(f"({USABLE})()")
        page.goto("/")
        page.wait_for_function(
            "window.usable_ && performance.getEntriesByName('first-contentful-paint').length"
        )
        paints.append(
            page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
        )
        usables.append(page.evaluate("window.usable_") / 1000)
        page.wait_for_load_state("load")
        scripts.append(
            page.evaluate(
                "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'))"
                ".reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"
            )
        )
        page.context.close()
    goals.at_most("first paint, median of fresh browsers", statistics.median(paints), FIRST_PAINT, "ms", 1000)
    goals.at_most("figures shown and keys answered", statistics.median(usables), INTERACTIVE, "ms", 1000)
    goals.at_most("script of the first page, compressed", max(scripts), SCRIPT, "kB", 0.001)


def event(browser: Browser, desk: DeskProcess, goals: Goals) -> None:
    """From before a halt is asked for until the page says so, by this machine's one clock."""
    page = opened(browser, desk.url)
    page.goto("/")
    page.get_by_role("status").filter(has_text="Live").wait_for()
    page.evaluate(
        """() => { window.seen_ = {}; new MutationObserver(() => {
          const text = document.querySelector('header.top')?.textContent ?? '';
          const halted = text.includes('HALTED') ? 'halt' : 'resume';
          if (window.last_ !== halted) { window.last_ = halted; window.seen_[halted] = Date.now(); } })
          .observe(document.body, { subtree: true, childList: true, characterData: true }); }"""
    )
    took = []
    for act in ("halt", "resume") * ROUNDS:
        page.wait_for_timeout(700)
        began = time.time()
        answer = desk.post(f"/api/control/{act}", {"reason": "measured"})
        assert answer.status_code == 200, answer.text
        until(page, f"window.seen_['{act}'] > {began * 1000:.0f}")
        took.append(page.evaluate(f"window.seen_['{act}']") / 1000 - began)
    goals.at_most("a record of the desk is on the screen, median", statistics.median(took), EVENT, "ms", 1000)
    print(f"{'':<46} {max(took) * 1000:>9.1f} ms at most")
    page.context.close()


def bars(route: Route) -> None:
    """100,000 hours of a price that wanders, as the desk tells bars."""
    first = int(datetime(2014, 5, 1, tzinfo=UTC).timestamp()) - BARS * 3600
    close = [1.2 + ((index * 7919) % 1000) / 1e5 for index in range(BARS)]
    times = [first + index * 3600 for index in range(BARS)]
    told = json.loads(route.fetch().body()) | {"count": BARS, "next_cursor": None, "reason": None}
    told |= {"time": times, "server_time": times, "open": close, "close": [one + 1e-4 for one in close]}
    told |= {"high": [one + 3e-4 for one in close], "low": [one - 3e-4 for one in close]}
    told |= {"volume": [1] * BARS, "spread": [1] * BARS}
    route.fulfill(json=told)


def chart(browser: Browser, url: str, goals: Goals) -> None:
    """A chart dragged to and fro by hand."""
    page = opened(browser, url)
    page.route("**/api/market/EURUSD/bars*", bars)
    page.goto("/market/EURUSD")
    place = page.locator("main [role=img] canvas").first
    place.wait_for()
    page.wait_for_timeout(3000)
    box = place.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(COUNT_FRAMES)
    for step in range(240):
        page.mouse.move(x + 300 * ((step % 60) / 60 if step // 60 % 2 == 0 else 1 - (step % 60) / 60), y)
    rate = page.evaluate(RATE)
    page.mouse.up()
    goals.at_least(f"a chart of {BARS:,} bars dragged", rate, FRAMES, "frames/s")
    page.context.close()


def decision(like: dict[str, Any], seq: int) -> dict[str, Any]:
    at = (datetime(2014, 5, 1, tzinfo=UTC) + timedelta(minutes=15 * seq)).isoformat().replace("+00:00", "Z")
    made = like["decision"] | {"id": f"d-{seq:024x}", "bar_close": at, "decided_at": at}
    return like | {"seq": seq, "id": made["id"], "at": at, "decision": made}


def scrolled(browser: Browser, desk: DeskProcess, goals: Goals) -> None:
    """10,000 decisions from the newest to the oldest by the wheel."""
    (like,) = desk.get("/api/decisions", limit=1).json()["items"]

    def page_of(route: Route) -> None:
        cursor = route.request.url.partition("cursor=")[2].partition("&")[0]
        newest = int(cursor) if cursor else DECISIONS
        oldest = max(0, newest - 500)
        items = [decision(like, seq) for seq in range(newest, oldest, -1)]
        route.fulfill(json={"items": items, "next_cursor": str(oldest) if oldest else None})

    page = opened(browser, desk.url)
    page.route("**/api/decisions?*", page_of)
    page.goto("/decisions")
    page.locator("main [role=row]").nth(5).wait_for()
    table = page.locator("main [role=row]").nth(5)
    table.hover()
    full = f"[...document.querySelectorAll('main *')].some((e) => e.scrollHeight > {DECISIONS * 25})"
    while not page.evaluate(full):
        page.mouse.wheel(0, 20_000)
        page.wait_for_timeout(30)
    page.mouse.wheel(0, -DECISIONS * 40)
    page.wait_for_timeout(300)
    page.evaluate(COUNT_FRAMES)
    for _ in range(240):
        page.mouse.wheel(0, DECISIONS * 29 / 240)
        page.wait_for_timeout(8)
    rate = page.evaluate(RATE)
    drawn = page.locator("main [role=row]").count()
    goals.at_least(f"{DECISIONS:,} decisions scrolled ({drawn} rows drawn)", rate, FRAMES, "frames/s")
    page.context.close()


def heap(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"])


def tab(browser: Browser, url: str, goals: Goals) -> None:
    """Eight hours by the page's own clock, its polls answered by the desk."""
    page = opened(browser, url)
    page.clock.install()
    page.goto("/")
    page.get_by_role("status").filter(has_text="Live").wait_for()
    session = page.context.new_cdp_session(page)
    for _ in range(30):
        page.clock.run_for(STEP * 1000)
    before = heap(session)
    for _ in range(8 * 3600 // STEP):
        page.clock.run_for(STEP * 1000)
    goals.at_most("growth of a tab in eight hours", heap(session) - before, GROWTH, "MB", 1e-6)
    page.context.close()


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    goals = Goals()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(ROOT / "config", home / "config")
        env = dict(os.environ) | {"MT5UI_HOME": folder, "MT5UI_SERVER_CLOCK": open_clock()}
        desk = start_desk(home, unused_port(), env)
        try:
            desk.wait_for_line(READY, 300)
            desk.wait_until(lambda: desk.get("/api/decisions", limit=1).json()["items"], 300, "a decision")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--no-proxy-server"]
                )
                print(
                    f"{platform.platform()}, {os.cpu_count()} processors, load {psutil.getloadavg()[0]:.1f}, "
                    f"Chromium {browser.version}, drawn by the processor"
                )
                first_page(browser, desk.url, goals)
                event(browser, desk, goals)
                chart(browser, desk.url, goals)
                scrolled(browser, desk, goals)
                tab(browser, desk.url, goals)
                browser.close()
        finally:
            desk.destroy()
    print(f"{goals.missed} goals missed")
    return min(goals.missed, 1)


if __name__ == "__main__":
    sys.exit(main())
