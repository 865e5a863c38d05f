"""The world outside the desk, served on loopback: a calendar and a feed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.fakes.fetcher import Reply, Site
from tests.fakes.http_server import serving

FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Bank</title>
<item><title>Rates unchanged</title><link>http://bank.test/1</link><guid>1</guid>
<pubDate>{date}</pubDate><description>The committee kept the rate.</description></item>
</channel></rss>"""


@contextmanager
def outside_world(home: Path) -> Iterator[Site]:
    """Serve them and point the desk's configuration there; needs MT5UI_ALLOW_PRIVATE_ADDRESSES."""
    soon = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    event = {
        "title": "CPI m/m",
        "country": "USD",
        "date": soon.isoformat(),
        "impact": "High",
        "forecast": "0.3%",
        "previous": "0.2%",
    }
    feed = FEED.format(date=datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"))
    with serving() as site:
        site.put("/calendar.json", Reply(body=json.dumps([event]).encode(), content_type="application/json"))
        site.put("/feed.xml", Reply(body=feed.encode(), content_type="application/rss+xml"))
        config = home / "config"
        calendar = json.loads((config / "api_integrations.json").read_text(encoding="utf-8"))
        calendar["economic_calendar"]["forexfactory"] |= {"base_url": site.url("/calendar"), "marks": "none"}
        (config / "api_integrations.json").write_text(json.dumps(calendar), encoding="utf-8")
        feeds = {"feeds": [{"name": "Bank", "url": site.url("/feed.xml"), "currencies": ["USD"]}]}
        (config / "rss_feeds.json").write_text(json.dumps(feeds), encoding="utf-8")
        yield site
