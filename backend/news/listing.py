"""What is known of the news: articles of any time, the newest first, and how each feed does."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.core.clock import iso, parse_iso
from backend.core.errors import Invalid
from backend.news.config import Feed
from backend.news.model import Article

_TURN = "~"  # between the two parts of a cursor


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which articles are asked for; what is None or empty counts for nothing.

    Attributes:
        currency: One that the article concerns.
        symbol: Likewise.
        feed: Name of the feed it was first seen in.
        category: Of that feed.
        text: Words that all stand in title or summary, in any writing, parts of words too.
        begin: Published then or later, aware UTC.
        end: Published then or earlier, aware UTC.
    """

    currency: str | None = None
    symbol: str | None = None
    feed: str | None = None
    category: str | None = None
    text: str = ""
    begin: datetime | None = None
    end: datetime | None = None

    def takes(self, article: Article) -> bool:
        """Whether an article is one of them."""
        return (
            (self.currency is None or self.currency in article.currencies)
            and (self.symbol is None or self.symbol in article.symbols)
            and (self.feed is None or self.feed == article.feed)
            and (self.category is None or self.category == article.category)
            and (self.begin is None or article.published >= self.begin)
            and (self.end is None or article.published <= self.end)
            and (not self.text or self._says(article))
        )

    def _says(self, article: Article) -> bool:
        said = f"{article.title}\n{article.summary}".casefold()
        return all(word in said for word in self.text.casefold().split())


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedState:
    """How a feed does. Times are wall time, UTC; None where there is none.

    Attributes:
        name: As configured.
        category: Likewise.
        currencies: Likewise.
        enabled: Whether it is asked at all.
        status: ``off``, ``never`` (not asked yet), ``ok``, ``failed`` or ``waiting`` (as its server asked).
        answered_at: When it last answered, also with "not modified".
        age_seconds: Seconds since then.
        newest_at: The latest good date of its articles when it was last read.
        failures: How many times it failed since then.
        failed_at: When it last failed, however long ago.
        reason: Why it failed then.
        waiting_until: Not asked before.
    """

    name: str
    category: str
    currencies: tuple[str, ...]
    enabled: bool
    status: str
    answered_at: datetime | None
    age_seconds: float | None
    newest_at: datetime | None
    failures: int
    failed_at: datetime | None
    reason: str | None
    waiting_until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewsPage:
    """Articles and what is known of the feeds.

    Attributes:
        articles: Newest first; None where no news was ever collected.
        next_cursor: For the articles after these; None at the end.
        reason: Why there are none.
        fetched_at: When a feed last answered.
        checked_at: When the feeds were last asked, also in vain.
        age_seconds: Seconds since `fetched_at`.
        stale: The last look failed as a whole, or is long ago.
        error: Why it failed.
        feeds: Each configured feed; None where the list cannot be used.
        problems: What is wrong with the list and the files.
    """

    articles: tuple[Article, ...] | None
    next_cursor: str | None = None
    reason: str | None = None
    fetched_at: datetime | None = None
    checked_at: datetime | None = None
    age_seconds: float | None = None
    stale: bool = False
    error: str | None = None
    feeds: tuple[FeedState, ...] | None = None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Newest:
    """Gathers the newest articles that are wanted, after a cursor.

    Args:
        wanted: Which ones.
        cursor: Where the page before ended.
        limit: How many.
    """

    wanted: Wanted
    cursor: str | None
    limit: int
    _found: list[Article] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _after: tuple[datetime, str] | None = None

    def __post_init__(self) -> None:
        self._after = None if self.cursor is None else _place(self.cursor)

    def add(self, articles: Iterable[Article]) -> None:
        """Look at articles, in any order; one more than the limit is kept, to know whether there is more."""
        for article in articles:
            before = self._after is None or _order(article) < self._after
            if before and article.id not in self._seen and self.wanted.takes(article):
                self._seen.add(article.id)
                self._found.append(article)
        self._found.sort(key=_order, reverse=True)
        del self._found[self.limit + 1 :]

    def needs(self, ends: datetime) -> bool:
        """Whether articles that were all published before a time can still be on the page."""
        if self.wanted.begin is not None and ends <= self.wanted.begin:
            return False
        return len(self._found) <= self.limit or self._found[-1].published < ends

    def page(self) -> tuple[tuple[Article, ...], str | None]:
        """The articles, and the next page's cursor."""
        shown = tuple(self._found[: self.limit])
        more = len(self._found) > self.limit
        return shown, f"{iso(shown[-1].published)}{_TURN}{shown[-1].id}" if more else None


def day_ends(file: str) -> datetime:
    """The end of an archive's day: no article in it, or in an older one, was published then or later."""
    try:
        day = datetime.strptime(file[-len("YYYYmmdd.jsonl") :][:8], "%Y%m%d").replace(tzinfo=UTC)
        return day + timedelta(days=1)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)  # the name tells no day: it may hold anything


def feed_states(
    feeds: Sequence[Feed], states: Mapping[str, Mapping[str, Any]], now: datetime
) -> Iterator[FeedState]:
    """How each feed does, by what is remembered of its address."""
    for feed in feeds:
        state = states.get(feed.url, {})
        answered, failed, until = (
            moment(state.get(key)) for key in ("answered_at", "failed_at", "wait_until")
        )
        failures = state.get("failures")
        failures = failures if isinstance(failures, int) else 0
        until = until if until is not None and until > now else None
        error = state.get("error")
        yield FeedState(
            name=feed.name,
            category=feed.category,
            currencies=tuple(feed.currencies),
            enabled=feed.enabled,
            status=_status(feed, answered=answered, failures=failures, until=until),
            answered_at=answered,
            age_seconds=None if answered is None else round(max(0.0, (now - answered).total_seconds()), 1),
            newest_at=moment(state.get("newest_at")),
            failures=failures,
            failed_at=failed,
            reason=error if isinstance(error, str) else None,
            waiting_until=until,
        )


def _status(feed: Feed, *, answered: datetime | None, failures: int, until: datetime | None) -> str:
    if not feed.enabled:
        return "off"
    if until is not None:
        return "waiting"
    if failures:
        return "failed"
    return "never" if answered is None else "ok"


def moment(text: object) -> datetime | None:
    """A stored time, None for anything else."""
    try:
        return parse_iso(text) if isinstance(text, str) else None
    except Invalid:
        return None


def _order(article: Article) -> tuple[datetime, str]:
    return article.published, article.id


def _place(cursor: str) -> tuple[datetime, str]:
    at, turn, key = cursor.partition(_TURN)
    try:
        place = parse_iso(at), key
    except Invalid:
        turn = ""
    if not turn or not key:
        raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
    return place
