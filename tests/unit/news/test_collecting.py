"""Collecting news: each article once, failures with their reasons, old news with their age."""

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.fetch import HttpFetcher
from backend.core.errors import Invalid, Unavailable
from backend.core.fetching import Fetched
from backend.news.config import load_feeds, load_tags
from backend.news.files import CACHE_LIMIT, NewsFiles
from tests.fakes.fetcher import Reply, Site
from tests.fakes.http_server import serving
from tests.fakes.news_desk import CACHE, START, Desk, Hands, item, rss


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, Site())


def status(told: dict[str, Any]) -> dict[str, str]:
    return {feed["name"]: feed["status"] for feed in told["feeds"]}


def test_articles_are_kept_newest_first_with_what_is_known_of_them(desk: Desk) -> None:
    desk.feeds(
        {"name": "Bank", "url": desk.site.url("/a"), "category": "central_bank", "currencies": ["GBP"]}
    )
    later = item(2, title="Fed &amp;amp; ECB speak", date=START - timedelta(hours=1))
    desk.site.put("/a", Reply(body=rss(item(1, date=START - timedelta(hours=2)), later)))
    told = desk.service.collect()
    assert (told["status"], told["new"], told["archived"], told["held"]) == ("collected", 2, 2, 2)
    assert told["feeds"] == [{"name": "Bank", "status": "ok", "items": 2, "new": 2, "estimated_dates": 0}]
    article = desk.cache()["articles"][0]
    assert (article["title"], article["summary"]) == ("Fed & ECB speak", "Text 2")
    assert (article["link"], article["guid"]) == ("https://example.com/2", "g2")
    assert (article["published"], article["fetched_at"]) == ("2026-01-05T11:00:00Z", "2026-01-05T12:00:00Z")
    assert (article["feed"], article["category"]) == ("Bank", "central_bank")
    assert article["currencies"] == ["EUR", "GBP", "USD"]
    assert article["date_is_estimated"] is False


def test_an_item_without_date_has_the_time_of_its_first_fetch_for_ever(desk: Desk) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1, date=None))))
    desk.service.collect()
    desk.clock.turn(days=3)
    desk.service.collect()
    [article] = desk.cache()["articles"]
    assert (article["published"], article["date_is_estimated"], article["date_note"]) == (
        "2026-01-05T12:00:00Z", True, "missing",
    )  # fmt: skip


def test_an_article_is_kept_once_over_feeds_and_runs(desk: Desk) -> None:
    desk.paths("/a", "/b")
    same = item(1)
    other_link = item(9, title="Notice number 1 of the bank")
    tracked = item(1).replace("<guid>g1</guid>", "").replace("com/1<", "com/1?utm_source=x<")
    desk.site.put("/a", Reply(body=rss(same, same)))
    desk.site.put("/b", Reply(body=rss(tracked, other_link)))
    assert desk.service.collect()["new"] == 1
    desk.clock.turn(minutes=10)
    assert desk.service.collect()["new"] == 0
    assert (len(desk.titles()), len(desk.archived())) == (1, 1)


def test_a_guid_that_changes_with_every_fetch_doubles_nothing(desk: Desk) -> None:
    desk.paths("/a")
    for run in range(3):
        desk.site.put("/a", Reply(body=rss(item(1).replace("g1", f"run-{run}"))))
        desk.service.collect()
        desk.clock.turn(days=2)
    assert len(desk.archived()) == 1


def test_a_guid_and_link_that_stand_on_every_item_swallow_nothing(desk: Desk) -> None:
    desk.paths("/a")
    items = [item(n).replace(f"g{n}<", "same<").replace(f"com/{n}<", "com/<") for n in range(5)]
    desk.site.put("/a", Reply(body=rss(*items)))
    assert desk.service.collect()["new"] == 5
    assert desk.service.collect()["new"] == 0


