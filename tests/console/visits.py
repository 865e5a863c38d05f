"""Every page of the console, as its own table of pages has them, and the ways in which each is looked at."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext

from tests.fakes.desk import ROOT

PAGES = ROOT / "console/src/app/pages.ts"
Ask = Callable[..., httpx.Response]


@dataclass(frozen=True, kw_only=True)
class View:
    """A scheme of colours and a size of window."""

    scheme: str
    width: int
    height: int

    @property
    def name(self) -> str:
        return f"{self.scheme}-phone" if self.width < 500 else self.scheme

    def context(self, browser: Browser, url: str) -> BrowserContext:
        """A browser of its own that shows the desk so."""
        context = browser.new_context(
            base_url=url,
            viewport={"width": self.width, "height": self.height},
            has_touch=self.width < 500,
            reduced_motion="reduce",
        )
        context.add_init_script(f"localStorage.setItem('mantine-color-scheme-value', '{self.scheme}')")
        return context


VIEWS = tuple(
    View(scheme=scheme, width=width, height=height)
    for width, height in ((1440, 900), (390, 844))
    for scheme in ("dark", "light")
)


def _first(answer: httpx.Response, key: str = "items") -> str | None:
    rows: list[dict[str, Any]] = answer.json()[key]
    return str(rows[0]["id"]) if rows else None


def addresses(get: Ask) -> dict[str, str]:
    """A name and an address for each page; one thing's page is left out where the desk has no such thing."""
    things: dict[str, Callable[[], str | None]] = {
        "/ideas/$id": lambda: _first(get("/api/trade-ideas")),
        "/market/$symbol": lambda: "EURUSD",
        "/strategies/$id": lambda: _first(get("/api/strategies"), "strategies"),
        "/research/$id": lambda: _first(get("/api/backtests")),
        "/decisions/$id": lambda: _first(get("/api/decisions")),
        "/tasks/$id": lambda: _first(get("/api/tasks")),
        "/settings/$section": lambda: "risk",
    }
    found = {}
    for path in re.findall(r'\{ path: "([^"]+)"', PAGES.read_text(encoding="utf-8")):
        noun, *rest = str(path).strip("/").split("/")
        if "$" not in path:
            found["-".join([noun or "dashboard", *rest])] = path
        elif thing := things[path]():
            found[f"{noun}-one"] = f"/{noun}/{thing}"
    return found
