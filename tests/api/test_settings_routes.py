"""/api/integrations, /api/feeds, /api/symbols: shown as they are, changed on record, tried really."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.feeds import FeedparserReader
from backend.adapters.fetch import HttpFetcher
from backend.control.feeds import FeedDesk
from backend.economic_calendar.files import STATE
from backend.journal.record import Kind
from backend.market.specifications import Specifications
from tests.fakes.fetcher import Reply
from tests.fakes.http import TestClient
from tests.fakes.instruments import instrument
from tests.fakes.services import NOW, FakeDesk

KEY = "canary0123456789abcdef"
RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>
<item><title>Rates</title>
<link>http://site.test/1</link><pubDate>Mon, 05 Jan 2026 08:00:00 GMT</pubDate></item>
</channel></rss>"""
MAP = """# what we trade
canonical,broker_symbol,enabled,min_vol,vol_step,comment

EURUSD,EURUSD.r,true,0.01,0.01,"Euro, dollar"
# the metals
XAUUSD,GOLD,false,,,
"""


def records(desk: FakeDesk, kind: Kind = Kind.SETTINGS_CHANGE) -> list[dict[str, Any]]:
    return [{"actor": one.actor, **one.payload} for one in desk.journal.newest(kind=kind)][::-1]


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# --- integrations


@pytest.fixture
def integrations(desk: FakeDesk) -> Path:
    path = desk.settings.config_dir / "api_integrations.json"
    document = {
        "older_part": {"api_key": "kept-as-it-is"},
        "economic_calendar": {
            "provider": "forexfactory",
            "finnhub": {"base_url": "http://site.test/finnhub"},
        },
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def of(client: TestClient, name: str) -> dict[str, Any]:
    rows = client.get("/api/integrations").json()["integrations"]
    return next(row for row in rows if row["name"] == name)


@pytest.mark.usefixtures("integrations")
def test_each_is_told_and_one_calendar_is_in_use(client: TestClient) -> None:
    told = client.get("/api/integrations").json()
    assert (told["update_minutes"], told["max_age_hours"]) == (60, 48)
    assert [(row["name"], row["in_use"]) for row in told["integrations"]] == [
        ("forexfactory", True),
        ("finnhub", False),
        ("fmp", False),
        ("tradingeconomics", False),
        ("mql5", False),
        ("csv", False),
        ("terminal", True),
        ("broker", True),
    ]
    finnhub = of(client, "finnhub")
    assert (finnhub["host"], finnhub["key"], finnhub["key_problem"]) == ("site.test", None, "no key is kept")
    assert (finnhub["fetched_at"], finnhub["failures"]) == (None, None)  # never asked: not zero


def test_a_change_is_on_record_with_before_and_after_and_leaves_the_rest_of_the_file(
    client: TestClient, desk: FakeDesk, integrations: Path
) -> None:
    body = {"choose": True, "settings": {"days_ahead": 7}, "update_minutes": 120}
    answer = client.patch("/api/integrations/finnhub", json=body)
    assert (answer.status_code, answer.json()["in_use"]) == (200, True)
    document = json.loads(integrations.read_text())
    assert document["older_part"] == {"api_key": "kept-as-it-is"}
    assert document["economic_calendar"]["finnhub"] == {
        "base_url": "http://site.test/finnhub",
        "days_ahead": 7,
    }
    (told,) = records(desk)
    assert (told["actor"], told["file"]) == ("local", "config/api_integrations.json")
    assert told["changes"]["provider"] == ["forexfactory", "finnhub"]
    assert told["changes"]["update_minutes"] == [60, 120]
    assert "kept-as-it-is" not in json.dumps(told)


def test_who_read_an_older_file_changes_nothing(
    client: TestClient, desk: FakeDesk, integrations: Path
) -> None:
    seen = client.get("/api/integrations").headers["ETag"]
    assert (
        client.patch("/api/integrations/fmp", json={"choose": True}, headers={"If-Match": seen}).status_code
        == 200
    )
    before = integrations.read_bytes()
    late = client.patch("/api/integrations/csv", json={"choose": True}, headers={"If-Match": seen})
    assert code(late) == (409, "settings_changed")
    assert integrations.read_bytes() == before
    assert len(records(desk)) == 1


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("nobody", {"choose": True}, (404, "unknown_integration")),
        ("terminal", {"choose": True}, (422, "not_here")),
        ("finnhub", {"settings": {"api_key": KEY}}, (422, "bad_config")),
        ("finnhub", {"settings": {"base_url": "file:///etc/passwd"}}, (422, "bad_config")),
        ("finnhub", {"settings": {"base_url": "http://u:p@site.test/"}}, (422, "bad_config")),
        ("finnhub", {"settings": {"timeout": 1e9}}, (422, "bad_config")),
        ("finnhub", {"update_minutes": 1}, (422, "bad_config")),
        ("finnhub", {"settings": {"days_back": True}}, (422, "bad_config")),
        ("finnhub", {"choose": "yes"}, (422, "invalid_request")),
        ("finnhub", {"provider": "fmp"}, (422, "invalid_request")),
    ],
)
def test_what_would_be_wrong_changes_nothing(
    client: TestClient, desk: FakeDesk, integrations: Path, name: str, body: Any, expected: tuple[int, str]
) -> None:
    before = integrations.read_bytes()
    answer = client.patch(f"/api/integrations/{name}", json=body)
    assert code(answer) == expected
    assert KEY not in answer.text
    assert integrations.read_bytes() == before
    assert records(desk) == []


