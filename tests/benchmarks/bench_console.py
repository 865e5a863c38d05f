"""How fast is the console? ``python -m tests.benchmarks.bench_console``.

Starts a desk of its own with the built page, opens it in the system's Chromium without a screen and
measures what a person would feel: the dashboard's first paint and when it can be used, the script of the
first page as it crosses the wire, how long a record of the desk takes to the screen, how smoothly
100,000 bars are panned and the 10,000 decisions of the desk's files are scrolled, and what a tab that is open
for eight hours grows. Every frame is drawn by the processor. Exit code 1 where a goal is missed.
"""

import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from backend.core.clock import SystemClock
from backend.core.timeframes import Timeframe
from backend.journal.journal import Journal
from backend.simulator.market import SyntheticMarket
from backend.storage.files import FileStorage
from tests.acceptance.desk_process import READY, DeskProcess, start_desk
from tests.acceptance.hands import unused_port
from tests.benchmarks.bench_decisions import made, written
from tests.console.visits import addresses
from tests.fakes.desk import ROOT
from tests.fakes.market_hours import open_clock

FIRST_PAINT, INTERACTIVE, SCRIPT, EVENT = 1.0, 1.5, 350_000, 0.3
FRAMES, BARS, DECISIONS, ROWS = 50.0, 100_000, 10_000, 100
HOURS, TIMES, DECIDED, GROWTH = 8, 240, 400, 50e6
ROUNDS = 5
FASTER = """(times) => {
  window.asked_ = window.told_ = 0;
  const fetched = window.fetch, Source = window.EventSource, Then = Date;
  const { setTimeout: once, setInterval: always } = window;
  window.fetch = (...given) => { window.asked_ += 1; return fetched(...given); };
  window.EventSource = class extends Source { constructor(...given) { super(...given);
    for (const kind of ['job', 'journal']) this.addEventListener(kind, () => { window.told_ += 1; }); } };
  window.setTimeout = (work, after, ...rest) => once(work, (after ?? 0) / times, ...rest);
  window.setInterval = (work, after, ...rest) => always(work, (after ?? 0) / times, ...rest);
  const began = Then.now();
  const now = () => began + (Then.now() - began) * times;
  window.Date = class extends Then { constructor(...given) { super(...(given.length ? given : [now()])); }
    static now() { return now(); } };
}"""
"""Counts what a page asks and is told, and lets its clock and timers run so many times as fast."""
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
        until(page, "window.usable_ && performance.getEntriesByName('first-contentful-paint').length")
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


def frames(page: Page, move: Callable[[], None]) -> float:
    """Frames a second while something moves."""
    page.evaluate(
        "() => { window.drawn_ = []; const next = (at) => { window.drawn_.push(at); "
        "window.counting_ = requestAnimationFrame(next); }; window.counting_ = requestAnimationFrame(next); }"
    )
    move()
    count, took = page.evaluate(
        "() => { cancelAnimationFrame(window.counting_); "
        "return [window.drawn_.length - 1, window.drawn_.at(-1) - window.drawn_[0]]; }"
    )
    return float(count / took * 1000)


def panned(browser: Browser, desk: DeskProcess, goals: Goals) -> None:
    """Drag a chart of that many bars to and fro."""
    page = opened(browser, desk.url)
    answer = desk.get("/api/market/EURUSD/bars", timeframe="M15", count=300).json()
    first, now = answer["time"][0], answer["time"][0] + 150 * 86_400  # of which weekends are no bars
    made = SyntheticMarket(7).rates("EURUSD", Timeframe.M1, first, now, now * 1000)
    columns = {name: getattr(made, name)[:BARS].tolist() for name in ("time", "open", "high", "low", "close")}
    if len(columns["time"]) != BARS:
        raise AssertionError(f"{len(columns['time'])} bars were made")
    bars = answer | columns | {"server_time": columns["time"], "count": BARS, "next_cursor": None}
    page.route(re.compile(r"/api/market/EURUSD/bars\?"), lambda route: route.fulfill(json=bars))
    page.goto("/market/EURUSD?tf=M15")
    chart = page.get_by_role("img").filter(has=page.locator("canvas")).first
    chart.wait_for()
    page.wait_for_timeout(3000)  # the bars are read and drawn
    box = chart.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2

    def drag() -> None:
        for _ in range(4):
            page.mouse.move(box["x"] + 100, middle)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] - 200, middle, steps=60)
            page.mouse.up()

    before = chart.screenshot()
    rate = frames(page, drag)
    if chart.screenshot() == before:
        raise AssertionError("the chart did not move")
    goals.at_least("100,000 bars panned", rate, FRAMES, "frames/s")
    page.context.close()


