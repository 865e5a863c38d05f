"""Reads the news that was collected; asks nobody."""

from collections.abc import Sequence
from pathlib import Path

from backend.core.clock import Clock, age_seconds
from backend.core.errors import Invalid
from backend.news.config import FEEDS_FILE, load_feeds
from backend.news.files import NewsFiles
from backend.news.listing import FeedState, Newest, NewsPage, Wanted, day_ends, feed_states, moment
from backend.storage.files import FileStorage

STALE_SECONDS = 3600.0
MOST_PROBLEMS = 50


class NewsReader:
    """The news of any time.

    Args:
        config_dir: The desk's folder with `rss_feeds.json`.
        storage: Rooted at the desk's data folder.
        clock: All times here are wall time.
    """

    def __init__(self, config_dir: Path, storage: FileStorage, clock: Clock) -> None:
        self._config_dir = config_dir
        self._files = NewsFiles(storage)
        self._clock = clock

    def page(self, wanted: Wanted, *, cursor: str | None = None, limit: int = 100) -> NewsPage:
        """Articles of any time, the newest first, and how each feed does.

        Raises:
            Invalid: ``bad_cursor``.
        """
        now = self._clock.wall()
        problems: list[str] = []
        feeds: tuple[FeedState, ...] | None = None
        states = self._files.states(problems)
        try:
            configured = load_feeds(self._config_dir / Path(FEEDS_FILE).name)
            feeds = tuple(feed_states(configured.feeds, states, now))
            problems += [str(problem) for problem in configured.problems]
        except Invalid as error:
            problems.append(error.message)
        document = self._files.document(problems)
        gathered = Newest(wanted, cursor, limit)
        archives = self._files.archives()
        if document is not None:
            gathered.add(self._files.articles(document, problems))
        for name in archives:
            if not gathered.needs(day_ends(name)):
                break
            gathered.add(self._files.archived(name, problems))
        articles, following = gathered.page()
        told = document or {}
        answers = [feed.answered_at for feed in feeds or () if feed.answered_at is not None]
        fetched = moment(told.get("fetched_at")) or max(answers, default=None)
        why = told.get("error")
        age = None if fetched is None else max(0.0, age_seconds(fetched, now))
        return NewsPage(
            articles=articles if document is not None or archives else None,
            next_cursor=following,
            reason=None if document is not None or archives else _why_none(feeds),
            fetched_at=fetched,
            checked_at=moment(told.get("checked_at")),
            age_seconds=None if age is None else round(age, 1),
            stale=bool(told.get("stale")) or (age is not None and age > STALE_SECONDS),
            error=why if isinstance(why, str) else None,
            feeds=feeds,
            problems=tuple(problems[:MOST_PROBLEMS]),
        )


def _why_none(feeds: Sequence[FeedState] | None) -> str:
    if feeds is not None and any(feed.failures for feed in feeds):
        return "no news has been collected yet: no feed has answered so far; feeds tells why"
    if feeds and not any(feed.enabled for feed in feeds):
        return f"no news has been collected yet: no feed is enabled in {FEEDS_FILE}"
    return "no news has been collected yet"