def test_the_same_title_weeks_later_is_another_article(desk: Desk) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1, title="Monetary policy decisions"))))
    desk.service.collect()
    desk.clock.turn(days=42)
    desk.site.put("/a", Reply(body=rss(item(2, title="Monetary policy decisions", date=desk.clock.at))))
    assert desk.service.collect()["new"] == 1


def test_the_newest_500_are_at_hand_and_all_are_in_the_archive(desk: Desk) -> None:
    desk.paths("/a")
    items = [item(n, date=START - timedelta(minutes=n)) for n in range(700)]
    desk.site.put("/a", Reply(body=rss(*items)))
    told = desk.service.collect()
    assert (told["new"], told["held"], told["archived"]) == (700, CACHE_LIMIT, 700)
    assert desk.titles()[0] == "Notice number 0 of the bank"
    assert desk.titles()[-1] == "Notice number 499 of the bank"
    assert desk.storage.names("news/news_*.jsonl") == ["news/news_20260105.jsonl"]
    desk.clock.turn(minutes=10)
    assert desk.service.collect()["new"] == 0
    assert len({row["id"] for row in desk.archived()}) == len(desk.archived()) == 700


def test_an_unchanged_feed_is_not_sent_again(desk: Desk) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1)), etag='"1"', last_modified="then"))
    desk.service.collect()
    told = desk.service.collect()
    assert (status(told), told["not_modified"]) == ({"/a": "not_modified"}, 1)
    assert desk.site.asked[-1][1]["if-none-match"] == '"1"'
    assert len(desk.titles()) == 1


def test_a_feed_that_says_not_modified_for_months_brings_nothing_back_when_it_changes(desk: Desk) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1)), etag='"1"'))
    desk.service.collect()
    for _ in range(4):
        desk.clock.turn(days=20)
        assert desk.service.collect()["not_modified"] == 1
    desk.site.put("/a", Reply(body=rss(item(2, date=desk.clock.at), item(1)), etag='"2"'))
    assert desk.service.collect()["new"] == 1


def test_one_feed_that_fails_is_named_and_the_others_go_on(desk: Desk) -> None:
    desk.paths("/good", "/gone", "/page", "/bomb", "/big")
    desk.site.put("/good", Reply(body=rss(item(1))))
    desk.site.put("/page", Reply(body=b"<!DOCTYPE html><html>Blocked</html>", content_type="text/html"))
    desk.site.put("/bomb", Reply(body=b'<!DOCTYPE x [<!ENTITY a "b">]><rss version="2.0"/>'))
    desk.site.put("/big", Reply(body=b"x" * 10_000_001))
    told = desk.service.collect()
    reasons = {feed["name"]: feed.get("reason", "") for feed in told["feeds"]}
    assert (told["ok"], told["failed"], told["new"]) == (1, 4, 1)
    assert "404" in reasons["/gone"]
    assert "a web page" in reasons["/page"]
    assert "entities" in reasons["/bomb"]
    assert "larger than" in reasons["/big"]
    assert status(desk.cache()) == status(told)


def test_a_malformed_feed_is_read_and_said(desk: Desk) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1, title="S&P 500 up on the day"))))
    told = desk.service.collect()
    assert told["feeds"][0]["status"] == "ok"
    assert "not well-formed" in told["feeds"][0]["malformed"]
    assert desk.titles() == ["S&P 500 up on the day"]


def test_when_every_feed_fails_that_is_a_failure_and_the_old_news_stay_with_their_age(desk: Desk) -> None:
    desk.paths("/a", "/b")
    desk.site.put("/a", Reply(body=rss(item(1))))
    desk.service.collect()
    desk.site.put("/a", Reply(status=500))
    desk.clock.turn(hours=2)
    with pytest.raises(Unavailable) as caught:
        desk.service.collect()
    assert caught.value.code == "all_feeds_failed"
    assert "answered 500" in caught.value.message
    assert [feed["status"] for feed in caught.value.details["feeds"]] == ["failed", "failed"]
    cache = desk.cache()
    assert (cache["stale"], cache["fetched_at"], cache["checked_at"]) == (
        True, "2026-01-05T12:00:00Z", "2026-01-05T14:00:00Z",
    )  # fmt: skip
    assert len(cache["articles"]) == 1
    assert desk.page().age_seconds == 7200
    assert desk.page().stale


