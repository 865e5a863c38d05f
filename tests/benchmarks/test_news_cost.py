"""What collecting news costs in processor time, printed with the machine; no limit is asserted."""

import json
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.adapters.feeds import FeedparserReader
from backend.core.clock import FixedClock
from backend.news.service import NewsService
from backend.storage.files import FileStorage
from tests.fakes.fetcher import FakeFetcher, Reply, Site

NOW = FixedClock(datetime(2026, 1, 5, 12, tzinfo=UTC))


def document(feed: int, items: int, size: int) -> bytes:
    inner = "".join(
        f"<item><title>Notice {number} of bank {feed} on rates</title><guid>{feed}-{number}</guid>"
        f"<link>https://example.com/{feed}/{number}</link><pubDate>Mon, 05 Jan 2026 09:00:00 GMT</pubDate>"
        f"<description>&lt;p&gt;The ECB {'and the Fed ' * (size // 12)}&lt;/p&gt;</description></item>"
        for number in range(items)
    )
    return f'<rss version="2.0"><channel><title>t</title>{inner}</channel></rss>'.encode()


@pytest.mark.parametrize(
    ("feeds", "items", "size"),
    [(20, 200, 300), (1, 5_000, 850), (1, 20_000, 60)],
    ids=["20x200", "5MB", "dump"],
)
def test_cost_of_collecting(tmp_path: Path, feeds: int, items: int, size: int) -> None:
    site, config = Site(), tmp_path / "config"
    config.mkdir()
    bodies = [document(number, items, size) for number in range(feeds)]
    rows = [{"name": f"{n}", "url": site.put(f"/{n}", Reply(body=body))} for n, body in enumerate(bodies)]
    (config / "rss_feeds.json").write_text(json.dumps(rows), encoding="utf-8")
    shipped = Path(__file__).resolve().parents[2] / "config" / "news_tags.json"
    (config / "news_tags.json").write_bytes(shipped.read_bytes())
    service = NewsService(
        config, FileStorage(tmp_path / "data", fsync=False), FakeFetcher(site), FeedparserReader(), NOW
    )
    spent = []
    for _ in range(2):
        begun = time.process_time()
        told = service.collect()
        spent.append(time.process_time() - begun)
    assert told["ok"] == feeds
    megabytes = sum(map(len, bodies)) / 1e6
    print(
        f"\nnews {feeds} x {items} items, {megabytes:.1f} MB: {spent[0]:.2f} s of work at first, "
        f"{spent[1]:.2f} s again ({platform.machine()}, {platform.python_version()})"
    )
