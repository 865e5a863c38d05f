"""Reading RSS and Atom as they really are."""

import calendar
import io
import re
import time
from datetime import UTC, datetime
from typing import Any
from xml.sax import SAXException

from backend.core.errors import Unavailable
from backend.news.ports import ParsedFeed, RawItem

_BOMB = "a document that declares entities, which no feed needs"
_BEFORE = b" \t\r\n\xef\xbb\xbf"  # blanks and a byte order mark, in any order
MAX_ITEMS = 5_000  # reading costs by the item: a document of more is a dump, not news
MAX_MARKS = 500_000  # and, where it is not well-formed, by the tag: a feed of 5,000 items has 200,000

_ITEM = re.compile(rb"<(?:item|entry)[\s>]")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_ENCODING = re.compile(rb"<\?xml[^>]*\sencoding\s*=")
_CLOSING = {b"item": b"</channel></rss>", b"entry": b"</feed>"}


class FeedparserReader:
    """`FeedParser` over the library feedparser, which is imported at the first document."""

    def parse(self, body: bytes, content_type: str) -> ParsedFeed:
        """Read a document as far as it can be read; see `FeedParser`."""
        plain = body.replace(b"\0", b"")  # declarations in UTF-16 are declarations too
        if b"<!ENTITY" in plain:
            raise _not_a_feed(_BOMB)
        body, beyond = _shortened(body.lstrip(_BEFORE))
        if body.count(b"<") + body.count(b"&") > MAX_MARKS:
            raise _not_a_feed("a document with more markup than any feed needs")
        import feedparser

        # A stream, never the bytes: feedparser takes bytes for the name of a file first.
        try:
            document = feedparser.parse(
                io.BytesIO(body),
                response_headers=_headers(body, content_type),
                sanitize_html=False,  # all markup is taken off by the desk
                resolve_relative_uris=False,
            )
        except Exception as error:  # whatever a document does to its reader stays that feed's
            raise _not_a_feed(f"a document that its reader gives up on ({error!r:.200})") from error
        if "<!ENTITY" in _decoded(body, document.get("encoding")):  # in an encoding that hid it so far
            raise _not_a_feed(_BOMB)
        if not document.get("version"):
            page = plain[:4_000].lower()
            raise _not_a_feed("a web page" if b"<html" in page or b"<!doctype html" in page else "no feed")
        # Only this means that the document was not XML and the reader had to guess.
        broken = document.get("bozo_exception")
        malformed = str(broken) if isinstance(broken, SAXException) else ""
        return ParsedFeed(
            items=[_item(entry) for entry in document.entries], malformed=malformed[:200], unread=beyond
        )


def _headers(body: bytes, content_type: str) -> dict[str, str]:
    """The server's charset, but only for a document that names none: servers add theirs unseen.

    The media type itself says nothing: feeds come as text/plain and text/html too.
    """
    charset = _CHARSET.search(content_type)
    if charset is None or _ENCODING.search(body[:200]):
        return {}
    return {"content-type": f"application/xml; charset={charset[1]}"}


def _decoded(body: bytes, encoding: object) -> str:
    try:
        return body.decode(str(encoding), "replace")
    except LookupError:
        return ""  # the reader knew no encoding either


def _shortened(body: bytes) -> tuple[bytes, int]:
    """The document up to its item number `MAX_ITEMS`, and how many it has beyond."""
    starts = [match.start() for match in _ITEM.finditer(body)]
    beyond = len(starts) - MAX_ITEMS
    if beyond <= 0:
        return body, 0
    cut = starts[MAX_ITEMS]
    if b"<rdf:RDF" in body[:2_000]:
        closing = b"</rdf:RDF>"
    else:
        closing = _CLOSING[b"entry" if body.startswith(b"<entry", cut) else b"item"]
    return body[:cut] + closing, beyond


def _item(entry: Any) -> RawItem:
    fields: dict[str, Any] = dict(entry)  # a plain dict: feedparser's own warns and stands in for keys
    content = fields.get("content") or [{}]
    summary = fields.get("summary") or content[0].get("value")
    which = "published" if fields.get("published") else "updated"
    return RawItem(
        title=_text(fields.get("title")),
        summary=_text(summary),
        link=_text(fields.get("link")) or None,
        guid=_text(fields.get("id")) or None,
        date_text=_text(fields.get(which)) or None,
        date=_moment(fields.get(f"{which}_parsed")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, time.struct_time):
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _not_a_feed(what: str) -> Unavailable:
    return Unavailable("not_a_feed", f"it answered with {what}")