def test_a_first_failure_writes_no_news(desk: Desk) -> None:
    desk.paths("/a")
    with pytest.raises(Unavailable):
        desk.service.collect()
    assert not desk.storage.exists(CACHE)
    page = desk.page()
    assert page.articles is None
    assert "no feed has answered so far" in str(page.reason)
    assert page.feeds is not None
    assert (page.feeds[0].status, page.feeds[0].failures) == ("failed", 1)
    assert "answered 404" in str(page.feeds[0].reason)


def test_a_server_that_asks_to_wait_is_left_alone(desk: Desk) -> None:
    desk.paths("/a", "/b")
    desk.site.put("/a", Reply(status=429, retry_after="1800"))
    desk.site.put("/b", Reply(body=rss(item(1))))
    assert status(desk.service.collect()) == {"/a": "failed", "/b": "ok"}
    desk.site.put("/a", Reply(body=rss(item(2))))
    desk.clock.turn(minutes=29)
    desk.site.asked.clear()
    told = desk.service.collect()
    assert status(told) == {"/a": "waiting", "/b": "ok"}
    assert "2026-01-05T12:30:00Z" in told["feeds"][0]["reason"]
    assert [path for path, _ in desk.site.asked] == ["/b"]
    desk.clock.turn(minutes=1)
    assert status(desk.service.collect()) == {"/a": "ok", "/b": "ok"}


def test_a_run_that_is_killed_after_the_archive_doubles_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1), item(2)), etag='"1"'))

    class Killed(BaseException):
        """Stands for kill -9."""

    def die(*_: object) -> None:
        raise Killed

    for step in ("save_document", "save_index", "save_states"):
        with monkeypatch.context() as patched:
            patched.setattr(NewsFiles, step, die)
            with pytest.raises(Killed):
                desk.service.collect()
    desk.clock.turn(days=1)
    desk.service.collect()
    assert (len(desk.archived()), len(desk.titles())) == (2, 2)


@pytest.mark.parametrize("lost", [CACHE, "news/seen.json", "news/feeds_state.json"])
def test_a_lost_or_corrupt_file_is_made_anew_from_the_archive(desk: Desk, lost: str) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1), item(2)), etag='"1"'))
    desk.service.collect()
    before = desk.titles()
    desk.storage.delete(lost)
    desk.service.collect()
    assert (desk.titles(), len(desk.archived())) == (before, 2)
    desk.storage.path(lost).write_bytes(b'{"half": ')
    told = desk.service.collect()
    assert "set aside" in told["problems"][0]
    assert (desk.titles(), len(desk.archived())) == (before, 2)
    for other in (b'{"articles": [5], "seen": [5]}', b'{"articles": 5, "seen": 5}', b"{}", b"[]"):
        desk.storage.path(lost).write_bytes(other)
        desk.service.collect()
        assert (desk.titles(), len(desk.archived())) == (before, 2)


def test_a_line_that_a_killed_run_left_half_is_written_anew_and_once(desk: Desk) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1), item(2)), etag='"1"'))
    desk.service.collect()
    archive = desk.storage.path("news/news_20260105.jsonl")
    whole = archive.read_bytes()
    for cut in (1, 2, 40, len(whole.splitlines()[1]), len(whole.splitlines()[1]) + 1, len(whole)):
        archive.write_bytes(whole[:-cut])
        for name in (CACHE, "news/seen.json", "news/feeds_state.json"):
            desk.storage.delete(name)
        desk.service.collect()
        assert sorted(row["guid"] for row in desk.archived()) == ["g1", "g2"]


