"""Pictures of every page, for the guide: ``python -m tests.console.screenshots http://127.0.0.1:8001``.

Takes each page of a running desk in dark, light and on a phone into docs/screenshots, in few colours so
that they stay small, and says what they weigh together. A desk that replays prices, as docs/console.md
says how to start one, has something to show on them.
"""

import base64
import shutil
import struct
import sys
import zlib
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect, sync_playwright

from tests.console.visits import VIEWS, addresses
from tests.fakes.desk import ROOT

FOLDER = ROOT / "docs/screenshots"
LIMIT = 4_000_000
COLOURS = 64
FEW_COLOURS = """async ([png, most]) => {
  const bytes = Uint8Array.from(atob(png), (one) => one.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const { width, height } = image;
  const drawn = new OffscreenCanvas(width, height).getContext("2d");
  drawn.drawImage(image, 0, 0);
  const pixels = new Uint32Array(drawn.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const one of pixels) counts.set(one, (counts.get(one) ?? 0) + 1);
  const kept = [...counts].sort((a, b) => b[1] - a[1]).slice(0, most).map(([colour]) => colour);
  const parts = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const palette = kept.map(parts);
  const far = ([r, g, b], colour) => (r - colour[0]) ** 2 + (g - colour[1]) ** 2 + (b - colour[2]) ** 2;
  const nearest = new Map();
  for (const colour of counts.keys()) {
    const own = parts(colour);
    let best = 0;
    for (let at = 1; at < palette.length; at++) if (far(palette[at], own) < far(palette[best], own)) best = at;
    nearest.set(colour, best);
  }
  let text = "";
  for (const one of pixels) text += String.fromCharCode(nearest.get(one));
  return [width, height, palette.flat(), btoa(text)];
}"""
SETTLED = 1500
"""Milliseconds that a chart is given to be drawn in."""


def taken(page: Page, path: str, to: Path) -> None:
    page.goto(path)
    expect(page.locator("main")).not_to_be_empty()
    expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0, timeout=20_000)
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=to, animations="disabled")


def smaller(page: Page, path: Path) -> None:
    """Write a picture again with its commonest colours alone; the browser itself reads the pixels."""
    width, height, palette, text = page.evaluate(
        FEW_COLOURS, [base64.b64encode(path.read_bytes()).decode(), COLOURS]
    )
    pixels = base64.b64decode(text)
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, width * height, width))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(palette)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, content in parts:
            file.write(struct.pack(">I", len(content)) + kind + content)
            file.write(struct.pack(">I", zlib.crc32(kind + content)))


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
        page = browser.new_page()
        for picture in sorted(FOLDER.glob("*.png")):
            smaller(page, picture)
        browser.close()
    weight = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{len(pages)} pages, {len(VIEWS[:3])} views, {weight / 1e6:.1f} MB of {LIMIT / 1e6:.0f} MB")
    return 0 if weight <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/")))
