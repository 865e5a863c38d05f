"""The news feeds of ``config/rss_feeds.json``: edited one by one, tried one at a time."""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from backend.control.edited import entries_file, entries_journal
from backend.control.kept import merged
from backend.control.looking import Tried, Watched, try_once
from backend.core.clock import Clock, iso
from backend.core.errors import Conflict, Invalid, NotFound, Unavailable
from backend.core.fetching import Fetcher
from backend.journal.journal import Journal
from backend.news.config import FEEDS_FILE, Feed, load_feeds
from backend.news.files import NewsFiles
from backend.news.listing import FeedState, feed_states
from backend.news.ports import FeedParser
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage

CODE: Final = "bad_feed"
MOST_FEEDS: Final = 200
_SECRET: Final = re.compile(r"key|token|secret|passw|auth|signature", re.IGNORECASE)


class FeedDesk:
    """Shows, changes and tries the feeds.

    Args:
        config_dir: The user's configuration.
        storage: Files below ``data/``.
        journal: Takes every change.
        clock: Tells wall time.
        fetcher: Asks the feeds.
        parser: Reads their documents.
        monotonic: Seconds that only go on.
    """

    def __init__(
        self,
        config_dir: Path,
        storage: FileStorage,
        journal: Journal,
        clock: Clock,
        fetcher: Fetcher,
        parser: FeedParser,
        monotonic: Callable[[], float],
    ) -> None:
        self._path = config_dir / Path(FEEDS_FILE).name
        self._file = entries_file(self._path, name=FEEDS_FILE, code=CODE, read=_by_name, write=_written)
        self._journal = entries_journal(self._file, storage, journal)
        self._news = NewsFiles(storage)
        self._clock = clock
        self._fetcher = fetcher
        self._parser = parser
        self._monotonic = monotonic

    def etag(self) -> str:
        """The tag of the file."""
        return self._file.etag()

    def listed(self) -> tuple[list[tuple[Feed, FeedState]], list[str]]:
        """The feeds that can be used, each with how it did last, and what is wrong with the file.

        Raises:
            Invalid: ``bad_config``: the file as a whole cannot be used.
        """
        problems: list[str] = []
        found = load_feeds(self._path)
        states = feed_states(found.feeds, self._news.states(problems), self._clock.wall())
        return [*zip(found.feeds, states, strict=True)], [*map(str, found.problems), *problems]

    def add(self, feed: Mapping[str, Any], *, actor: str, if_match: str = "*") -> None:
        """Add a feed at the end.

        Raises:
            Invalid: ``bad_feed``, with the key.
            Conflict: ``feed_exists``, ``too_many_feeds`` or ``settings_changed``.
        """
        name = _checked(feed).name

        def change(rows: Any) -> dict[str, Any]:
            rows = dict(rows or {})
            _refuse_taken(rows, name)
            if len(rows) >= MOST_FEEDS:
                raise Conflict("too_many_feeds", f"there are {len(rows)} feeds; {MOST_FEEDS} are the most")
            return {**rows, name: dict(feed)}

        self._journal.change(change, actor=actor, reason=f"feed {name} added", if_match=if_match)

    def edit(self, feed_id: str, patch: Mapping[str, Any], *, actor: str, if_match: str = "*") -> str:
        """Change keys of a feed; null takes one back to its default. Gives the feed's id after it.

        Raises:
            NotFound: ``unknown_feed``.
            Invalid: ``bad_feed``, with the key.
            Conflict: ``feed_exists`` for a name that another has, or ``settings_changed``.
        """
        name = self._name(feed_id)
        named = name

        def change(rows: Any) -> dict[str, Any]:
            nonlocal named
            if name not in (rows or {}):
                raise _unknown(feed_id)
            row = merged(rows[name], patch)
            named = _checked(row).name
            if named != name:
                _refuse_taken(rows, named)
            return {named if key == name else key: row if key == name else kept for key, kept in rows.items()}

        self._journal.change(change, actor=actor, reason=f"feed {name} changed", if_match=if_match)
        return id_of(named)

    def remove(self, feed_id: str, *, actor: str, if_match: str = "*") -> None:
        """Take a feed off the list; its articles stay. Raises as `edit`."""
        name = self._name(feed_id)
        self._journal.change(
            lambda rows: {key: row for key, row in rows.items() if key != name},
            actor=actor,
            reason=f"feed {name} removed",
            if_match=if_match,
        )

    def test(self, feed_id: str) -> Tried:
        """Fetch a feed once and read it; nothing is kept. `NotFound` as in `edit`."""
        name = self._name(feed_id)
        feed = _checked(self._file.value().root[name])
        problems: list[str] = []
        states = feed_states([feed], self._news.states(problems), self._clock.wall())
        waits = next(iter(states)).waiting_until
        watched = Watched(self._fetcher, self._monotonic)

        def look() -> str:
            if waits is not None:
                raise Unavailable("feed_waiting", f"nobody was asked: it asked to wait until {iso(waits)}")
            got = watched.get(feed.url, max_bytes=feed.max_bytes, timeout=feed.timeout)
            parsed = self._parser.parse(got.body, got.content_type)
            faulty = f", not well-formed: {parsed.malformed}" if parsed.malformed else ""
            dates = [item.date for item in parsed.items if item.date is not None]
            newest = f", the newest of {iso(max(dates))}" if dates else ", none with a date that can be read"
            return f"a feed of {len(parsed.items)} items{newest if parsed.items else ''}{faulty}"

        return try_once(look, monotonic=self._monotonic, watched=watched)

    def _name(self, feed_id: str) -> str:
        for name in self._file.value().root:
            if id_of(name) == feed_id:
                return name
        raise _unknown(feed_id)


def id_of(name: str) -> str:
    """The id of the feed of that name, fit for an address."""
    return sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]


def _unknown(feed_id: str) -> NotFound:
    return NotFound("unknown_feed", f"there is no feed {feed_id!r}; GET /api/feeds lists them", id=feed_id)


def _refuse_taken(rows: Mapping[str, Any], name: str) -> None:
    if name in rows:
        raise Conflict("feed_exists", f"there is a feed named {name!r} already", name=name)


def _checked(row: Mapping[str, Any]) -> Feed:
    try:
        feed = Feed.model_validate(dict(row))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise Invalid(CODE, f"{key}: {reason}; nothing was changed", key=key) from None
    if not feed.name.isprintable() or feed.name != feed.name.strip():
        raise Invalid(CODE, "name: it has line ends, control characters or outer blanks", key="name")
    for name, _ in parse_qsl(urlsplit(feed.url).query, keep_blank_values=True):
        if _SECRET.search(name):
            reason = f"url: {name!r} looks like a key, which has no place in a file that is not encrypted"
            raise Invalid(CODE, reason, key="url")
    return feed


def _by_name(data: bytes) -> dict[str, Any]:
    """The rows by their names; one that has none, or another's, by its place."""
    rows: dict[str, Any] = {}
    for number, row in enumerate(_rows(decode(data))):
        name = row.get("name") if isinstance(row, dict) else None
        rows[name if isinstance(name, str) and name not in rows else f"/feeds/{number}"] = row
    return rows


def _rows(document: Any) -> list[Any]:
    rows = document.get("feeds") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise ValueError('"feeds" must be a list of feeds')  # noqa: TRY004 - of what a file holds
    return rows


def _written(rows: Mapping[str, Any], present: bytes | None) -> bytes:
    document = {} if present is None else decode(present)
    feeds = [*rows.values()]
    return encode(
        {**document, "feeds": feeds} if isinstance(document, dict) else feeds, where=FEEDS_FILE, pretty=True
    )