def test_a_symbol_map_that_cannot_be_used_costs_the_symbols_and_no_news(tmp_path: Path) -> None:
    def broken() -> Mapping[str, tuple[str, ...]]:
        raise Invalid("bad_symbol_map", "config/symbol_map.csv has no header")

    desk = Desk(tmp_path, Site(), symbols=broken)
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1))))
    told = desk.service.collect()
    assert (told["new"], told["problems"]) == (1, ["config/symbol_map.csv has no header"])


def test_with_nothing_held_no_feed_is_asked_whether_it_changed(desk: Desk) -> None:
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1)), etag='"1"'))
    desk.service.collect()
    for name in [CACHE, "news/seen.json", *desk.storage.names("news/news_*.jsonl")]:
        desk.storage.delete(name)
    assert desk.service.collect()["new"] == 1


def test_feeds_are_fetched_at_the_same_time(tmp_path: Path) -> None:
    together = threading.Barrier(4, timeout=20)

    class Meeting:
        def get(self, url: str, **_: Any) -> Fetched:
            together.wait()  # breaks unless four are here at once
            return Fetched(url=url, body=rss(item(1)))

    desk = Desk(tmp_path, Site(), Meeting())
    desk.paths("/a", "/b", "/c", "/d")
    assert desk.service.collect()["ok"] == 4


def test_no_feed_enabled_is_said_and_is_no_failure(desk: Desk) -> None:
    desk.feeds({"name": "a", "url": "https://example.com/", "enabled": False})
    told = desk.service.collect()
    assert (told["status"], told["feeds"]) == ("no_feed_enabled", [])
    page = desk.page()
    assert (page.articles, page.fetched_at) == (None, None)
    assert "no feed is enabled in config/rss_feeds.json" in str(page.reason)


def test_a_broken_entry_is_named_and_the_rest_goes_on(desk: Desk) -> None:
    desk.site.put("/a", Reply(body=rss(item(1))))
    desk.feeds(
        {"name": "good", "url": desk.site.url("/a"), "priority": 3},
        {"name": "file", "url": "file:///etc/passwd"},
        {"name": "path", "url": "/etc/passwd"},
        {"name": "no address"},
        {"name": "good", "url": desk.site.url("/b")},
        {"name": "slow", "url": desk.site.url("/c"), "timeout": 0},
        {"name": "money", "url": desk.site.url("/d"), "currencies": ["dollars"]},
        "nonsense",
    )
    told = desk.service.collect()
    assert status(told) == {"good": "ok"}
    assert [problem.split(":")[0] for problem in told["problems"]] == [
        "config/rss_feeds.json /feeds/0/priority",
        "config/rss_feeds.json /feeds/1/url",
        "config/rss_feeds.json /feeds/2/url",
        "config/rss_feeds.json /feeds/3/url",
        "config/rss_feeds.json /feeds/4/name",
        "config/rss_feeds.json /feeds/5/timeout",
        "config/rss_feeds.json /feeds/6/currencies/0",
        "config/rss_feeds.json /feeds/7",
    ]
    assert "never local files" in told["problems"][1]


def test_a_list_with_nothing_but_broken_entries_is_a_failure(desk: Desk) -> None:
    desk.feeds({"name": "file", "url": "file:///etc/passwd"})
    with pytest.raises(Invalid, match="/feeds/0/url"):
        desk.service.collect()


@pytest.mark.parametrize("text", ["{", "5", '{"feeds": {}}', ""])
def test_a_list_that_is_none_is_a_failure_that_names_the_file(desk: Desk, text: str) -> None:
    (desk.config / "rss_feeds.json").write_text(text, encoding="utf-8")
    with pytest.raises(Invalid, match=r"config/rss_feeds\.json"):
        desk.service.collect()