def scrolled(browser: Browser, desk: DeskProcess, goals: Goals) -> None:
    """Turn the wheel from the newest decision to the oldest one, pages being read on the way."""
    page = opened(browser, desk.url)
    page.goto("/decisions")
    table = page.get_by_role("grid", name="Decisions")
    table.get_by_role("row").nth(20).wait_for()
    box = table.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.evaluate(
        """() => { const table = document.querySelector('[role=grid]');
          window.rows_ = 0;
          new MutationObserver(() => {
            window.rows_ = Math.max(window.rows_, table.querySelectorAll('.body [role=row]').length);
          }).observe(table, { subtree: true, childList: true }); }"""
    )
    ends = """() => { const table = document.querySelector('[role=grid]');
      return [Number(table.getAttribute('aria-rowcount')) - 1,
              table.scrollHeight - table.scrollTop - table.clientHeight]; }"""

    def wheel() -> None:
        deadline = time.monotonic() + 120
        while True:
            for _ in range(10):
                page.mouse.wheel(0, 400)
            rows, left = page.evaluate(ends)
            if rows >= DECISIONS and left < 1:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{rows} rows, {left} px from the end")

    rate = frames(page, wheel)
    last = table.get_by_role("row").last
    if last.get_attribute("aria-rowindex") != str(page.evaluate(ends)[0] + 1):
        raise AssertionError("the last row is not drawn")
    goals.at_least(f"{DECISIONS:,} decisions scrolled", rate, FRAMES, "frames/s")
    goals.at_most("rows drawn at once", page.evaluate("window.rows_"), ROWS, "rows")
    page.context.close()


def heap(page: Page) -> float:
    """Bytes that the page's script holds once what nobody holds is gone."""
    inside = page.context.new_cdp_session(page)
    inside.send("HeapProfiler.enable")
    for _ in range(3):  # what a finalizer lets go of goes with the next one
        inside.send("HeapProfiler.collectGarbage")
    inside.send("Performance.enable")
    told = inside.send("Performance.getMetrics")["metrics"]
    inside.detach()
    return float(next(one["value"] for one in told if one["name"] == "JSHeapUsedSize"))


def asked_a_second(browser: Browser, url: str) -> float:
    """Requests that the dashboard makes in a second while nothing happens."""
    page = opened(browser, url)
    page.add_init_script(f"({FASTER})(1)")
    page.goto("/")
    page.wait_for_timeout(5000)
    before = page.evaluate("window.asked_")
    page.wait_for_timeout(20_000)
    count = page.evaluate("window.asked_") - before
    page.context.close()
    return float(count) / 20


def kept_open(browser: Browser, desk: DeskProcess, goals: Goals) -> None:
    """A working day of one tab whose clock and timers run faster: the dashboard polls and hears of what the
    desk does, and every page is looked at once an hour.

    Where fewer requests fit into the time than eight hours bring, what it grew by them counts for as many.
    """
    wanted = asked_a_second(browser, desk.url) * HOURS * 3600
    page = opened(browser, desk.url)
    page.add_init_script(f"({FASTER})({TIMES})")
    page.goto("/")
    page.get_by_role("status").filter(has_text="Live").wait_for()
    paths = [*addresses(desk.get).values(), "/"]
    for _ in range(3):  # every page's code is read and compiled, every cache holds what it may
        looked_at(page, paths)
    before, asked, told = heap(page), page.evaluate("window.asked_"), page.evaluate("window.told_")
    busy(page, desk, HOURS * 3600 / TIMES)
    sat = heap(page)
    asked, told = page.evaluate("window.asked_") - asked, page.evaluate("window.told_") - told
    for _ in range(HOURS):
        looked_at(page, paths)
    walked = heap(page) - sat
    grown = max(0.0, sat - before) * max(1.0, wanted / asked) + max(0.0, walked)
    print(f"{'':<46} {before / 1e6:>9.1f} MB before")
    print(f"{'':<46} {(sat - before) / 1e6:>+9.1f} MB by {asked} of {wanted:.0f} requests and {told} events")
    print(f"{'':<46} {walked / 1e6:>+9.1f} MB by {HOURS} times {len(paths)} pages")
    if told < DECIDED:
        raise AssertionError(f"only {told} events were heard")
    goals.at_most(f"growth of an open tab in {HOURS} h", grown, GROWTH, "MB", 1e-6)
    page.context.close()


def busy(page: Page, desk: DeskProcess, seconds: float) -> None:
    """Much is decided, run and recorded, evenly over that time."""
    journal = Journal(FileStorage(desk.home / "data"), SystemClock())
    fresh = islice(made(DECISIONS + DECIDED), DECISIONS, None)
    began, acts = time.monotonic(), ("halt", "resume") * (DECIDED // 20)
    for number, act in enumerate(acts, 1):
        desk.post(f"/api/control/{act}", {"reason": "measured"}).raise_for_status()
        desk.post("/api/celery/tasks/data/collect-market-data").raise_for_status()
        journal.append_many(list(islice(fresh, DECIDED // len(acts))), actor="benchmark")
        page.wait_for_timeout(max(0, (began + seconds * number / len(acts) - time.monotonic()) * 1000))


def looked_at(page: Page, paths: Sequence[str]) -> None:
    """Each page in turn, until it shows what it has."""
    for path in paths:
        page.evaluate("(path) => history.pushState({}, '', path)", path)
        page.wait_for_timeout(200)
        until(
            page,
            "document.querySelector('main').textContent && "
            "!document.querySelector('main .mantine-Skeleton-root')",
        )


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    goals = Goals()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(ROOT / "config", home / "config")
        written(home / "data", DECISIONS)
        env = dict(os.environ) | {"MT5UI_HOME": folder, "MT5UI_SERVER_CLOCK": open_clock()}
        desk = start_desk(home, unused_port(), env)
        try:
            desk.wait_for_line(READY, 300)
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
                panned(browser, desk, goals)
                scrolled(browser, desk, goals)
                kept_open(browser, desk, goals)
                browser.close()
        finally:
            desk.destroy()
    print(f"{goals.missed} goals missed")
    return min(goals.missed, 1)


if __name__ == "__main__":
    sys.exit(main())