def test_a_file_that_is_broken_by_hand_is_named_and_left(client: TestClient, integrations: Path) -> None:
    integrations.write_text("{", encoding="utf-8")
    assert code(client.get("/api/integrations")) == (422, "bad_config")
    assert code(client.patch("/api/integrations/csv", json={"choose": True})) == (422, "bad_config")
    assert integrations.read_text() == "{"


@pytest.mark.usefixtures("integrations")
def test_a_key_is_kept_encrypted_shown_masked_and_never_told(client: TestClient, desk: FakeDesk) -> None:
    answer = client.put("/api/integrations/finnhub/key", json={"key": f" {KEY}\n"})
    assert answer.json()["key"] == "••••cdef"
    kept = [path.read_bytes() for path in desk.settings.home.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in data for data in kept)
    (told,) = records(desk, Kind.SECURITY)
    assert (told["event"], told["name"]) == ("secret_kept", "calendar.finnhub")
    assert client.delete("/api/integrations/finnhub/key").json()["key"] is None
    assert code(client.delete("/api/integrations/finnhub/key")) == (404, "no_secret")


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("finnhub", "two words", "bad_key"),
        ("finnhub", "schlüssel", "bad_key"),
        ("finnhub", "", "invalid_request"),
        ("finnhub", "k" * 501, "invalid_request"),
        ("finnhub", {"a": KEY}, "invalid_request"),
        ("forexfactory", KEY, "no_key_wanted"),
        ("broker", KEY, "no_key_wanted"),
    ],
)
def test_what_is_no_key_is_refused_without_being_shown(
    client: TestClient, desk: FakeDesk, name: str, key: Any, expected: str
) -> None:
    answer = client.put(f"/api/integrations/{name}/key", json={"key": key})
    assert code(answer) == (422, expected)
    assert KEY not in answer.text
    assert records(desk, Kind.SECURITY) == []


