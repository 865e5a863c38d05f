"""One item at a time: its text, its date, its currencies, its identity."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.news.dates import dated, repair
from backend.news.identity import Identity, Index, Known, forget, normal_link, shared, title_key, usable_link
from backend.news.tags import Tagged, Tagger
from backend.news.text import clean

FETCHED = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_text", "text"),
    [
        ("Fed holds rates", "Fed holds rates"),
        ("<p>Fed <b>holds</b></p><p>rates</p>", "Fed holds rates"),
        ("one<br/>two<li>three", "one two three"),
        ("a<script>alert('x')</script>b<style>p{}</style>c", "abc"),
        ('<img src=x onerror="steal()">rates', "rates"),
        ("<iframe><p>inside</p></iframe>out", "out"),
        ("S&amp;P 500", "S&P 500"),
        ("S&amp;amp;P 500", "S&P 500"),
        ("&lt;b&gt;Rates&lt;/b&gt; up", "Rates up"),
        ("&amp;lt;b&amp;gt;Rates&amp;lt;/b&amp;gt;", "<b>Rates</b>"),
        ("CPI <0.10% and 3 > 2", "CPI <0.10% and 3 > 2"),
        ("AT&T and R&D", "AT&T and R&D"),
        ("line\none\t\u00a0two\x00three", "line one two three"),
        ("<![CDATA[raw]]>text", "text"),
        ("<!-- hidden -->shown", "shown"),
        ("broken <a href='x", "broken"),
        ("profits <loss", "profits <loss"),
        ("\u202eevil", "evil"),
        ("", ""),
    ],
)
def test_markup_becomes_text(given_text: str, text: str) -> None:
    assert clean(given_text, 300) == text


def test_what_a_loose_reader_does_to_an_ampersand_is_mended_only_there() -> None:
    assert clean("S&P; 500 &amp; more", 300, loose=True) == "S&P 500 & more"
    assert clean("S&P; 500", 300) == "S&P; 500"


def test_long_texts_are_cut_with_an_ellipsis_and_huge_ones_are_not_worked_through() -> None:
    assert clean("word " * 100, 20) == "word word word word…"
    assert len(clean("<p>x</p>" * 100_000, 1_000)) <= 1_000
    assert clean("<!--" * 100_000, 1_000)[-1:] in {"", "…"}


@given(st.text(alphabet=st.sampled_from("<>&;!-[]/abP #x1'\"=\n"), max_size=200))
def test_no_text_breaks_the_cleaning(text: str) -> None:
    plain = clean(text, 100)
    assert len(plain) <= 100
    assert plain.isprintable()


@pytest.mark.parametrize(
    ("text", "parsed", "at", "note"),
    [
        ("Mon, 05 Jan 2026 09:00:00 GMT", "2026-01-05T09:00:00Z", "2026-01-05T09:00:00Z", ""),
        ("2026-01-05T09:00:00+01:00", "2026-01-05T08:00:00Z", "2026-01-05T08:00:00Z", ""),
        ("Tue, 05 Jan 2026 04:00:00 EST", "2026-01-05T09:00:00Z", "2026-01-05T09:00:00Z", ""),
        ("Mon, 05 Jan 2026 10:00:00 CET", "2026-01-05T10:00:00Z", "2026-01-05T09:00:00Z", "repaired"),
        ("Oct 02, 2024 15:00 GMT", None, "2024-10-02T15:00:00Z", "repaired"),
        ("Wed, 02 Oct 2024 24:00:00 GMT", None, "2024-10-03T00:00:00Z", "repaired"),
        ("October 2, 2024 3:05 PM EDT", None, "2024-10-02T19:05:00Z", "repaired"),
    ],
)
def test_a_good_or_repairable_date_is_taken(text: str, parsed: str | None, at: str, note: str) -> None:
    date = dated(text, datetime.fromisoformat(parsed) if parsed else None, FETCHED)
    assert (date.at, date.is_estimated, date.note) == (datetime.fromisoformat(at), False, note)


@pytest.mark.parametrize(
    ("text", "parsed", "note"),
    [
        (None, None, "missing"),
        ("  ", None, "missing"),
        ("02/10/2024 15:00", None, "unreadable"),
        ("yesterday", None, "unreadable"),
        ("Mon, 31 Foo 2026 10:00 GMT", None, "unreadable"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z", "unreadable"),
        ("Tue, 06 Jan 2026 12:00:00 GMT", "2026-01-06T12:00:00Z", "future"),
    ],
)
def test_any_other_date_is_the_time_of_fetching_and_marked(
    text: str | None, parsed: str | None, note: str
) -> None:
    date = dated(text, datetime.fromisoformat(parsed) if parsed else None, FETCHED)
    assert (date.at, date.is_estimated, date.note) == (FETCHED, True, note)


def test_a_clock_that_is_minutes_ahead_is_no_future() -> None:
    ahead = FETCHED + timedelta(minutes=9)
    date = dated("Mon, 05 Jan 2026 12:09:00 GMT", ahead, FETCHED)
    assert (date.at, date.is_estimated, date.note) == (FETCHED, False, "")


@pytest.mark.parametrize(
    ("text", "is_parsed"), [("2026-01-05T09:00:00", True), ("Mon, 05 Jan 2026 09:00:00", False)]
)
def test_a_date_without_zone_is_read_as_utc_and_marked(text: str, is_parsed: bool) -> None:
    date = dated(text, datetime(2026, 1, 5, 9, tzinfo=UTC) if is_parsed else None, FETCHED)
    assert (date.at.hour, date.is_estimated, date.note) == (9, True, "no_zone")


@given(st.text(alphabet=st.sampled_from("0123456789:, ADJOPacnotvGMT+-"), max_size=40))
def test_no_date_breaks_the_repair(text: str) -> None:
    found = repair(text)
    assert found is None or found.tzinfo is UTC


TAGGER = Tagger(
    {
        "USD": ["Fed", "US", "rate decision", "U.S."],
        "GBP": ["Bank of England"],
        "XAU": ["gold"],
        "EUR": ["..."],
    },
    {},
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Fed's Powell speaks", {"USD"}),
        ("FED HOLDS", {"USD"}),
        ("They are fed up", set()),
        ("Federal", set()),
        ("tell us more", set()),
        ("The US economy", {"USD"}),
        ("In the U.S. today", {"USD"}),
        ("RATE Decision today", {"USD"}),
        ("Bank of England; Gold rises", {"GBP", "XAU"}),
        ("bank of England", set()),
        ("Bank of", set()),
        ("golden", set()),
        ("", set()),
    ],
)
def test_terms_are_whole_words_and_capitals_count_where_they_are_written(text: str, found: set[str]) -> None:
    assert set(TAGGER.tags(text).currencies) == found


@pytest.mark.parametrize(
    "other",
    [
        "https://www.example.com/a/?b=2&a=1",
        "http://EXAMPLE.com:80/a?a=1&b=2#part",
        "https://example.com/a?utm_source=rss&b=2&a=1&fbclid=x",
    ],
)
def test_what_does_not_change_where_a_link_leads_does_not_count(other: str) -> None:
    assert normal_link(other) == normal_link("https://example.com/a?a=1&b=2")


def test_what_does_change_it_counts() -> None:
    links = ["https://example.com/a", "https://example.com/A", "https://example.com/a?p=1", "https://b.com/a"]
    assert len({normal_link(link) for link in [*links, "https://example.com:8080/a"]}) == 5


@pytest.mark.parametrize(
    "link", [None, "", "javascript:alert(1)", "file:///etc/passwd", "http://u:p@h/", "http://["]
)
def test_a_link_that_nobody_should_follow_is_none(link: str | None) -> None:
    assert usable_link(link, "https://example.com/feed") is None


def test_a_relative_link_starts_from_its_feed() -> None:
    assert usable_link("/news/1 a", "https://example.com/feed/x") == "https://example.com/news/1%20a"


ONE = Identity(guid="g", link="l", title="t", at=1_000_000.0, is_estimated=False)
DAY = 86_400.0


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"link": "other"}, True),  # same guid and title
        ({"title": "other"}, True),  # same guid and link: an edited title
        ({"title": "other", "link": "other", "at": ONE.at + 9 * DAY}, False),  # the guid is used again
        ({"guid": "other", "title": "other", "at": ONE.at + 60}, True),  # same page, minutes later
        ({"guid": "other", "title": "other", "at": ONE.at + 9 * DAY}, False),  # a fixed page, new content
        ({"guid": "other", "at": ONE.at + 9 * DAY}, True),  # guid changes per fetch
        ({"guid": None, "link": "other", "at": ONE.at + DAY}, True),  # same title, another feed
        ({"guid": None, "link": "other", "at": ONE.at + DAY + 1}, False),  # same title, weeks later
        (
            {"guid": None, "link": None, "is_estimated": True, "at": ONE.at + 9 * DAY},
            True,
        ),  # nothing but a title
        ({"guid": None, "link": "other", "is_estimated": True, "at": ONE.at + 9 * DAY}, False),
    ],
)
def test_the_rules_of_identity(changes: dict[str, object], same: bool) -> None:
    index = Index([Known(id="1", feed="f", identity=ONE, seen_at=0.0)])
    assert (index.find(replace(ONE, **changes)) is not None) is same  # type: ignore[arg-type]


def test_titles_are_compared_by_letters_and_digits_and_short_ones_with_their_text() -> None:
    assert title_key("ECB: rates  held!", "a") == title_key("ecb rates held", "b")
    assert title_key("Market notice", "a") != title_key("Market notice", "b")


def test_an_identifier_on_several_titles_names_none() -> None:
    assert shared([("x", "a"), ("x", "b"), ("y", "a"), ("y", "a"), (None, "a"), (None, "b")]) == {"x"}


def test_articles_are_forgotten_by_their_feeds_horizon_and_at_the_limit() -> None:
    known = [
        Known(id=str(n), feed="f" if n % 2 else "gone", identity=ONE, seen_at=float(n)) for n in range(10)
    ]
    kept = forget(known, horizon={"f": 4.0}, default=8.0, limit=100)
    assert [one.id for one in kept] == ["5", "7", "8", "9"]
    assert [one.id for one in forget(known, horizon={}, default=0.0, limit=3)] == ["7", "8", "9"]


def test_a_known_article_survives_the_disk() -> None:
    one = Known(id="1", feed="f", identity=ONE, seen_at=5.0)
    assert Known.from_row(one.as_row()) == one


BY_SYMBOL = Tagger(
    {"USD": ["Fed"], "EUR": ["ECB"], "XAU": ["gold"]},
    {"XTIUSD": ["oil"], "US500": ["S&P 500"], "XAUUSD": ["bullion"]},
    {"EURUSD": ["EUR", "USD"], "XAUUSD": ["XAU", "USD"], "EURGBP": ["EUR", "GBP"]},
)


@pytest.mark.parametrize(
    ("text", "given", "currencies", "symbols"),
    [
        ("ECB holds", (), ("EUR",), ("EURGBP", "EURUSD")),  # every traded symbol of the currency
        ("Gold rises", (), ("XAU",), ("XAUUSD",)),
        ("Bullion rises", (), (), ("XAUUSD",)),  # by the symbol's own terms
        ("Oil falls, S&P 500 up", (), (), ("US500", "XTIUSD")),  # by the table alone, traded here or not
        ("EURUSD at a high", (), (), ("EURUSD",)),  # by its name
        ("A quiet day", ("GBP",), ("GBP",), ("EURGBP",)),  # what the feed always concerns
        ("A quiet day", (), (), ()),
    ],
)
def test_symbols_are_found_by_terms_name_and_currencies(
    text: str, given: tuple[str, ...], currencies: tuple[str, ...], symbols: tuple[str, ...]
) -> None:
    assert BY_SYMBOL.tags(text, given) == Tagged(currencies, symbols)
