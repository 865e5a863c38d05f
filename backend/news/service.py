"""Collects news from the configured feeds."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from backend.core.clock import Clock, iso, parse_iso
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.core.fetching import NO_VALIDATORS, Fetched, Fetcher, Validators
from backend.news.config import FEEDS_FILE, TAGS_FILE, Feed, Feeds, Tags, load_feeds, load_tags
from backend.news.files import CACHE_LIMIT, NewsFiles, newest
from backend.news.identity import Index, forget
from backend.news.model import Article
from backend.news.ports import FeedParser
from backend.news.reading import read_feed
from backend.news.tags import Tagger
from backend.storage.files import FileStorage

PARALLEL = 8
LOCK_TIMEOUT = 120.0
REMEMBERED = timedelta(days=30)
MAX_REMEMBERED = 50_000
LONGEST_WAIT = timedelta(hours=25)  # a longer wait on disk comes from a clock that was wrong
MAX_PROBLEMS = 50


@dataclass(kw_only=True, slots=True)
class _Outcome:
    """What became of one feed in one run."""

    feed: Feed
    status: str  # ok, not_modified, waiting or failed
    reason: str = ""
    items: int = 0
    new: tuple[Article, ...] = ()
    estimated: int = 0
    malformed: str = ""
    unread: int = 0
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        return self.status in {"ok", "not_modified"}

    def as_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.feed.name, "status": self.status}
        if self.reason:
            told["reason"] = self.reason
        if self.status == "ok":
            told |= {"items": self.items, "new": len(self.new), "estimated_dates": self.estimated}
        if self.malformed:
            told["malformed"] = self.malformed
        if self.unread:
            told["unread_items"] = self.unread
        return told


class NewsService:
    """The desk's news.

    Args:
        config_dir: The desk's folder with `rss_feeds.json` and `news_tags.json`, read at each collection.
        storage: Rooted at the desk's data folder.
        fetcher: Asks the feeds; used from several threads.
        parser: Reads their documents.
        clock: All times here are wall time.
        symbol_currencies: The currencies of each symbol that the desk trades, as far as they are known.
    """

    def __init__(
        self,
        config_dir: Path,
        storage: FileStorage,
        fetcher: Fetcher,
        parser: FeedParser,
        clock: Clock,
        symbol_currencies: Callable[[], Mapping[str, Collection[str]]] = dict,
    ) -> None:
        self._config_dir = config_dir
        self._files = NewsFiles(storage)
        self._fetcher = fetcher
        self._parser = parser
        self._clock = clock
        self._symbol_currencies = symbol_currencies

    def collect(self) -> dict[str, Any]:
        """Fetch every enabled feed once and keep what is new.

        Returns:
            Per feed its status (``ok``, ``not_modified``, ``waiting`` where the server asked for it,
            ``failed`` with the reason), counts, and problems of the configuration.

        Raises:
            Unavailable: ``all_feeds_failed``, with the reason of each. What was held stays, with its age.
            Invalid: The feed list as a whole cannot be used.
        """
        feeds = load_feeds(self._config_dir / Path(FEEDS_FILE).name)
        tags = load_tags(self._config_dir / Path(TAGS_FILE).name)
        if not feeds.enabled and feeds.problems:
            raise Invalid(
                "no_usable_feed",
                f"no feed can be used: {feeds.problems[0]}",
                problems=[problem.as_dict() for problem in feeds.problems],
            )
        with self._files.lock(LOCK_TIMEOUT):
            return self._collect(feeds, tags)

    def _collect(self, feeds: Feeds, tags: Tags) -> dict[str, Any]:
        now = self._clock.wall()
        problems = [str(problem) for problem in (*feeds.problems, *tags.problems)]
        document = self._files.document(problems)
        held = self._files.articles(document, problems)
        states = self._files.states(problems)
        index = self._files.index(problems)
        tagger = Tagger(tags.currencies, tags.symbols, self._of_symbols(problems))
        outcomes = [
            self._outcome(feed, got, index, tagger, states.get(feed.url, {}), now)
            for feed, got in self._fetched(
                feeds.enabled, states if held else _without_validators(states), now
            )
        ]
        outcomes.sort(key=lambda outcome: outcome.feed.name)
        states = {
            **{url: state for url, state in states.items() if url in {feed.url for feed in feeds.feeds}},
            **{outcome.feed.url: outcome.state for outcome in outcomes},
        }
        told = [outcome.as_dict() for outcome in outcomes]
        if outcomes and not any(outcome.answered for outcome in outcomes):
            reasons = f"{outcomes[0].feed.name}: {outcomes[0].reason}"
            if len(outcomes) > 1:
                reasons += f"; and {len(outcomes) - 1} more, each with its reason under feeds"
            self._files.save_states(states)
            if document is not None:
                self._files.save_document(
                    {**document, "checked_at": iso(now), "stale": True, "error": reasons, "feeds": told}
                )
            raise Unavailable(
                "all_feeds_failed", f"no feed answered ({len(outcomes)} tried): {reasons}", feeds=told
            )
        new = [article for outcome in outcomes for article in outcome.new]
        archived = self._files.archive(new, now, problems)
        articles = newest([*held, *new], CACHE_LIMIT)
        if outcomes or document is not None:  # else nothing is known, which no empty list must hide
            self._files.save_document(
                {
                    "fetched_at": iso(now) if outcomes else (document or {}).get("fetched_at"),
                    "checked_at": iso(now),
                    "stale": False,
                    "error": None,
                    "feeds": told,
                    "problems": problems[:MAX_PROBLEMS],
                    "articles": [article.as_dict() for article in articles],
                }
            )
        self._files.save_index(_remembered(index, feeds, states, now))
        self._files.save_states(states)
        return {
            "status": "collected" if outcomes else "no_feed_enabled",
            "feeds": told,
            "ok": sum(outcome.status == "ok" for outcome in outcomes),
            "not_modified": sum(outcome.status == "not_modified" for outcome in outcomes),
            "failed": sum(not outcome.answered for outcome in outcomes),
            "new": len(new),
            "archived": archived,
            "held": len(articles),
            "problems": problems[:MAX_PROBLEMS],
        }

    def _of_symbols(self, problems: list[str]) -> Mapping[str, Collection[str]]:
        try:
            return self._symbol_currencies()
        except DeskError as error:  # the symbol map cannot be used: articles then lack its symbols
            problems.append(error.message)
            return {}

    def _fetched(
        self, feeds: Sequence[Feed], states: Mapping[str, dict[str, Any]], now: datetime
    ) -> Iterator[tuple[Feed, Fetched | DeskError]]:
        """Each feed with its answer or its failure, in the order in which they come."""
        due: dict[str, Feed] = {}
        for feed in feeds:
            until = _waiting(states.get(feed.url, {}), now)
            if until is None:
                due[feed.name] = feed
            else:
                yield feed, Unavailable("feed_waiting", f"it asked to wait until {iso(until)}")
        if not due:
            return
        with ThreadPoolExecutor(min(PARALLEL, len(due)), thread_name_prefix="feed") as pool:
            running = {pool.submit(self._get(feed, states.get(feed.url, {}))): feed for feed in due.values()}
            for done in as_completed(running):
                feed = running.pop(done)  # with it goes the body, once it is read
                try:
                    yield feed, done.result()
                except DeskError as error:
                    yield feed, error

    def _get(self, feed: Feed, state: Mapping[str, Any]) -> Callable[[], Fetched]:
        def get() -> Fetched:
            return self._fetcher.get(
                feed.url,
                validators=Validators.from_dict(state.get("validators")),
                max_bytes=feed.max_bytes,
                timeout=feed.timeout,
            )

        return get

    def _outcome(
        self,
        feed: Feed,
        got: Fetched | DeskError,
        index: Index,
        tagger: Tagger,
        state: Mapping[str, Any],
        now: datetime,
    ) -> _Outcome:
        if isinstance(got, DeskError):
            return _failed(feed, got, state, now)
        good = {"validators": got.validators.as_dict(), "answered_at": iso(now), "failures": 0}
        if got.not_modified:
            return _Outcome(feed=feed, status="not_modified", state={**_kept(state), **good})
        try:
            parsed = self._parser.parse(got.body, got.content_type)
        except DeskError as error:
            return _failed(feed, error, state, now)
        read = read_feed(feed, got.url, parsed, index, tagger, now)
        newest_at = None if read.newest is None else iso(read.newest)
        return _Outcome(
            feed=feed,
            status="ok",
            items=read.items,
            new=read.new,
            estimated=read.estimated,
            malformed=parsed.malformed,
            unread=parsed.unread,
            state={**_kept(state), **good, "read_at": iso(now), "newest_at": newest_at},
        )


def _failed(feed: Feed, error: DeskError, state: Mapping[str, Any], now: datetime) -> _Outcome:
    before = state.get("failures")
    failures = before + 1 if isinstance(before, int) else 1
    memory = {**state, "failures": failures, "error": error.message, "failed_at": iso(now)}
    if error.code == "feed_waiting":
        return _Outcome(feed=feed, status="waiting", reason=error.message, state=dict(state))
    wait = error.details.get("retry_after")
    if isinstance(wait, int | float) and wait > 0:
        memory["wait_until"] = iso(now + min(timedelta(seconds=wait), LONGEST_WAIT))
    return _Outcome(feed=feed, status="failed", reason=error.message, state=memory)


def _kept(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key: state[key] for key in ("read_at", "newest_at", "error", "failed_at") if key in state}


def _without_validators(states: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For a desk that holds no article: "not modified" would leave it with none."""
    blank = NO_VALIDATORS.as_dict()
    return {url: {**state, "validators": blank} for url, state in states.items()}


def _waiting(state: Mapping[str, Any], now: datetime) -> datetime | None:
    try:
        until = parse_iso(state["wait_until"])
    except (KeyError, TypeError, Invalid):
        return None  # no wait on record
    return until if now < until <= now + LONGEST_WAIT else None


def _remembered(index: Index, feeds: Feeds, states: Mapping[str, dict[str, Any]], now: datetime) -> list[Any]:
    # A feed that answers "not modified" for months still holds its articles: its horizon stands still.
    horizon = {}
    for feed in feeds.feeds:
        try:
            read_at = parse_iso(states[feed.url]["read_at"])
        except (KeyError, TypeError, Invalid):
            read_at = now - REMEMBERED  # never read so far: nothing of it is forgotten early
        horizon[feed.name] = (read_at - REMEMBERED).timestamp()
    default = (now - REMEMBERED).timestamp()
    return forget(list(index.known.values()), horizon=horizon, default=default, limit=MAX_REMEMBERED)
