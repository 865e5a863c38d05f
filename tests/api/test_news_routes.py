"""/api/news: typed articles of any time, and the feeds, from the files alone."""

import json
from datetime import timedelta
from typing import Any

import pytest

from backend.core.clock import iso
from tests.fakes.http import TestClient
from tests.fakes.services import NOW, FakeDesk

FEED = {"name": "Bank", "url": "https://example.com/rss", "category": "central_bank", "currencies": ["EUR"]}


def collected(desk: FakeDesk, *changes: dict[str, Any]) -> None:
    (desk.settings.config_dir / "rss_feeds.json").write_text(json.dumps([FEED]), encoding="utf-8")
    rows = [
        {
            "id": f"{n}",
            "feed": "Bank",
            "category": "central_bank",
            "title": f"Notice {n}",
            "summary": "",
            "link": "https://example.com/1",
            "guid": None,
            "published": iso(NOW - timedelta(hours=n)),
            "date_is_estimated": False,
            "date_note": "",
            "fetched_at": iso(NOW),
            "currencies": ["EUR"],
            "symbols": ["EURUSD"],
        }
        | change
        for n, change in enumerate(changes)
    ]
    desk.storage.append_jsonl(f"news/news_{NOW:%Y%m%d}.jsonl", rows)
    desk.storage.write_json(
        "cache/rss_news.json", {"fetched_at": iso(NOW - timedelta(minutes=9)), "articles": rows[:1]}
    )
    state = {"failures": 0, "error": "it was slow", "failed_at": iso(NOW - timedelta(days=1))}
    state |= {"answered_at": iso(NOW - timedelta(minutes=9))}
    desk.storage.write_json("news/feeds_state.json", {FEED["url"]: state})


def test_a_desk_that_never_collected_says_so(client: TestClient) -> None:
    page = client.get("/api/news").json()
    assert page["articles"] is None
    assert page["reason"] == "no news has been collected yet"
    assert page["feeds"] is None  # this desk has no list of feeds
    assert "does not exist" in page["problems"][0]


def test_articles_beyond_the_cache_and_the_feeds(client: TestClient, desk: FakeDesk) -> None:
    collected(desk, {}, {"symbols": ["XAUUSD"], "currencies": ["USD"]}, {})
    page = client.get("/api/news").json()
    assert [one["id"] for one in page["articles"]] == ["0", "1", "2"]
    assert page["articles"][1]["symbols"] == ["XAUUSD"]
    assert (page["age_seconds"], page["stale"], page["reason"]) == (540, False, None)
    [feed] = page["feeds"]
    assert (feed["status"], feed["age_seconds"], feed["reason"]) == ("ok", 540, "it was slow")
    assert feed["failed_at"] == iso(NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"currency": "usd"}, ["1"]),
        ({"symbol": "XAUUSD"}, ["1"]),
        ({"text": "notice 2"}, ["2"]),
        ({"category": "energy"}, []),
        ({"feed": "Bank", "limit": 1}, ["0"]),
        ({"from": iso(NOW - timedelta(hours=1))}, ["0", "1"]),
        ({"to": iso(NOW - timedelta(hours=1))}, ["1", "2"]),
        ({"to": "2026-01-05T13:00:00+14:00"}, None),
    ],
)
def test_filters(client: TestClient, desk: FakeDesk, query: dict[str, Any], ids: list[str] | None) -> None:
    collected(desk, {}, {"symbols": ["XAUUSD"], "currencies": ["USD"]}, {})
    answer = client.get("/api/news", params=query)
    assert answer.status_code == 200
    if ids is not None:
        assert [one["id"] for one in answer.json()["articles"]] == ids


def test_pages(client: TestClient, desk: FakeDesk) -> None:
    collected(desk, {}, {}, {})
    first = client.get("/api/news", params={"limit": 2}).json()
    rest = client.get("/api/news", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in first["articles"] + rest["articles"]] == ["0", "1", "2"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    [
        {"currency": "US1"},
        {"limit": 0},
        {"limit": 501},
        {"cursor": "x"},
        {"from": "2026-01-05T09:00:00"},
        {"from": "soon"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"from": "2026-01-06T09:00:00Z", "to": "2026-01-05T09:00:00Z"},
        {"text": "x" * 201},
    ],
)
def test_what_makes_no_sense_is_refused(client: TestClient, query: dict[str, Any]) -> None:
    assert client.get("/api/news", params=query).status_code == 422
