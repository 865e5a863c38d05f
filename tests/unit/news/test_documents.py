"""Whole documents: what the reader takes for a feed, and how far it reads a broken one."""

from pathlib import Path

import pytest

from backend.adapters.feeds import MAX_ITEMS, MAX_MARKS, FeedparserReader
from backend.core.errors import Unavailable
from backend.news.text import clean

READER = FeedparserReader()


def rss(*items: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    return f'{head}<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()


ITEM = (
    "<item><title>Rates held</title><link>https://example.com/1</link><guid isPermaLink='false'>id-1</guid>"
    "<pubDate>Mon, 05 Jan 2026 09:00:00 GMT</pubDate><description>&lt;p&gt;Text&lt;/p&gt;</description>"
    "</item>"
)


def test_rss() -> None:
    document = READER.parse(rss(ITEM), "application/rss+xml")
    [item] = document.items
    assert (item.title, item.link, item.guid) == ("Rates held", "https://example.com/1", "id-1")
    assert item.summary == "<p>Text</p>"
    assert item.date is not None
    assert item.date.isoformat() == "2026-01-05T09:00:00+00:00"
    assert document.malformed == ""


def test_atom() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><entry><id>urn:1</id>
    <title>Rates held</title><link href="https://example.com/1"/><updated>2026-01-05T10:00:00+01:00</updated>
    <content type="html">&lt;p&gt;Text&lt;/p&gt;</content></entry></feed>"""
    [item] = READER.parse(body, "").items
    assert (item.guid, item.link, item.summary) == ("urn:1", "https://example.com/1", "<p>Text</p>")
    assert item.date is not None
    assert item.date.hour == 9


def test_rdf() -> None:
    body = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>t</title></channel>
    <item rdf:about="https://example.com/1"><title>Rates held</title><link>https://example.com/1</link>
    <dc:date>2026-01-05T18:00:00+09:00</dc:date></item></rdf:RDF>"""
    [item] = READER.parse(body, "").items
    assert item.title == "Rates held"
    assert item.date is not None
    assert item.date.hour == 9


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><body>Access denied</body></html>",
        b"",
        b"garbage",
        b'{"json": true}',
        b"\x00\x01\x02",
        b"<?xml version='1.0'?><weeklyevents/>",
    ],
)
def test_what_is_no_feed_is_a_failure(body: bytes) -> None:
    with pytest.raises(Unavailable) as caught:
        READER.parse(body, "text/html")
    assert caught.value.code == "not_a_feed"


def test_a_feed_without_items_is_a_feed() -> None:
    assert READER.parse(rss(), "").items == []


def test_a_body_is_never_taken_for_the_name_of_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_bytes(rss(ITEM))
    for body in (str(secret).encode(), secret.as_uri().encode()):
        with pytest.raises(Unavailable):
            READER.parse(body, "")


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">%s]><rss version="2.0"><channel>%s</channel></rss>'
    % (
        b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)),
        b"<item><title>&j;</title></item>",
    )
)


EXTERNAL = b"""<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel>
<item><title>&x;</title></item></channel></rss>"""


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS,
        LAUGHS.decode().replace('<?xml version="1.0"?>', "").encode("utf-16"),
        EXTERNAL,
        LAUGHS.decode().replace('version="1.0"', 'version="1.0" encoding="cp037"').encode("cp037"),
        LAUGHS.replace(b'version="1.0"', b'version="1.0" encoding="utf-7"').replace(b"<!ENT", b"+ADwAIQ-ENT"),
    ],
)
def test_entities_are_refused(body: bytes) -> None:
    with pytest.raises(Unavailable, match="entities"):
        READER.parse(body, "text/xml")


def test_a_raw_ampersand_costs_no_item() -> None:
    broken = ITEM.replace("Rates held", "S&P 500 & gold")
    document = READER.parse(rss(broken, ITEM), "")
    assert [clean(item.title, 300, loose=bool(document.malformed)) for item in document.items] == [
        "S&P 500 & gold",
        "Rates held",
    ]
    assert document.malformed


def test_a_body_that_ends_early_is_read_as_far_as_it_goes() -> None:
    whole = rss(ITEM, ITEM.replace("Rates held", "Second").replace("id-1", "id-2"))
    document = READER.parse(whole[: whole.index(b"Second")], "")
    assert document.items[0].title == "Rates held"
    assert document.malformed


@pytest.mark.parametrize("before", [b"\n\n  ", b"\xef\xbb\xbf\r\n", b"\n\xef\xbb\xbf", b"\xef\xbb\xbf"])
def test_blanks_before_the_declaration_do_not_matter(before: bytes) -> None:
    document = READER.parse(before + rss(ITEM), "")
    assert (len(document.items), document.malformed) == (1, "")


def test_windows_bytes_declared_as_utf_8_are_read() -> None:
    body = rss(ITEM.replace("Rates held", "Fed's “view” – €5")).decode().encode("cp1252")
    [item] = READER.parse(body, "text/xml; charset=utf-8").items
    assert item.title == "Fed's “view” – €5"


@pytest.mark.parametrize(
    "date", ["Tue, 05 Jan 2026 04:00:00 EST", "Mon, 05 Jan 2026 09:00:00 GMT", "2026-01-05T09:00:00Z"]
)
def test_zones_and_wrong_weekdays(date: str) -> None:
    [item] = READER.parse(rss(ITEM.replace("Mon, 05 Jan 2026 09:00:00 GMT", date)), "").items
    assert item.date is not None
    assert item.date.hour == 9


def test_a_dump_is_read_up_to_the_limit_and_the_rest_is_counted() -> None:
    document = READER.parse(rss(*[f"<item><title>Item {n}</title></item>" for n in range(MAX_ITEMS + 7)]), "")
    assert (len(document.items), document.unread, document.malformed) == (MAX_ITEMS, 7, "")
    assert document.items[-1].title == f"Item {MAX_ITEMS - 1}"


@pytest.mark.parametrize("mark", ["<b>", "&", "<!-- ", "<![CDATA["])
def test_a_document_of_nothing_but_markup_is_refused_before_it_is_worked_through(mark: str) -> None:
    with pytest.raises(Unavailable, match="more markup"):
        READER.parse(rss(f"<item><title>{mark * (MAX_MARKS + 1)}"), "")


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "text/xml", "application/octet-stream", ""])
def test_the_media_type_says_nothing(kind: str) -> None:
    document = READER.parse(rss(ITEM.replace("Rates held", "Zinsüberschuss")), kind)
    assert (document.items[0].title, document.malformed) == ("Zinsüberschuss", "")


def test_the_servers_charset_counts_only_where_the_document_names_none() -> None:
    bare = rss(ITEM.replace("Rates held", "Banque de Genève"), head="").decode().encode("iso-8859-1")
    assert READER.parse(bare, "text/xml; charset=ISO-8859-1").items[0].title == "Banque de Genève"
    named = rss(ITEM.replace("Rates held", "Banque de Genève"))
    assert READER.parse(named, "text/xml; charset=ISO-8859-1").items[0].title == "Banque de Genève"
