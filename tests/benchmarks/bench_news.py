"""What collecting and reading news costs; exit code 1 if a goal is missed.

The feeds are served on loopback by another process and fetched by the desk's own client, read, cleaned,
tagged by the shipped table and ten symbols, told apart and kept in files that are synced. Counted is
the processor's time of the collecting process, of each of several fresh desks, and the median is judged.
"""

import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backend.adapters.feeds import FeedparserReader  # noqa: E402
from backend.adapters.fetch import HttpFetcher  # noqa: E402
from backend.core.clock import FixedClock, iso  # noqa: E402
from backend.news.listing import Wanted  # noqa: E402
from backend.news.reader import NewsReader  # noqa: E402
from backend.news.service import NewsService  # noqa: E402
from backend.storage.files import FileStorage  # noqa: E402
from tests.fakes.fetcher import Reply, Site  # noqa: E402
from tests.fakes.http_server import serving  # noqa: E402

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
ROUNDS = 3
ARCHIVED_DAYS, A_DAY = 365, 100
TEXT = "The ECB kept its deposit rate; the Fed is expected to follow. Gold and oil rose, the yen fell. "
SYMBOLS = {
    **{
        pair: (pair[:3], pair[3:])
        for pair in ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "AUDUSD", "USDCHF", "USDCAD", "NZDUSD")
    },
    "US30": ("USD",),
    "NAS100": ("USD",),
}


def document(feed: int, items: int, size: int, *, broken: bool = False) -> bytes:
    """A feed; a broken one has an ampersand that no XML reader forgives."""
    text = (TEXT * (size // len(TEXT) + 1))[:size]
    html = f"&lt;p&gt;{text}&lt;/p&gt;&lt;a href=&quot;x&quot;&gt;more&lt;/a&gt;"
    inner = "".join(
        f"<item><title>Notice {number} of bank {feed} on {'S&P' if broken else 'rates'}</title>"
        f"<guid>{feed}-{number}</guid><link>https://example.com/{feed}/{number}</link>"
        f"<pubDate>Mon, 05 Jan 2026 09:00:00 GMT</pubDate><description>{html}</description></item>"
        for number in range(items)
    )
    return f'<rss version="2.0"><channel><title>t</title>{inner}</channel></rss>'.encode()


CASES: dict[str, tuple[Callable[[], Sequence[bytes]], float | None]] = {
    "20 feeds of 200 items": (lambda: [document(n, 200, 400) for n in range(20)], 3.0),
    "one feed of 5 MB": (lambda: [document(0, 5_000, 700)], 3.0),
    "the same, not well-formed": (lambda: [document(0, 5_000, 700, broken=True)], 3.0),
    "a dump of 20,000 items": (lambda: [document(0, 20_000, 60)], None),
}


def serve(pipe: Connection, bodies: Sequence[bytes]) -> None:
    """The other process: serves until it is told to end."""
    with serving(Site()) as site:
        pipe.send([site.put(f"/{n}", Reply(body=body)) for n, body in enumerate(bodies)])
        pipe.recv()


def collect(urls: Sequence[str], feeds: int) -> tuple[float, float, float]:
    """Seconds of work of a fresh desk, of its second look, and the time that the first one took."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "config").mkdir()
        rows = [{"name": url, "url": url} for url in urls]
        (home / "config" / "rss_feeds.json").write_text(json.dumps(rows), encoding="utf-8")
        (home / "config" / "news_tags.json").write_bytes((ROOT / "config" / "news_tags.json").read_bytes())
        clock = FixedClock(NOW)
        fetcher = HttpFetcher(clock, allow_private=True)
        service = NewsService(
            home / "config", FileStorage(home / "data"), fetcher, FeedparserReader(), clock, lambda: SYMBOLS
        )
        looks = []
        for _ in range(2):
            begun = time.process_time(), time.perf_counter()
            if service.collect()["ok"] != feeds:
                raise SystemExit("not every feed was read")
            looks.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))
        return looks[0][0], looks[1][0], looks[0][1]


def list_archive() -> None:
    """What pages of a year's archive cost; told, and held to no goal."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        storage = FileStorage(home / "data", fsync=False)
        row = {"feed": "Bank", "category": "central_bank", "summary": TEXT * 4, "link": "https://example.com/1",
               "guid": "g", "date_is_estimated": False, "date_note": "", "currencies": ["EUR", "USD"],
               "symbols": [*SYMBOLS]}  # fmt: skip
        for days in range(ARCHIVED_DAYS):
            day = NOW - timedelta(days=days)
            storage.append_jsonl(
                f"news/news_{day:%Y%m%d}.jsonl",
                [
                    row | {"id": f"{days:08x}{n:08x}", "title": f"Notice {n} of day {days}",
                           "published": iso(day), "fetched_at": iso(day)}
                    for n in range(A_DAY)
                ],
            )  # fmt: skip
        reader = NewsReader(home / "config", storage, FixedClock(NOW))
        asked = {
            "the newest 100": Wanted(),
            "a word of half a year ago": Wanted(text="day 180"),
            "a word that is nowhere": Wanted(text="nowhere"),
        }
        for what, wanted in asked.items():
            begun = time.process_time()
            reader.page(wanted, limit=100)
            spent = time.process_time() - begun
            print(f"{what} among {ARCHIVED_DAYS * A_DAY:,} articles: {spent:.3f} s of work")


def main() -> int:
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    missed = []
    context = multiprocessing.get_context("spawn")
    for what, (made, goal) in CASES.items():
        bodies = made()
        ours, theirs = context.Pipe()
        server = context.Process(target=serve, args=(theirs, bodies), daemon=True)
        server.start()
        urls = ours.recv()
        measured = [collect(urls, len(bodies)) for _ in range(ROUNDS)]
        ours.send("end")
        server.join(10)
        work, again, passed = (statistics.median(values) for values in zip(*measured, strict=True))
        met = goal is None or work <= goal
        if not met:
            missed.append(what)
        aim = "" if goal is None else f", at most {goal:g} s: {'met' if met else 'NOT MET'}"
        most = max(one[0] for one in measured)
        print(
            f"{what} ({sum(map(len, bodies)) / 1e6:.1f} MB): {work:.2f} s of work (most {most:.2f}), "
            f"{passed:.2f} s passed, {again:.2f} s at the second look{aim}"
        )
    list_archive()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