@pytest.mark.usefixtures("integrations")
def test_a_try_tells_what_was_asked_and_keeps_nothing(client: TestClient, desk: FakeDesk) -> None:
    client.put("/api/integrations/finnhub/key", json={"key": KEY})
    path = "/finnhub?from=2026-01-02&to=2026-01-19"
    row = {"time": "2026-01-05 13:30:00", "country": "US", "event": "CPI", "impact": "high"}
    desk.site.put(path, Reply(body=json.dumps({"economicCalendar": [row]}).encode()))
    told = client.post("/api/integrations/finnhub/test").json()
    assert told["ok"], told
    assert told["shape"].startswith("a calendar of 1 events, 2026-01-02T00:00:00Z to 2026-01-20T00:00:00Z")
    (asked,) = told["requests"]
    assert (asked["host"], asked["status"], asked["error"]) == ("site.test", 200, None)
    assert asked["address"] == "http://site.test/finnhub?from=***&to=***"
    assert not desk.storage.exists("cache/economic_calendar.json")
    desk.site.put(path, Reply(status=401, body=KEY.encode()))
    told = client.post("/api/integrations/finnhub/test").json()
    assert (told["ok"], told["code"], told["requests"][0]["status"]) == (False, "calendar_key_refused", 401)
    assert KEY not in json.dumps(told)
    desk.site.put(path, Reply(body=b"<html>"))
    told = client.post("/api/integrations/finnhub/test").json()
    assert (told["ok"], told["code"], told["shape"]) == (False, "calendar_unexpected", None)


@pytest.mark.usefixtures("integrations")
def test_a_provider_that_asked_to_wait_is_not_asked(client: TestClient, desk: FakeDesk) -> None:
    state = {"provider": "fmp", "failures": 2, "error": "busy", "not_before": "2026-01-05T10:00:00Z"}
    desk.storage.write_json(STATE, state)
    told = client.post("/api/integrations/fmp/test").json()
    assert (told["ok"], told["code"], told["requests"]) == (False, "calendar_waiting", [])
    assert (of(client, "fmp")["failures"], of(client, "fmp")["error"]) == (2, "busy")


def test_the_terminal_and_the_broker_are_tried(client: TestClient, desk: FakeDesk) -> None:
    assert client.post("/api/integrations/broker/test").json()["ok"]
    desk.terminal.down = True
    told = client.post("/api/integrations/terminal/test").json()
    assert (told["ok"], told["code"]) == (False, "terminal_unreachable")
    assert code(client.post("/api/integrations/nobody/test")) == (404, "unknown_integration")


# --- feeds


@pytest.fixture
def feeds(desk: FakeDesk) -> Path:
    path = desk.settings.config_dir / "rss_feeds.json"
    rows = [{"name": "Bank", "url": "http://site.test/bank", "note": "mine"}, {"name": "Broken", "url": "x"}]
    path.write_text(json.dumps({"$comment": "mine", "feeds": rows}), encoding="utf-8")
    return path


def feed(client: TestClient, name: str) -> dict[str, Any]:
    return next(row for row in client.get("/api/feeds").json()["feeds"] if row["name"] == name)


