"""A real desk and a real browser on its console, in which nothing may go wrong unseen."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, expect, sync_playwright

from tests.acceptance.clones import ROOT
from tests.acceptance.desk_process import READY, DeskProcess, start_desk
from tests.acceptance.hands import unused_port
from tests.acceptance.outside import outside_world
from tests.fakes.market_hours import open_clock


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; its absence fails where CI is set.

    Of one module, since the driver keeps an event loop running in this thread: another test that begins
    one of its own would be refused.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "no Chromium: on Debian `apt-get install chromium`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=20_000)  # the first work of a desk beside two other tests takes its time
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--no-proxy-server"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    """One desk for the tests of a module, as a user starts it."""
    home = tmp_path_factory.mktemp("console") / "home"
    shutil.copytree(ROOT / "config", home / "config")
    env = dict(os.environ) | {
        "MT5UI_HOME": str(home),
        "MT5UI_ALLOW_PRIVATE_ADDRESSES": "true",
        "MT5UI_SERVER_CLOCK": open_clock(),
    }
    with outside_world(home):
        desk = start_desk(home, unused_port(), env)
        try:
            desk.wait_for_line(READY, 90)
            yield desk
        finally:
            desk.destroy()


class Wrongs(list[str]):
    """What went wrong on a page; a test takes out what it brought about itself."""

    def expected(self, *parts: str) -> None:
        """Forget what holds one of these words."""
        self[:] = [wrong for wrong in self if not any(part in wrong for part in parts)]


@pytest.fixture
def wrongs() -> Wrongs:
    """Errors of the page's console and scripts, reports of its policy, requests to elsewhere."""
    return Wrongs()


@pytest.fixture
def page(browser: Browser, desk: DeskProcess, wrongs: Wrongs, tmp_path: Path) -> Iterator[Page]:
    """A page that fails its test on any error, and on any request that does not go to the desk."""
    context = browser.new_context(base_url=desk.url, viewport={"width": 1440, "height": 900})

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            wrongs.append(f"console: {message.text} {message.location.get('url', '')}")

    def failed(error: Error) -> None:
        wrongs.append(f"script: {error}")

    def asked(request: Request) -> None:
        target = urlsplit(request.url)
        if target.scheme not in {"data", "blob"} and f"{target.scheme}://{target.netloc}" != desk.url:
            wrongs.append(f"elsewhere: {request.url}")

    page = context.new_page()
    page.on("console", said)
    page.on("pageerror", failed)
    page.on("request", asked)
    yield page
    page.screenshot(path=tmp_path / "last.png")
    context.close()
    assert not wrongs
