"""Which items are one and the same article. Pure.

Asked in this order, over feeds and runs:

1. **guid** of the same feed, unless both title and link are others: then the feed uses it again.
2. **link**, normalised (scheme, case, port, fragment and tracking parameters do not count), unless guid
   and title are others and more than a day lies between: then the page is a fixed one with new content.
3. **title** (letters and digits only; of two words or fewer, together with the summary), if at most a day
   lies between, since central banks publish under the same titles year after year; where there is no link
   and no date to tell them apart, at any time.

Within one document, a guid or link that stands on items of different titles names none of them.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from backend.core.errors import Invalid
from backend.core.fetching import check_url

SAME_TITLE_SECONDS = 24 * 3600
MAX_NAMESAKES = 50  # of one title, the newest so many are compared
_SHORT_TITLE = 2
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|mc_[ce]id|cmpid|ref|ref_src|rss|source|xtor", re.IGNORECASE)
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What tells an article from others.

    Attributes:
        guid: Hash of feed and guid; None where the feed gives none or uses one for several.
        link: Hash of the normalised link; None likewise.
        title: Hash of the title.
        at: UTC epoch seconds of publication, or of the first fetch.
        is_estimated: `at` is not the feed's own date.
    """

    guid: str | None
    link: str | None
    title: str
    at: float
    is_estimated: bool


@dataclass(kw_only=True, slots=True)
class Known:
    """An article that the desk has seen.

    Attributes:
        id: The article's.
        feed: Name of the feed where it was last seen.
        identity: See `Identity`.
        seen_at: UTC epoch seconds of when a feed last held it.
    """

    id: str
    feed: str
    identity: Identity
    seen_at: float

    def as_row(self) -> list[Any]:
        """One flat row for the index on disk."""
        one = self.identity
        return [self.id, self.feed, one.guid, one.link, one.title, one.at, one.is_estimated, self.seen_at]

    @classmethod
    def from_row(cls, row: Any) -> "Known":
        """Read what `as_row` gave.

        Raises:
            Invalid: ``bad_news_index`` for anything else.
        """
        try:
            key, feed, guid, link, title, at, is_estimated, seen_at = row
            identity = Identity(
                guid=guid, link=link, title=title, at=float(at), is_estimated=bool(is_estimated)
            )
            return cls(id=key, feed=feed, identity=identity, seen_at=float(seen_at))
        except (TypeError, ValueError) as error:
            raise Invalid("bad_news_index", f"a row of the news index cannot be read: {row!r}") from error


class Index:
    """All articles that the desk has seen, found by guid, link or title."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self.known: dict[str, Known] = {}
        self._guids: dict[str, Known] = {}
        self._links: dict[str, Known] = {}
        self._titles: dict[str, list[Known]] = defaultdict(list)
        for one in known:
            self.add(one)

    def add(self, one: Known) -> None:
        """Remember an article; the newest of a guid or link is the one found."""
        self.known[one.id] = one
        if one.identity.guid is not None:
            self._guids[one.identity.guid] = one
        if one.identity.link is not None:
            self._links[one.identity.link] = one
        self._titles[one.identity.title].append(one)

    def find(self, item: Identity) -> Known | None:
        """The article that an item is, or None for a new one."""
        one = self._guids.get(item.guid) if item.guid is not None else None
        if one is not None and (one.identity.title == item.title or one.identity.link == item.link):
            return one
        one = self._links.get(item.link) if item.link is not None else None
        if one is not None and (
            one.identity.title == item.title
            or (item.guid is not None and one.identity.guid == item.guid)
            or _near(one.identity, item)
        ):
            return one
        for one in reversed(self._titles.get(item.title, [])[-MAX_NAMESAKES:]):
            unlinked = item.link is None or one.identity.link is None
            undated = item.is_estimated or one.identity.is_estimated
            if _near(one.identity, item) or (unlinked and undated):
                return one
        return None


def _near(one: Identity, other: Identity) -> bool:
    return abs(one.at - other.at) <= SAME_TITLE_SECONDS


def title_key(title: str, summary: str) -> str:
    """Hash of a title's letters and digits; of a very short one together with the summary's."""
    words = _WORDS.findall(title.casefold())
    if len(words) <= _SHORT_TITLE:
        words += _WORDS.findall(summary.casefold())
    return digest(*words)


def shared(values: Iterable[tuple[str | None, str]]) -> set[str]:
    """Of pairs of an identifier and a title key, the identifiers that stand on different titles."""
    titles: dict[str, set[str]] = defaultdict(set)
    for value, title in values:
        if value is not None:
            titles[value].add(title)
    return {value for value, found in titles.items() if len(found) > 1}


def usable_link(link: str | None, base: str) -> str | None:
    """The absolute http or https address of a link, or None: other kinds are not shown to anybody."""
    if not link:
        return None
    try:
        absolute = urljoin(base, link.strip().replace(" ", "%20"))
        check_url(absolute)
    except (Invalid, ValueError):
        return None  # a link that cannot be followed; the article stands without
    return absolute


def normal_link(link: str) -> str:
    """A link without what does not change where it leads."""
    parts = urlsplit(link)
    host = (parts.hostname or "").removeprefix("www.")
    port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
    query = sorted(
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKING.fullmatch(name)
    )
    return urlunsplit(("", host + port, parts.path.rstrip("/"), urlencode(query), ""))


def digest(*parts: str | None) -> str:
    """A short hash of texts, for keys and ids: 16 hex digits."""
    joined = "\x1f".join(part or "" for part in parts)
    return hashlib.blake2b(joined.encode("utf-8", "replace"), digest_size=8).hexdigest()


def article_id(identity: Identity, published: datetime) -> str:
    """An id that is the same whenever the same item is seen for the first time again."""
    day = "" if identity.is_estimated else published.isoformat()
    return digest(identity.guid, identity.link, identity.title, day)


def forget(known: Sequence[Known], *, horizon: dict[str, float], default: float, limit: int) -> list[Known]:
    """The articles still worth remembering.

    Args:
        known: All of them.
        horizon: Per feed, the epoch before which an article that it no longer holds may be forgotten.
        default: The same for feeds that are gone.
        limit: Remember at most so many, those seen last.
    """
    kept = [one for one in known if one.seen_at >= horizon.get(one.feed, default)]
    if len(kept) > limit:
        kept = sorted(kept, key=lambda one: one.seen_at)[-limit:]
    return kept