def test_feeds_are_added_edited_and_removed_and_nothing_else_of_the_file_changes(
    client: TestClient, desk: FakeDesk, feeds: Path
) -> None:
    told = client.get("/api/feeds").json()
    assert [row["name"] for row in told["feeds"]] == ["Bank"]
    assert any("/feeds/1/url" in problem for problem in told["problems"])
    added = client.post("/api/feeds", json={"name": "Zwei / 2", "url": "https://two.test/rss?xy=rss"}).json()
    edited = client.patch(f"/api/feeds/{added['id']}", json={"enabled": False, "currencies": ["EUR"]})
    assert (edited.json()["status"], edited.json()["currencies"]) == ("off", ["EUR"])
    renamed = client.patch(f"/api/feeds/{feed(client, 'Bank')['id']}", json={"name": "Central bank"})
    assert renamed.json()["id"] != feed(client, "Zwei / 2")["id"]
    document = json.loads(feeds.read_text())
    assert document["$comment"] == "mine"
    assert [row["name"] for row in document["feeds"]] == ["Central bank", "Broken", "Zwei / 2"]
    assert document["feeds"][0]["note"] == "mine"
    assert client.delete(f"/api/feeds/{added['id']}").json() == {"id": added["id"], "removed": True}
    assert code(client.delete(f"/api/feeds/{added['id']}")) == (404, "unknown_feed")
    changes = [list(one["changes"]) for one in records(desk)]
    assert changes == [["Zwei / 2"], ["Zwei / 2"], ["Bank", "Central bank"], ["Zwei / 2"]]
    assert records(desk)[1]["changes"]["Zwei / 2"][0]["enabled"] is True


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "Bank", "url": "http://site.test/"}, (409, "feed_exists")),
        ({"name": "n", "url": "file:///etc/passwd"}, (422, "bad_feed")),
        ({"name": "n", "url": "javascript:alert(1)"}, (422, "bad_feed")),
        ({"name": "n", "url": "http://u:p@site.test/"}, (422, "bad_feed")),
        ({"name": "n", "url": f"http://site.test/?apikey={KEY}"}, (422, "bad_feed")),
        ({"name": "", "url": "http://site.test/"}, (422, "bad_feed")),
        ({"name": "a\nb", "url": "http://site.test/"}, (422, "bad_feed")),
        ({"name": " a", "url": "http://site.test/"}, (422, "bad_feed")),
        ({"name": "n", "url": "http://site.test/", "timeout": 0}, (422, "bad_feed")),
        ({"name": "n", "url": "http://site.test/", "currencies": ["euro"]}, (422, "bad_feed")),
        ({"name": "n", "url": "http://site.test/", "currencies": ["EUR"] * 21}, (422, "invalid_request")),
        ({"name": "n", "url": "http://site.test/", "enabled": 1}, (422, "invalid_request")),
        ({"name": "n", "url": "http://site.test/", "headers": {}}, (422, "invalid_request")),
    ],
)
def test_what_is_no_feed_is_refused(
    client: TestClient, desk: FakeDesk, feeds: Path, body: Any, expected: tuple[int, str]
) -> None:
    before = feeds.read_bytes()
    answer = client.post("/api/feeds", json=body)
    assert code(answer) == expected, answer.text
    assert KEY not in answer.text
    assert feeds.read_bytes() == before
    assert records(desk) == []


