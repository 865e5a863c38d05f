"""Articles of any time, the newest first, by every filter and page by page; and how each feed does."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.clock import day
from backend.core.errors import Invalid, Unavailable
from backend.news.model import Article
from tests.fakes.fetcher import Reply, Site
from tests.fakes.news_desk import CACHE, START, Desk, item, rss


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path, Site())
    made.feeds()
    return made


def article(number: int, *, published: datetime, seen: datetime | None = None, **changes: Any) -> Article:
    given: dict[str, Any] = {
        "id": f"{number:016x}",
        "feed": "Bank",
        "category": "central_bank",
        "title": f"Notice {number}",
        "summary": "Rates are held",
        "link": None,
        "guid": None,
        "published": published,
        "date_is_estimated": False,
        "date_note": "",
        "fetched_at": seen or published,
        "currencies": ("USD",),
        "symbols": ("EURUSD",),
    }
    return Article(**given | changes)


def archive(desk: Desk, *articles: Article) -> None:
    for one in articles:
        desk.storage.append_jsonl(f"news/news_{day(one.fetched_at)}.jsonl", [one.as_dict()])


def ids(desk: Desk, **wanted: Any) -> list[int]:
    found = desk.page(**wanted).articles
    assert found is not None
    return [int(one.id, 16) for one in found]


def test_a_desk_that_never_collected_says_so_and_never_shows_an_empty_list(desk: Desk) -> None:
    desk.feeds({"name": "Bank", "url": "https://example.com/"})
    page = desk.page()
    assert (page.articles, page.next_cursor, page.fetched_at, page.age_seconds) == (None, None, None, None)
    assert page.reason == "no news has been collected yet"
    assert page.feeds is not None
    assert [(feed.name, feed.status, feed.age_seconds) for feed in page.feeds] == [("Bank", "never", None)]


def test_the_newest_come_first_wherever_they_stand(desk: Desk) -> None:
    hour = timedelta(hours=1)
    archive(
        desk,
        article(1, published=START - 50 * hour),
        article(2, published=START - 26 * hour),
        article(3, published=START - 400 * hour, seen=START),  # old news of a feed that is new here
        article(4, published=START - 30 * hour, seen=START),  # older than what was seen the day before
        article(5, published=START - 1 * hour, seen=START),
    )
    assert ids(desk) == [5, 2, 4, 1, 3]
    assert ids(desk, limit=2) == [5, 2]


def test_pages_lead_through_the_whole_archive_without_loss_or_repetition(desk: Desk) -> None:
    chance = random.Random(5)
    made = [
        article(
            number,
            seen=(seen := START - timedelta(hours=chance.randrange(2_000))),
            published=seen - timedelta(hours=chance.choice([0, 0, 0, 1, 30, 900])),
        )
        for number in range(400)
    ]
    archive(desk, *made)
    desk.storage.write_json(CACHE, {"fetched_at": "2026-01-05T12:00:00Z", "articles": [made[7].as_dict()]})
    expected = sorted(made, key=lambda one: (one.published, one.id), reverse=True)
    found: list[str] = []
    cursor = None
    for _ in range(100):
        page = desk.page(cursor, limit=7)
        found += [one.id for one in page.articles or ()]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [one.id for one in expected]


def test_new_articles_between_two_pages_move_nothing(desk: Desk) -> None:
    archive(desk, *(article(n, published=START - timedelta(minutes=n)) for n in range(1, 6)))
    first = desk.page(limit=2)
    archive(desk, article(9, published=START))
    second = desk.page(first.next_cursor, limit=2)
    assert [int(one.id, 16) for one in second.articles or ()] == [3, 4]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"currency": "EUR"}, [2]),
        ({"symbol": "XAUUSD"}, [3]),
        ({"feed": "Other"}, [3]),
        ({"category": "market_news"}, [3]),
        ({"text": "strasse ZÜRICH"}, [4]),  # any writing, ß as ss
        ({"text": "held notice"}, [1, 2, 3]),  # every word, wherever it stands
        ({"text": "held gold"}, []),
        ({"text": '"quoted" \\ (50%)'}, [5]),  # nothing in it is a pattern
        ({"begin": START - timedelta(hours=2)}, [1, 2]),
        ({"begin": START - timedelta(hours=3), "end": START - timedelta(hours=2)}, [2, 3]),
        ({"end": START - timedelta(hours=4)}, [4, 5]),
        ({"currency": "EUR", "symbol": "XAUUSD"}, []),
    ],
)
def test_every_filter(desk: Desk, wanted: dict[str, Any], found: list[int]) -> None:
    hours = [START - timedelta(hours=n) for n in range(6)]
    archive(
        desk,
        article(1, published=hours[1]),
        article(2, published=hours[2], currencies=("EUR", "USD")),
        article(3, published=hours[3], feed="Other", category="market_news", symbols=("XAUUSD",)),
        article(4, published=hours[4], title="Zürich", summary="Die Bahnhofstraße"),
        article(5, published=hours[5], title='They "quoted" a \\', summary="by (50%)"),
    )
    assert ids(desk, **wanted) == found


def test_a_time_with_no_article_is_an_empty_list_on_a_desk_that_has_some(desk: Desk) -> None:
    archive(desk, article(1, published=START))
    page = desk.page(end=START - timedelta(days=9))
    assert (page.articles, page.reason) == ((), None)


def test_days_before_the_wanted_time_are_not_even_read(desk: Desk) -> None:
    archive(desk, article(1, published=START), article(2, published=START - timedelta(days=5)))
    desk.storage.path("news/news_20251231.jsonl").write_bytes(b"this would be a problem\n")
    page = desk.page(begin=START - timedelta(hours=1))
    assert (len(page.articles or ()), page.problems) == (1, ())
    assert "line 1" in desk.page().problems[0]


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(desk: Desk) -> None:
    archive(desk, article(1, published=START))
    with desk.storage.path("news/news_20260105.jsonl").open("ab") as file:
        file.write(b'{"id": 5}\nnonsense\n')
    broken: list[dict[str, Any]] = [
        {"title": 5},
        {"link": []},
        {"currencies": "USD"},
        {"symbols": [5]},
        {"x": 1},
    ]
    for wrong in broken:
        desk.storage.append_jsonl("news/news_20260105.jsonl", [article(2, published=START).as_dict() | wrong])
    with desk.storage.path("news/news_20260105.jsonl").open("ab") as file:
        file.write(b'{"torn')
    desk.storage.path("news/news_99999999.jsonl").write_bytes(b"")
    (desk.config / "rss_feeds.json").write_text("{", encoding="utf-8")
    desk.storage.path(CACHE).parent.mkdir(exist_ok=True)
    desk.storage.path(CACHE).write_bytes(b'{"articles": [], "error": 5, "stale": "x", "fetched_at": 7}')
    assert (desk.page().error, desk.page().fetched_at) == (None, None)
    desk.storage.path(CACHE).write_bytes(b"{")
    page = desk.page()
    assert [one.title for one in page.articles or ()] == ["Notice 1"]
    assert page.feeds is None
    told = " | ".join(page.problems)
    assert "config/rss_feeds.json" in told
    assert "rss_news.json" in told
    assert "line 3" in told


def test_articles_of_before_there_were_symbols_are_shown_without(desk: Desk) -> None:
    row = article(1, published=START).as_dict()
    del row["symbols"]
    desk.storage.append_jsonl("news/news_20260105.jsonl", [row])
    assert ids(desk) == [1]
    assert ids(desk, symbol="EURUSD") == []


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "~",
        "x",
        "5",
        "2026-01-05T12:00:00Z",
        "2026-01-05~a",
        "~~",
        "\x00~a",
        "9999-12-31T23:59:59-14:00~a",
    ],
)
def test_a_cursor_that_is_none_is_refused(desk: Desk, cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        desk.page(cursor)
    assert caught.value.code == "bad_cursor"


def test_each_feed_tells_its_age_its_last_failure_and_how_fresh_its_news_are(desk: Desk) -> None:
    desk.feeds(
        *({"name": name, "url": desk.site.url(f"/{name}")} for name in ("good", "flaky", "busy")),
        {"name": "off", "url": desk.site.url("/off"), "enabled": False},
    )
    desk.site.put("/good", Reply(body=rss(item(1, date=START - timedelta(days=90)))))
    desk.site.put("/busy", Reply(status=429, retry_after="3600"))
    desk.service.collect()
    desk.clock.turn(minutes=10)
    desk.site.put("/flaky", Reply(body=rss(item(2))))
    desk.service.collect()
    desk.clock.turn(minutes=10)
    feeds = {feed.name: feed for feed in desk.page().feeds or ()}
    assert {name: feed.status for name, feed in feeds.items()} == {
        "good": "ok", "flaky": "ok", "busy": "waiting", "off": "off",
    }  # fmt: skip
    assert feeds["good"].newest_at == START - timedelta(days=90)  # it answers, and its news are stale
    assert (feeds["good"].age_seconds, feeds["good"].failed_at, feeds["good"].reason) == (600, None, None)
    assert (feeds["flaky"].age_seconds, feeds["flaky"].failures) == (600, 0)
    assert (feeds["flaky"].failed_at, feeds["flaky"].reason) == (START, "http://site.test/flaky answered 404")
    assert feeds["busy"].answered_at is None
    assert feeds["busy"].waiting_until == START + timedelta(hours=1)


def test_news_of_an_hour_ago_are_stale_and_so_are_those_that_nobody_could_renew(desk: Desk) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1))))
    desk.service.collect()
    desk.clock.turn(minutes=60)
    assert not desk.page().stale
    desk.clock.turn(seconds=1)
    assert desk.page().stale
    desk.service.collect()
    desk.site.put("/a", Reply(status=500))
    with pytest.raises(Unavailable):
        desk.service.collect()
    page = desk.page()
    assert page.stale
    assert "answered 500" in str(page.error)
    assert page.age_seconds == 0
    assert page.checked_at == datetime(2026, 1, 5, 13, 0, 1, tzinfo=UTC)


def test_symbols_that_the_desk_trades_stand_on_the_articles_of_their_currencies(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Site(), symbols=lambda: {"EURUSD": ("EUR", "USD"), "XAUUSD": ("XAU", "USD")})
    desk.tags({"currencies": {"EUR": ["ECB"], "XAU": ["gold"]}, "symbols": {"XTIUSD": ["oil"]}})
    desk.paths("/a")
    titles = ["The ECB and gold today", "Oil is cheaper again", "Nothing of note happened"]
    desk.site.put("/a", Reply(body=rss(*(item(n, title=title) for n, title in enumerate(titles)))))
    desk.service.collect()
    tagged = {one["title"]: one["symbols"] for one in desk.cache()["articles"]}
    assert tagged == dict(zip(titles, (["EURUSD", "XAUUSD"], ["XTIUSD"], []), strict=True))
    assert {one["title"]: one["symbols"] for one in desk.archived()} == tagged
