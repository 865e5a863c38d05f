"""News on disk: the newest as one JSON file, everything in a daily archive, and an index of what was seen.

All names are relative to the desk's data folder. The archive is written first and is the truth: cache and
index are rebuilt from it when they are lost, and an article that already stands in it is not added again.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from backend.core.clock import day
from backend.core.errors import DeskError, Invalid, NotFound
from backend.news.identity import Identity, Index, Known, digest, normal_link, title_key
from backend.news.model import Article
from backend.storage.files import FileStorage

CACHE = "cache/rss_news.json"
INDEX = "news/seen.json"
STATE = "news/feeds_state.json"
LOCK = "news/collect"
ARCHIVE_PATTERN = f"news/news_{'[0-9]' * 8}.jsonl"
CACHE_LIMIT = 500
RECHECKED_ARCHIVES = 2
REBUILT_ARCHIVES = 40
MOST_UNREAD = 5


class NewsFiles:
    """Reads and writes the files of the news.

    Args:
        storage: Rooted at the desk's data folder.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage

    def lock(self, timeout: float) -> AbstractContextManager[None]:
        """Only one collection at a time, over all processes."""
        return self._storage.lock(LOCK, timeout)

    def document(self, problems: list[str]) -> dict[str, Any] | None:
        """What `CACHE` holds, None where there is none; a corrupt one is set aside and said."""
        document = self._read(CACHE, problems)
        return document if isinstance(document, dict) else None

    def articles(self, document: dict[str, Any] | None, problems: list[str]) -> list[Article]:
        """The newest articles: from the document, or else from the archive."""
        if document is not None:
            try:
                return [Article.from_dict(row) for row in document["articles"]]
            except (Invalid, KeyError, TypeError) as error:
                problems.append(f"data/{CACHE}: {error}; it was read anew from the archive")
        return newest(self._archived(RECHECKED_ARCHIVES, problems))

    def index(self, problems: list[str]) -> Index:
        """What was seen before; rebuilt from the archive where the index is lost."""
        document = self._read(INDEX, problems)
        if document is not None:
            try:
                return Index(Known.from_row(row) for row in document["seen"])
            except (Invalid, KeyError, TypeError) as error:
                problems.append(f"data/{INDEX}: {error}; it was read anew from the archive")
        return Index(known_from(article) for article in self._archived(REBUILT_ARCHIVES, problems))

    def states(self, problems: list[str]) -> dict[str, dict[str, Any]]:
        """Memory per feed address: validators, waits, failures."""
        document = self._read(STATE, problems)
        if not isinstance(document, dict):
            return {}
        return {url: state for url, state in document.items() if isinstance(state, dict)}

    def archive(self, articles: Sequence[Article], now: datetime, problems: list[str]) -> int:
        """Append to the day's archive what the newest archives do not hold yet; returns how many.

        A run that was killed after this step finds its articles here again, and does not double them.
        """
        if not articles:
            return 0
        there = {article.id for article in self._archived(RECHECKED_ARCHIVES, problems)}
        rows = [article.as_dict() for article in articles if article.id not in there]
        return self._storage.append_jsonl(f"news/news_{day(now)}.jsonl", rows, sync=True)

    def save_document(self, document: dict[str, Any]) -> None:
        """Replace the cache atomically."""
        self._storage.write_json(CACHE, document)

    def save_index(self, known: Iterable[Known]) -> None:
        """Replace the index atomically."""
        self._storage.write_json(INDEX, {"seen": [one.as_row() for one in known]})

    def save_states(self, states: dict[str, dict[str, Any]]) -> None:
        """Replace the memory of the feeds atomically."""
        self._storage.write_json(STATE, states)

    def archives(self) -> list[str]:
        """Names of the daily archives, the newest first."""
        return self._storage.names(ARCHIVE_PATTERN)[::-1]

    def archived(self, name: str, problems: list[str]) -> list[Article]:
        """The articles first seen on an archive's day."""
        found: list[Article] = []
        unread: list[DeskError] = []
        try:
            for row in self._storage.read_jsonl(name, problems=unread):
                try:
                    found.append(Article.from_dict(row))
                except Invalid as error:
                    unread.append(error)
        except NotFound:
            return found  # removed by hand meanwhile
        problems += [error.message for error in unread[:MOST_UNREAD]]
        return found

    def _read(self, name: str, problems: list[str]) -> Any:
        try:
            return self._storage.read_json_or(name, None)
        except Invalid as error:  # set aside by the storage; the archive holds what is needed
            problems.append(error.message)
            return None

    def _archived(self, files: int, problems: list[str]) -> list[Article]:
        return [
            article for name in self.archives()[:files][::-1] for article in self.archived(name, problems)
        ]


def newest(articles: Iterable[Article], limit: int = CACHE_LIMIT) -> list[Article]:
    """The newest by publication, each id once, newest first."""
    unique = {article.id: article for article in articles}
    return sorted(unique.values(), key=lambda one: (one.published, one.id), reverse=True)[:limit]


def identity_of(article: Article) -> Identity:
    """What an archived article is found by."""
    return Identity(
        guid=digest(article.feed, article.guid) if article.guid else None,
        link=digest(normal_link(article.link)) if article.link else None,
        title=title_key(article.title, article.summary),
        at=article.published.timestamp(),
        is_estimated=article.date_is_estimated,
    )


def known_from(article: Article) -> Known:
    """An archived article as the index holds it."""
    return Known(
        id=article.id,
        feed=article.feed,
        identity=identity_of(article),
        seen_at=article.fetched_at.timestamp(),
    )