@pytest.mark.parametrize("timeout", ["NaN", "Infinity", "1e999"])
@pytest.mark.usefixtures("feeds")
def test_what_is_no_number_is_no_timeout(client: TestClient, timeout: str) -> None:
    body = f'{{"name": "n", "url": "http://site.test/", "timeout": {timeout}}}'
    answer = client.post("/api/feeds", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.usefixtures("feeds")
def test_a_feed_is_tried_and_what_goes_wrong_is_told(client: TestClient, desk: FakeDesk) -> None:
    desk.site.put("/bank", Reply(body=RSS, content_type="application/rss+xml"))
    place = f"/api/feeds/{feed(client, 'Bank')['id']}/test"
    told = client.post(place).json()
    assert told["shape"] == "a feed of 1 items, the newest of 2026-01-05T08:00:00Z", told
    assert (told["requests"][0]["status"], told["requests"][0]["bytes"]) == (200, len(RSS))
    desk.site.put("/bank", Reply(body=b"<!doctype html><html></html>"))
    told = client.post(place).json()
    assert (told["ok"], told["code"], told["requests"][0]["status"]) == (False, "not_a_feed", 200)
    desk.site.put("/bank", Reply(status=404))
    told = client.post(place).json()
    assert (told["code"], told["requests"][0]["status"]) == ("http_status", 404)
    assert not desk.storage.exists("cache/rss_news.json")


def test_addresses_of_this_network_are_refused_when_tried(
    client: TestClient, desk: FakeDesk, feeds: Path
) -> None:
    added = client.post("/api/feeds", json={"name": "n", "url": "http://127.0.0.1:9/latest/meta-data"}).json()
    parts = desk.settings.config_dir, desk.storage, desk.journal, desk.clock
    real = FeedDesk(*parts, HttpFetcher(desk.clock), FeedparserReader(), lambda: 0.0)
    told = real.test(added["id"])
    assert (told.ok, told.code) == (False, "refused_address")
    assert (told.requests[0].host, told.requests[0].status) == ("127.0.0.1", None)


# --- symbols


@pytest.fixture
def symbol_map(desk: FakeDesk) -> Path:
    path = desk.settings.config_dir / "symbol_map.csv"
    path.write_text(MAP, encoding="utf-8")
    return path


def test_symbols_show_what_the_terminal_stated_as_stored(
    client: TestClient, desk: FakeDesk, symbol_map: Path
) -> None:
    Specifications(desk.storage).keep(instrument("EURUSD"), NOW)
    euro, gold = client.get("/api/symbols").json()["symbols"]
    assert (euro["broker_symbol"], euro["specification"]["symbol"]) == ("EURUSD.r", "EURUSD")
    assert euro["stated_at"].startswith("2026-01-05T09:00:30")
    assert (gold["specification"], gold["why_none"]) == (None, "the terminal has not been asked for it yet")


def test_a_row_is_changed_and_every_other_line_stays(
    client: TestClient, desk: FakeDesk, symbol_map: Path
) -> None:
    answer = client.patch("/api/symbols/XAUUSD", json={"enabled": True, "comment": "shiny, heavy"})
    assert (answer.status_code, answer.json()["enabled"]) == (200, True)
    added = client.post(
        "/api/symbols", json={"canonical": "US30", "broker_symbol": "#US30+", "min_vol": "0.10"}
    )
    assert added.status_code == 200, added.text
    assert (
        symbol_map.read_text()
        == MAP.replace("XAUUSD,GOLD,false,,,", 'XAUUSD,GOLD,true,,,"shiny, heavy"')
        + "US30,#US30+,true,0.10,,\n"
    )
    first, second = records(desk)
    assert [cells["enabled"] for cells in first["changes"]["XAUUSD"]] == ["false", "true"]
    assert second["changes"]["US30"][0] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"canonical": "EURUSD", "broker_symbol": "X"}, (409, "symbol_exists")),
        ({"canonical": "EUR2", "broker_symbol": "GOLD"}, (422, "bad_symbol_map")),
        ({"canonical": "EUR2", "broker_symbol": "A\nB"}, (422, "bad_symbol_map")),
        (
            {"canonical": "EUR2", "broker_symbol": "X", "comment": "a\rUS30,US30,true,,,"},
            (422, "bad_symbol_map"),
        ),
        ({"canonical": "EUR2", "broker_symbol": "X", "comment": "a\u2028b"}, (422, "bad_symbol_map")),
        ({"canonical": "#EUR", "broker_symbol": "X"}, (422, "invalid_request")),
        ({"canonical": "../x", "broker_symbol": "X"}, (422, "invalid_request")),
        ({"canonical": "EUR2\n", "broker_symbol": "X"}, (422, "invalid_request")),
        ({"canonical": "EUR2", "broker_symbol": "X", "min_vol": "NaN"}, (422, "invalid_request")),
        ({"canonical": "EUR2", "broker_symbol": "X", "min_vol": -1}, (422, "invalid_request")),
        ({"canonical": "EUR2", "broker_symbol": "X" * 30}, (422, "invalid_request")),
    ],
)
def test_what_is_no_row_is_refused_before_it_is_on_record(
    client: TestClient, desk: FakeDesk, symbol_map: Path, body: Any, expected: tuple[int, str]
) -> None:
    answer = client.post("/api/symbols", json=body)
    assert code(answer) == expected, answer.text
    assert symbol_map.read_text() == MAP
    assert records(desk) == []


def test_an_edit_by_hand_is_on_record_at_the_next_change(
    client: TestClient, desk: FakeDesk, symbol_map: Path
) -> None:
    client.patch("/api/symbols/XAUUSD", json={"enabled": True})
    symbol_map.write_text(symbol_map.read_text().replace("EURUSD.r", "EURUSD.x"), encoding="utf-8")
    assert code(client.patch("/api/symbols/NONE", json={"enabled": True})) == (404, "unknown_symbol")
    assert [one["actor"] for one in records(desk)] == ["local", "file"]
    assert records(desk)[1]["changes"]["EURUSD"][1]["broker_symbol"] == "EURUSD.x"
