"""A desk's news on folders of its own, and the feeds that a test writes for it."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backend.adapters.feeds import FeedparserReader
from backend.core.fetching import Fetcher
from backend.news.listing import NewsPage, Wanted
from backend.news.reader import NewsReader
from backend.news.service import NewsService
from backend.storage.files import FileStorage
from tests.fakes.fetcher import FakeFetcher, Site

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
CACHE = "cache/rss_news.json"


class Hands:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at

    def turn(self, **step: float) -> None:
        self.at += timedelta(**step)


def item(number: int, *, title: str = "", date: datetime | None = START, more: str = "") -> str:
    dated = f"<pubDate>{date:%a, %d %b %Y %H:%M:%S} GMT</pubDate>" if date else ""
    return (
        f"<item><title>{title or f'Notice number {number} of the bank'}</title>"
        f"<link>https://example.com/{number}</link><guid>g{number}</guid>{dated}"
        f"<description>Text {number}</description>{more}</item>"
    )


def rss(*items: str) -> bytes:
    return f'<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()


class Desk:
    """A news service on folders of its own."""

    def __init__(
        self,
        root: Path,
        site: Site,
        fetcher: Fetcher | None = None,
        symbols: Callable[[], Mapping[str, tuple[str, ...]]] = dict,
    ) -> None:
        self.config = root / "config"
        self.config.mkdir()
        self.site = site
        self.storage = FileStorage(root / "data", fsync=False)
        self.clock = Hands()
        self.service = NewsService(
            self.config,
            self.storage,
            fetcher or FakeFetcher(site),
            FeedparserReader(),
            self.clock,
            symbols,
        )
        self.tags({"currencies": {"USD": ["Fed"], "EUR": ["ECB"]}})

    def page(self, cursor: str | None = None, limit: int = 100, **wanted: Any) -> NewsPage:
        reader = NewsReader(self.config, self.storage, self.clock)
        return reader.page(Wanted(**wanted), cursor=cursor, limit=limit)

    def feeds(self, *feeds: Any) -> None:
        (self.config / "rss_feeds.json").write_text(json.dumps({"feeds": feeds}), encoding="utf-8")

    def tags(self, tags: Any) -> None:
        (self.config / "news_tags.json").write_text(json.dumps(tags), encoding="utf-8")

    def paths(self, *paths: str) -> None:
        self.feeds(*({"name": path, "url": self.site.url(path)} for path in paths))

    def cache(self) -> dict[str, Any]:
        document: dict[str, Any] = self.storage.read_json(CACHE)
        return document

    def titles(self) -> list[str]:
        return [article["title"] for article in self.cache()["articles"]]

    def archived(self) -> list[dict[str, Any]]:
        return [
            row for name in self.storage.names("news/news_*.jsonl") for row in self.storage.read_jsonl(name)
        ]
