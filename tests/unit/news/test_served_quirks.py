"""Feeds as servers really send them, each served on loopback and fetched by the real client."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from backend.adapters.fetch import HttpFetcher
from backend.news.config import load_feeds
from tests.conftest import ROOT
from tests.fakes.fetcher import Reply, Site
from tests.fakes.http_server import serving
from tests.fakes.news_desk import START, Desk, Hands, item, rss

DECLARED = b'<?xml version="1.0" encoding="UTF-8"?>'
NOW = "2026-01-05T12:00:00Z"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def desk(tmp_path: Path, site: Site) -> Desk:
    return Desk(tmp_path, site, HttpFetcher(Hands(), allow_private=True))


def collected(desk: Desk, reply: Reply) -> dict[str, Any]:
    desk.paths("/feed", "/good")
    desk.site.put("/feed", reply)
    desk.site.put("/good", Reply(body=rss()))
    told: dict[str, Any] = desk.service.collect()["feeds"][0]
    return told


def titles(desk: Desk) -> list[str]:
    return [one["title"] for one in desk.cache()["articles"]]


@pytest.mark.parametrize(
    ("date", "published", "note"),
    [
        ("Mon, 05 Jan 2026 04:00:00 EST", "2026-01-05T09:00:00Z", ""),
        ("Mon, 05 Jan 2026 05:00:00 EDT", "2026-01-05T09:00:00Z", ""),
        ("Fri, 05 Jan 2026 09:00:00 GMT", "2026-01-05T09:00:00Z", ""),  # it was a Monday
        ("Mon, 05 Jan 2026 09:00:00 +0100", "2026-01-05T08:00:00Z", ""),
        ("2026-01-05T18:00:00+09:00", "2026-01-05T09:00:00Z", ""),
        ("Oct 02, 2024 15:00 GMT", "2024-10-02T15:00:00Z", "repaired"),
        ("Wed, 02 Oct 2024 24:00:00 GMT", "2024-10-03T00:00:00Z", "repaired"),
        ("02/10/2024 15:00", NOW, "unreadable"),  # the second of October, or the tenth of February
        ("Tue, 06 Jan 2026 12:00:00 GMT", NOW, "future"),
        ("Mon, 05 Jan 2037 12:00:00 GMT", NOW, "future"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", NOW, "unreadable"),
        ("soon", NOW, "unreadable"),
        ("", NOW, "missing"),
        (None, NOW, "missing"),
        ("Mon, 05 Jan 2026 09:00:00", "2026-01-05T09:00:00Z", "no_zone"),
    ],
)
def test_dates(desk: Desk, date: str | None, published: str, note: str) -> None:
    dated = "" if date is None else f"<pubDate>{date}</pubDate>"
    collected(desk, Reply(body=rss(item(1, date=None, more=dated))))
    [article] = desk.cache()["articles"]
    assert (article["published"], article["date_note"]) == (published, note)
    assert article["date_is_estimated"] is (note not in {"", "repaired"})


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"\n\t  " + DECLARED + rss(item(1, title="Rates are held")), "Rates are held"),
        (b"\xef\xbb\xbf\n" + DECLARED + rss(item(1, title="Rates are held")), "Rates are held"),
        (DECLARED + rss(item(1, title="Fed’s “view” €5")).decode().encode("cp1252"), "Fed’s “view” €5"),
        (rss(item(1, title="S&P 500 & gold")), "S&P 500 & gold"),
        (rss(item(1, title="S&amp;P 500")), "S&P 500"),
        (rss(item(1, title="S&amp;amp;P 500")), "S&P 500"),
        (rss(item(1, title="&amp;lt;b&amp;gt;Rates&amp;lt;/b&amp;gt;")), "Rates"),
        (rss(item(1, title="<![CDATA[<b>Rates</b> & more]]>")), "Rates & more"),
        (rss(item(1, title="Rates&nbsp;held &eacute;")), "Rates held é"),  # names of HTML, none of XML
        (rss(item(1, title="Rates held \x08")), "Rates held"),  # a character that XML forbids
        (rss(item(1, title="Rates")).replace(b"</item>", b""), "Rates"),
        (rss(item(1, title="Zinsüberschuss")).decode().encode("utf-16"), "Zinsüberschuss"),
    ],
)
def test_documents_that_break_the_rules_are_read(desk: Desk, body: bytes, title: str) -> None:
    assert collected(desk, Reply(body=body, content_type="text/xml; charset=utf-8"))["status"] == "ok"
    assert titles(desk) == [title]


def test_markup_and_scripts_in_a_description_become_text(desk: Desk) -> None:
    html = (
        "&lt;p&gt;Rates &lt;b&gt;held&lt;/b&gt;&lt;/p&gt;&lt;script&gt;steal()&lt;/script&gt;"
        "&lt;img src=x onerror=&quot;steal()&quot;&gt;"
        "&lt;a href=&quot;javascript:steal()&quot;&gt;more&lt;/a&gt;"
    )
    collected(desk, Reply(body=rss(item(1).replace("Text 1", html))))
    assert desk.cache()["articles"][0]["summary"] == "Rates held more"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            Reply(body=b"<!DOCTYPE html><html>Attention required</html>", content_type="text/html"),
            "a web page",
        ),
        (Reply(body=b"<html><head>"), "a web page"),
        (Reply(body=b'{"articles": []}', content_type="application/json"), "no feed"),
        (Reply(body=b""), "no feed"),
        (Reply(body=b"\x1f\x8b not gzip", encoding="gzip"), "broken gzip"),
        (Reply(body=rss(item(1)), cut=True), "could not be fetched"),
        (Reply(endless=True), "did not answer completely in time"),
        (Reply(status=403), "answered 403 Forbidden; check the address"),
        (Reply(status=410), "answered 410 Gone; check the address"),
        (Reply(status=500), "answered 500"),
        (Reply(status=304), "answered 304"),  # nobody had asked whether it changed
        (Reply(status=429, retry_after="1800"), "it asks to wait 1800 seconds"),
        (Reply(status=429, retry_after="Mon, 05 Jan 2026 12:30:00 GMT"), "it asks to wait 1800 seconds"),
        (Reply(status=503, retry_after="-5"), "it asks to wait 0 seconds"),
        (Reply(status=302, location="http://169.254.169.254/latest"), "metadata address"),
        (Reply(status=302, location="file:///etc/passwd"), "never local files"),
        (Reply(status=301, location="/feed"), "still a redirect"),
        (Reply(body=b'<!DOCTYPE r [<!ENTITY a "ha">]><rss version="2.0"/>'), "declares entities"),
        (Reply(body=bytes(11_000_000)), "more than 10000000 bytes"),
    ],
)
def test_what_is_no_answer_is_a_failure_with_its_reason_and_the_others_go_on(
    desk: Desk, reply: Reply, said: str
) -> None:
    desk.site.put("/feed", reply)
    desk.site.put("/good", Reply(body=rss(item(1))))
    desk.feeds(
        {"name": "a", "url": desk.site.url("/feed"), "timeout": 0.5},
        {"name": "b", "url": desk.site.url("/good")},
    )
    bad, good = desk.service.collect()["feeds"]
    assert bad["status"] == "failed"
    assert said in bad["reason"]
    assert (good["status"], good["new"]) == ("ok", 1)
    [one, _] = desk.page().feeds or ()
    assert one.reason == bad["reason"]


def test_a_server_that_asks_to_wait_is_asked_again_only_then(desk: Desk) -> None:
    assert collected(desk, Reply(status=429, retry_after="1800"))["status"] == "failed"
    desk.clock.turn(minutes=29)
    assert desk.service.collect()["feeds"][0]["status"] == "waiting"
    assert [path for path, _ in desk.site.asked].count("/feed") == 1
    desk.clock.turn(minutes=1)
    desk.service.collect()
    assert [path for path, _ in desk.site.asked].count("/feed") == 2


@pytest.mark.parametrize(("ignores", "status"), [(False, "not_modified"), (True, "ok")])
def test_a_feed_is_asked_whether_it_changed_and_may_ignore_it(desk: Desk, ignores: bool, status: str) -> None:
    reply = Reply(
        body=rss(item(1)), etag='W/"1"', last_modified="Mon, 05 Jan 2026 09:00:00 GMT", ignores=ignores
    )
    collected(desk, reply)
    told = desk.service.collect()
    assert told["feeds"][0]["status"] == status
    assert told["new"] == 0
    path, asked = [one for one in desk.site.asked if one[0] == "/feed"][-1]
    assert (path, asked["if-none-match"]) == ("/feed", 'W/"1"')
    assert asked["if-modified-since"] == "Mon, 05 Jan 2026 09:00:00 GMT"
    assert len(desk.archived()) == 1


def test_a_guid_used_again_is_another_article_and_one_that_changes_is_none(desk: Desk) -> None:
    collected(desk, Reply(body=rss(item(1), item(2))))
    again = item(3, title="Quite another notice").replace("g3", "g1")
    changed = item(2).replace("g2", "g-other")
    desk.clock.turn(days=2)
    assert collected(desk, Reply(body=rss(again, changed)))["new"] == 1
    assert sorted(titles(desk)) == [
        "Notice number 1 of the bank",
        "Notice number 2 of the bank",
        "Quite another notice",
    ]


def test_a_feed_that_moved_is_followed_and_links_start_from_where_it_is(desk: Desk) -> None:
    desk.site.put("/new/rss", Reply(body=rss(item(1).replace("https://example.com/1", "../story"))))
    assert collected(desk, Reply(status=301, location="/new/rss"))["status"] == "ok"
    assert desk.cache()["articles"][0]["link"] == desk.site.url("/story")


def test_a_feed_of_several_megabytes_is_read(desk: Desk) -> None:
    long = "x" * 4_000
    items = [item(n, date=START - timedelta(minutes=n)).replace(f"Text {n}", long) for n in range(1_000)]
    told = collected(desk, Reply(body=rss(*items)))
    assert (told["status"], told["items"], told["new"]) == ("ok", 1_000, 1_000)


@pytest.mark.parametrize("writes", range(5))
def test_a_process_killed_before_any_of_its_writes_loses_and_doubles_nothing(
    desk: Desk, tmp_path: Path, writes: int
) -> None:
    desk.paths("/feed")
    desk.site.put("/feed", Reply(body=rss(item(1), item(2, date=None)), etag='"1"'))
    killed = subprocess.run(
        [sys.executable, "-m", "tests.fakes.news_children", str(tmp_path), str(writes)],
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert killed.returncode == (9 if writes < 4 else 0)  # archive, cache, index, memory of the feeds
    desk.clock.turn(minutes=10)
    desk.service.collect()
    assert sorted(row["guid"] for row in desk.archived()) == ["g1", "g2"]
    assert sorted(one["guid"] for one in desk.cache()["articles"]) == ["g1", "g2"]
    assert {one["fetched_at"] for one in desk.archived()} == {NOW if writes else "2026-01-05T12:10:00Z"}


RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>t</title></channel>'
    '<item rdf:about="https://example.com/1"><title>Notice of a bank</title><link>https://example.com/1</link>'
    "<dc:date>2026-01-05T20:00:00+11:00</dc:date></item></rdf:RDF>"
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><entry><id>urn:1</id>'
    '<title>Notice of a bank</title><link href="https://example.com/1"/><updated>2026-01-05T09:00:00Z</updated></entry></feed>'
)
SHAPES = [rss(item(1, title="Notice of a bank")), RDF.encode(), ATOM.encode()]


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_every_feed_of_the_shipped_list_is_asked_at_its_own_address_and_read(desk: Desk, shape: int) -> None:
    shipped = load_feeds(ROOT / "config" / "rss_feeds.json").feeds
    rows = json.loads((ROOT / "config" / "rss_feeds.json").read_text(encoding="utf-8"))["feeds"]
    for row in rows:
        parts = urlsplit(row["url"])
        path = f"/{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        kind = "text/html" if path.endswith(".html") else "application/rss+xml"
        row |= {"url": desk.site.put(path, Reply(body=SHAPES[shape], content_type=kind)), "enabled": True}
    desk.feeds(*rows)
    told = desk.service.collect()
    assert (told["ok"], told["failed"], told["new"]) == (len(shipped), 0, 1)  # one article, and once
    assert desk.cache()["articles"][0]["published"] in {"2026-01-05T09:00:00Z", NOW}
