"""Pictures of every page, for the guide: ``python -m tests.console.screenshots http://127.0.0.1:8001``.

Takes each page of a running desk in dark, light and on a phone into docs/screenshots, in few colours so
that they stay small, and says what they weigh together. A desk that replays prices, as docs/console.md
says how to start one, has something to show on them.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect, sync_playwright

from tests.console.visits import VIEWS, addresses
from tests.fakes.desk import ROOT

FOLDER = ROOT / "docs/screenshots"
LIMIT = 4_000_000
SETTLED = 1500
"""Milliseconds that a chart is given to be drawn in."""


def taken(page: Page, path: str, to: Path) -> None:
    page.goto(path)
    expect(page.locator("main")).not_to_be_empty()
    expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0, timeout=20_000)
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=to, animations="disabled")


def smaller(folder: Path) -> None:
    """Few colours, where pngquant is installed."""
    pngquant = shutil.which("pngquant")
    if pngquant:
        files = [str(path) for path in sorted(folder.glob("*.png"))]
        subprocess.run([pngquant, "--force", "--ext", ".png", "--skip-if-larger", "64", *files], check=False)


def main(url: str) -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    pages = addresses(lambda path: httpx.get(url + path, timeout=30))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--no-proxy-server"]
        )
        for view in VIEWS[:3]:
            with view.context(browser, url) as context:
                page = context.new_page()
                for name, path in pages.items():
                    taken(page, path, FOLDER / f"{name}-{view.name}.png")
        browser.close()
    smaller(FOLDER)
    weight = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{len(pages)} pages, {len(VIEWS[:3])} views, {weight / 1e6:.1f} MB of {LIMIT / 1e6:.0f} MB")
    return 0 if weight <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/")))
