"""From a feed's document to new articles. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from backend.news.config import Feed
from backend.news.dates import dated
from backend.news.identity import (
    Identity,
    Index,
    Known,
    article_id,
    digest,
    normal_link,
    shared,
    title_key,
    usable_link,
)
from backend.news.model import Article
from backend.news.ports import ParsedFeed, RawItem
from backend.news.tags import Tagger
from backend.news.text import SUMMARY_LENGTH, TITLE_LENGTH, clean

MAX_GUID = 500


@dataclass(frozen=True, slots=True)
class ReadFeed:
    """What one document held.

    Attributes:
        items: How many items that say anything.
        new: Those not seen before, tagged.
        estimated: How many of the new ones have no good date.
        newest: The latest good date of all, None where there is none.
    """

    items: int
    new: tuple[Article, ...]
    estimated: int
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class _Draft:
    article: Article
    identity: Identity


def read_feed(
    feed: Feed, base: str, parsed: ParsedFeed, index: Index, tagger: Tagger, now: datetime
) -> ReadFeed:
    """New articles of a document; the index learns them and which of the old ones are still there.

    Args:
        feed: Whose document it is.
        base: Address that relative links start from.
        parsed: The document.
        index: What the desk has seen; is added to.
        tagger: Finds currencies and symbols.
        now: Wall time of the fetch.
    """
    drafts = [
        draft
        for item in parsed.items
        if (draft := _draft(feed, base, item, now, loose=bool(parsed.malformed)))
    ]
    guids = shared((draft.identity.guid, draft.identity.title) for draft in drafts)
    links = shared((draft.identity.link, draft.identity.title) for draft in drafts)
    seen_at = now.timestamp()
    new = []
    for draft in drafts:
        identity = replace(
            draft.identity,
            guid=None if draft.identity.guid in guids else draft.identity.guid,
            link=None if draft.identity.link in links else draft.identity.link,
        )
        known = index.find(identity)
        if known is not None:
            known.seen_at = seen_at
            known.feed = feed.name
            continue
        one = Known(
            id=article_id(identity, draft.article.published),
            feed=feed.name,
            identity=identity,
            seen_at=seen_at,
        )
        index.add(one)
        tagged = tagger.tags(f"{draft.article.title}\n{draft.article.summary}", feed.currencies)
        new.append(replace(draft.article, id=one.id, currencies=tagged.currencies, symbols=tagged.symbols))
    dates = [draft.article.published for draft in drafts if not draft.article.date_is_estimated]
    estimated = sum(article.date_is_estimated for article in new)
    return ReadFeed(len(drafts), tuple(new), estimated, max(dates, default=None))


def _draft(feed: Feed, base: str, item: RawItem, now: datetime, *, loose: bool) -> _Draft | None:
    title = clean(item.title, TITLE_LENGTH, loose=loose)
    summary = clean(item.summary, SUMMARY_LENGTH, loose=loose)
    if not title:
        title = summary[:TITLE_LENGTH]
    if not title:
        return None  # an item that says nothing
    link = usable_link(item.link, base)
    guid = clean(item.guid, MAX_GUID) if item.guid else None
    date = dated(item.date_text, item.date, now)
    identity = Identity(
        guid=digest(feed.name, guid) if guid else None,
        link=digest(normal_link(link)) if link else None,
        title=title_key(title, summary),
        at=date.at.timestamp(),
        is_estimated=date.is_estimated,
    )
    article = Article(
        id="",
        feed=feed.name,
        category=feed.category,
        title=title,
        summary=summary,
        link=link,
        guid=guid,
        published=date.at,
        date_is_estimated=date.is_estimated,
        date_note=date.note,
        fetched_at=now,
        currencies=(),
    )
    return _Draft(article, identity)
