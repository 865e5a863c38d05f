"""A page of another origin, in a real browser, tries to approve an idea."""

import json
import logging
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.routes.guard import Guard
from tests.fakes.desk import SimulatedDesk
from tests.fakes.fetcher import Reply
from tests.fakes.http_app import served
from tests.fakes.http_server import serving
from tests.fakes.services import fake_desk
from tests.fakes.waiting import desk_with_ideas

pytestmark = [pytest.mark.acceptance, pytest.mark.full]

PAGE = """<!doctype html><title>trying</title><pre id=told>nothing yet</pre><iframe name=hidden></iframe>
<form id=form method=post target=hidden action="URL/api/trade-ideas/ID/approve"></form>
<script>
const url = "URL/api/trade-ideas/ID/approve";
const text = {"Content-Type": "text/plain"}, json = {"Content-Type": "application/json"};
const tries = {
  plain: () => fetch(url, {method: "POST"}),
  cookies: () => fetch(url, {method: "POST", credentials: "include", mode: "no-cors"}),
  text: () => fetch(url, {method: "POST", mode: "no-cors", body: "{}", headers: text}),
  json: () => fetch(url, {method: "POST", body: "{}", headers: json}),
  read: () => fetch("URL/api/trade-ideas"),
};
(async () => {
  const told = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try { told[name] = await (await attempt()).text(); } catch (error) { told[name] = error.name; }
  }
  told.beacon = navigator.sendBeacon(url);
  document.getElementById("form").submit();
  setTimeout(() => { document.getElementById("told").textContent = JSON.stringify(told); }, 1000);
})();
</script>"""


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "no Chromium: on Debian `apt-get install chromium`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def opened(chromium: str, url: str, profile: Path) -> str:
    """The page after its script had its time."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-proxy-server"]
    done = subprocess.run(
        [chromium, *flags, f"--user-data-dir={profile}", "--virtual-time-budget=10000", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout


def visited(chromium: str, folder: Path, name: str) -> tuple[SimulatedDesk, dict[str, Any], dict[str, Any]]:
    """A desk, the idea that waited there, and what the page could tell of its tries."""
    ideas = desk_with_ideas(folder / "ideas")
    (waiting,) = ideas.book.find(symbol="EURUSD")
    desk = fake_desk(folder / "desk", ideas=ideas.ideas, idea_desk=ideas.acts)
    with served(create_app(desk)) as url, serving() as site:
        page = PAGE.replace("URL", url).replace("ID", str(waiting["id"])).encode()
        site.put("/page.html", Reply(body=page, content_type="text/html"))
        dumped = opened(chromium, site.url("/page.html").replace("127.0.0.1", name), folder / "profile")
    told: dict[str, Any] = json.loads(dumped.partition('<pre id="told">')[2].partition("</pre>")[0])
    return ideas, waiting, told


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_approves_nothing_and_reads_nothing(
    chromium: str, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the same machine, at another port: the nearest that another origin can be."""
    with caplog.at_level(logging.INFO, logger="backend.routes.guard"):
        ideas, waiting, told = visited(chromium, tmp_path, name)
    assert told.pop("beacon") is True
    assert set(told.values()) == {"TypeError"}, told
    assert caplog.text.count("Pages of another site may not speak to this desk") >= len(told)
    assert ideas.book.get(str(waiting["id"])) == waiting
    assert ideas.sent == []


def test_the_same_page_would_approve_if_nobody_looked_where_it_comes_from(
    chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "_check", lambda *_: None)
    ideas, waiting, _ = visited(chromium, tmp_path, "127.0.0.1")
    assert ideas.sent == [waiting["id"]]