def test_a_missing_list_is_named_and_a_plain_list_is_taken(desk: Desk) -> None:
    with pytest.raises(Invalid, match="does not exist"):
        desk.service.collect()
    desk.site.put("/a", Reply(body=rss(item(1))))
    (desk.config / "rss_feeds.json").write_text(
        json.dumps([{"name": "a", "url": desk.site.url("/a")}]), encoding="utf-8"
    )
    assert desk.service.collect()["ok"] == 1


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"currencies": {"USD": ["Fed"], "dollar": ["x"]}}, "/currencies/dollar"),
        ({"currencies": {"USD": ["Fed"], "EUR": "ECB"}}, "/currencies/EUR"),
        ({"currencies": {"USD": ["Fed"], "EUR": ["ECB", 5]}}, "/currencies/EUR/1"),
        ([], "/currencies"),
        ({"currencies": {"USD": ["Fed"]}, "symbols": {"XAU USD": ["gold"]}}, "/symbols/XAU USD"),
        ({"currencies": {"USD": ["Fed"]}, "symbols": {"XAUUSD": "gold"}}, "/symbols/XAUUSD"),
        ({"currencies": {"USD": ["Fed"]}, "symbols": ["XAUUSD"]}, "/symbols"),
    ],
)
def test_broken_tags_are_named_and_stop_nothing(desk: Desk, tags: Any, said: str) -> None:
    desk.tags(tags)
    desk.paths("/a")
    desk.site.put("/a", Reply(body=rss(item(1, title="Fed speaks to the press"))))
    told = desk.service.collect()
    assert any(f"config/news_tags.json {said}: " in problem for problem in told["problems"])
    expected = ["USD"] if isinstance(tags, dict) else []
    assert desk.cache()["articles"][0]["currencies"] == expected


def test_the_shipped_lists_are_good_and_only_official_feeds_are_enabled() -> None:
    config = Path(__file__).resolve().parents[3] / "config"
    feeds, tags = load_feeds(config / "rss_feeds.json"), load_tags(config / "news_tags.json")
    assert (feeds.problems, tags.problems) == ((), ())
    assert len(feeds.enabled) >= 6
    assert {feed.category for feed in feeds.enabled} == {"central_bank"}
    assert all(feed.url.startswith("https://") for feed in feeds.feeds)


def ask(root: Path, *replies: Reply, allow: bool = True, seconds: float = 5) -> Sequence[dict[str, Any]]:
    with serving() as site:
        desk = Desk(root, site, HttpFetcher(Hands(), allow_private=allow))
        feeds: list[dict[str, Any]] = [{"name": "0 good", "url": site.put("/good", Reply(body=rss(item(1))))}]
        for number, reply in enumerate(replies, 1):
            url = site.put(f"/{number}", reply)
            feeds.append({"name": f"{number}", "url": url, "timeout": seconds})
        desk.feeds(*feeds)
        try:
            told: Sequence[dict[str, Any]] = desk.service.collect()["feeds"]
        except Unavailable as error:
            told = error.details["feeds"]
        return told


def test_over_real_sockets_what_must_be_refused_is(tmp_path: Path) -> None:
    good, *refused = ask(
        tmp_path,
        Reply(body=bytes(100_000_000)),
        Reply(endless=True),
        Reply(status=302, location="http://169.254.169.254/latest/meta-data"),
        Reply(status=302, location="file:///etc/passwd"),
        Reply(body=b'<!DOCTYPE l [<!ENTITY a "ha">]><rss version="2.0"/>'),
        seconds=1,
    )
    assert (good["status"], good["new"]) == ("ok", 1)
    words = ["more than 10000000 bytes", "in time", "metadata", "never local files", "entities"]
    assert [feed["status"] for feed in refused] == ["failed"] * 5
    for feed, word in zip(refused, words, strict=True):
        assert word in feed["reason"]


def test_private_addresses_are_refused_unless_allowed(tmp_path: Path) -> None:
    told = ask(tmp_path, allow=False)
    assert told[0]["status"] == "failed"
    assert "MT5UI_ALLOW_PRIVATE_ADDRESSES" in told[0]["reason"]
