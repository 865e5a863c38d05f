"""Ideas, decisions, prices, strategies and calendar as the files have them."""

from datetime import timedelta
from typing import Any

import pytest

from backend.core.clock import iso
from backend.economic_calendar.model import CalendarView, Event, Impact
from backend.journal.record import Kind
from tests.fakes.http import TestClient
from tests.fakes.services import NOW, FakeDesk

DAY = timedelta(days=1)


def idea(number: int, **changes: Any) -> dict[str, Any]:
    row = {"id": f"idea-{number}", "symbol": "EURUSD", "status": "pending_approval", "strategy_id": "S1"}
    return row | {"created_at": iso(NOW)} | changes


def test_ideas_are_listed_filtered_and_paged(client: TestClient, desk: FakeDesk) -> None:
    desk.ideas.rows = [idea(5), idea(4, symbol="XAUUSD"), idea(3), idea(2, status="expired"), idea(1)]
    first = client.get("/api/trade-ideas", params={"symbol": "EURUSD", "limit": 2}).json()
    assert [one["id"] for one in first["items"]] == ["idea-5", "idea-3"]
    rest = client.get("/api/trade-ideas", params={"symbol": "EURUSD", "cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in rest["items"]] == ["idea-2", "idea-1"]
    assert rest["next_cursor"] is None
    expired = client.get("/api/trade-ideas", params={"status": "expired"}).json()
    assert [one["id"] for one in expired["items"]] == ["idea-2"]
    assert client.get("/api/trade-ideas", params={"cursor": "gone"}).status_code == 422


def test_one_idea(client: TestClient, desk: FakeDesk) -> None:
    desk.ideas.rows = [idea(1)]
    assert client.get("/api/trade-ideas/idea-1").json() == idea(1)
    assert client.get("/api/trade-ideas/idea-2").status_code == 404


def record(desk: FakeDesk, number: int, **payload: Any) -> None:
    payload = {"symbol": "EURUSD", "strategy_id": "S1", "action": "observe"} | payload
    desk.journal.append(Kind.DECISION, payload, actor="schedule", key=f"d{number}")


def test_decisions_are_listed_filtered_and_paged(client: TestClient, desk: FakeDesk) -> None:
    for number in range(1, 6):
        record(desk, number, action="blocked" if number % 2 else "observe")
    desk.journal.append(Kind.HALT, {}, actor="local")
    first = client.get("/api/decisions", params={"action": "blocked", "limit": 2}).json()
    assert [one["id"] for one in first["items"]] == ["d5", "d3"]
    rest = client.get(
        "/api/decisions", params={"action": "blocked", "limit": 2, "cursor": first["next_cursor"]}
    ).json()
    assert [one["id"] for one in rest["items"]] == ["d1"]
    assert rest["next_cursor"] is None
    assert client.get("/api/decisions", params={"symbol": "XAUUSD"}).json()["items"] == []
    assert client.get("/api/decisions", params={"since": "2026-01-05T09:00:31Z"}).json()["items"] == []
    assert len(client.get("/api/decisions", params={"until": "2026-01-05T09:00:31Z"}).json()["items"]) == 5


def test_decisions_are_filtered_by_what_they_are_and_counted(client: TestClient, desk: FakeDesk) -> None:
    refused = [{"check": "news_embargo"}, {"check": "session"}]
    record(desk, 1, signal="long", timeframe="H1", confidence={"score": 80.5}, refusals=refused)
    record(desk, 2, missed=True, confidence={"score": 41.0}, refusals=refused[:1], idea_id=None)
    for query, ids in (
        ({"signal": "long"}, ["d1"]),
        ({"signal": "none"}, ["d2"]),
        ({"timeframe": "H1"}, ["d1"]),
        ({"refused_by": "news_embargo"}, ["d2", "d1"]),
        ({"refused_by": "session"}, ["d1"]),
        ({"min_confidence": 80.5}, ["d1"]),
        ({"max_confidence": 80.4}, ["d2"]),
        ({"missed": True}, ["d2"]),
        ({"idea": True}, []),
    ):
        assert [one["id"] for one in client.get("/api/decisions", params=query).json()["items"]] == ids
        assert client.get("/api/decisions/stats", params=query).json()["total"] == len(ids)
    stats = client.get("/api/decisions/stats").json()
    assert stats["by_check"] == {
        "news_embargo": {"decisions": 2, "alone": 1},
        "session": {"decisions": 1, "alone": 0},
    }
    assert (stats["by_signal"], stats["missed"]) == ({"none": 1, "long": 1}, 1)
    assert client.get("/api/decisions", params={"signal": "sideways"}).status_code == 422
    assert client.get("/api/decisions", params={"min_confidence": 101}).status_code == 422


def test_why_not_is_null_with_a_reason_while_nothing_is_computed(client: TestClient, desk: FakeDesk) -> None:
    whole: dict[str, Any] = {"signal": "long", "levels": {}, "size": {}}
    record(desk, 1, **whole, refusals=[{"check": "session"}])
    record(desk, 2, refusals=[{"check": "session"}])
    page = client.get("/api/decisions/why-not").json()
    [check] = page["checks"]
    assert (page["total"], check["check"], check["decisions"], check["alone"]) == (2, "session", 2, 2)
    assert (check["together"]["ideas"], check["together"]["known"], check["together"]["net"]) == (1, 0, None)
    [(why, count)] = check["together"]["unknown"].items()
    assert (why.startswith("not computed yet"), count) == (True, 1)


def test_a_record_without_inputs_says_so(client: TestClient, desk: FakeDesk) -> None:
    record(desk, 1)
    for path in ("/api/decisions/d1?inputs=true", "/api/decisions/d1/replay"):
        assert client.get(path).json()["error"]["code"] == "no_inputs"
    assert client.get("/api/decisions/d9/replay").status_code == 404


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "٣"])
def test_a_bad_cursor_is_refused(client: TestClient, cursor: str) -> None:
    assert client.get("/api/decisions", params={"cursor": cursor}).status_code == 422


def test_one_decision_with_its_place_in_the_journal(client: TestClient, desk: FakeDesk) -> None:
    record(desk, 1, score=61.5)
    one = client.get("/api/decisions/d1").json()
    assert one["decision"]["score"] == 61.5
    assert one["actor"] == "schedule"
    assert len(one["hash"]) == 64
    assert client.get("/api/decisions/d2").status_code == 404


def test_a_quote_is_exact_and_has_its_age(client: TestClient, desk: FakeDesk) -> None:
    quote = client.get("/api/market/EURUSD/quote").json()
    assert (quote["bid"], quote["ask"], quote["spread"]) == ("1.10000", "1.10008", "0.00008")
    assert quote["age_seconds"] == 2.0
    desk.terminal.down = True
    away = client.get("/api/market/EURUSD/quote")
    assert away.status_code == 503
    assert away.json()["error"]["details"] == {"terminal_code": -10005}
    assert client.get("/api/market/NOSUCH/quote").status_code == 404


def test_bars_stay_readable_while_the_terminal_is_away(client: TestClient, desk: FakeDesk) -> None:
    desk.terminal.down = True
    bars = client.get("/api/market/EURUSD/bars", params={"timeframe": "H1", "count": 2}).json()
    assert bars["count"] == 2
    assert bars["close"] == [1.2, 1.3]
    assert bars["time"][1] - bars["time"][0] == 3600
    assert bars["age_seconds"] == 30  # the last bar ended at 09:00:00, desk time is 09:00:30
    assert bars["reason"] is None


def test_no_bars_is_null_with_a_reason(client: TestClient) -> None:
    bars = client.get("/api/market/XAUUSD/bars", params={"timeframe": "D1"}).json()
    assert (bars["count"], bars["close"], bars["time"], bars["age_seconds"]) == (0, None, None, None)
    assert "XAUUSD D1" in bars["reason"]


@pytest.mark.parametrize(
    "query", [{"timeframe": "H5"}, {"count": 0}, {"count": 100_001}, {"cursor": "-1"}, {"until": "x"}]
)
def test_bad_bar_requests(client: TestClient, query: dict[str, Any]) -> None:
    assert client.get("/api/market/EURUSD/bars", params=query).status_code == 422


def test_strategies_and_their_problems(client: TestClient, desk: FakeDesk) -> None:
    (desk.settings.config_dir / "ai/strategies/BROKEN.json").write_text('{"id": 1}', encoding="utf-8")
    listed = client.get("/api/strategies").json()
    assert [one["id"] for one in listed["strategies"]] == ["EURUSD_H1"]
    problems = client.get("/api/strategies/problems").json()["problems"]
    assert problems == listed["problems"]
    assert all(one["file"].endswith("BROKEN.json") and one["reason"] for one in problems)
    assert client.get("/api/strategies/EURUSD_H1").json()["timeframe"] == "H1"
    assert client.get("/api/strategies/BROKEN").status_code == 422
    assert client.get("/api/strategies/NONE").status_code == 404


def test_the_language_of_strategies(client: TestClient) -> None:
    facts = client.get("/api/strategies/facts").json()["facts"]
    assert len(facts) == 38
    assert all(fact["meaning"] and fact["formula"] for fact in facts)
    schema = client.get("/api/strategies/schema").json()
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_an_unknown_calendar_is_null_with_a_reason(client: TestClient) -> None:
    calendar = client.get("/api/calendar").json()
    assert calendar["known"] is False
    assert calendar["events"] is None
    assert calendar["age_seconds"] is None
    assert calendar["reason"]


def test_a_stale_calendar_is_served_with_its_age(client: TestClient, desk: FakeDesk) -> None:
    def event(currency: str) -> Event:
        return Event(key=currency, title="CPI", currency=currency, at=NOW, impact=Impact.HIGH)

    desk.calendar.view = CalendarView(
        known=True,
        provider="forexfactory",
        fetched_at=NOW - timedelta(hours=3),
        age=timedelta(hours=3),
        stale=True,
        covered_from=NOW - timedelta(days=1),
        covered_to=NOW + timedelta(days=1),
        events=(event("USD"), event("EUR"), event("ALL")),
    )
    calendar = client.get("/api/calendar", params={"currency": "usd"}).json()
    assert calendar["stale"] is True
    assert calendar["age_seconds"] == 10800
    assert [one["currency"] for one in calendar["events"]] == ["USD", "ALL"]
    assert calendar["reason"] is None
    assert client.get("/api/calendar", params={"currency": "US1"}).status_code == 422
    assert client.get("/api/calendar", params={"as_of": "2026-01-05T09:00:00"}).status_code == 422


def test_the_calendar_of_a_time_of_ones_own(client: TestClient, desk: FakeDesk) -> None:
    at = NOW + timedelta(hours=1)
    event = Event(key="k", title="CPI", currency="USD", at=at, impact=Impact.HIGH)
    desk.calendar.view = CalendarView(known=True, covered_from=NOW, covered_to=NOW + DAY, events=(event,))
    asked = {"from": iso(NOW), "to": iso(NOW + DAY)}
    page = client.get("/api/calendar", params=asked).json()
    assert [one["title"] for one in page["events"]] == ["CPI"]
    assert (page["begin"], page["end"]) == (asked["from"], asked["to"])
    later = {"from": iso(NOW + 2 * DAY), "to": iso(NOW + 3 * DAY)}
    assert client.get("/api/calendar", params=later).json()["events"] == []
    for bad in (
        {"from": asked["to"], "to": asked["from"]},
        {"from": "2000-01-01T00:00:00Z", "to": asked["to"]},
        {"from": "2000-01-01T00:00:00"},
        {"from": "soon"},
    ):
        assert client.get("/api/calendar", params=bad).status_code == 422, bad


def test_pauses_ahead_are_told(client: TestClient, desk: FakeDesk) -> None:
    at = NOW + timedelta(hours=2)
    event = Event(key="k", title="CPI", currency="USD", at=at, impact=Impact.HIGH)
    desk.calendar.view = CalendarView(known=True, covered_from=NOW, covered_to=NOW + DAY, events=(event,))
    page = client.get("/api/calendar/embargoes", params={"symbol": "EURUSD"}).json()
    assert page["known"] is True
    assert [each["start"] for each in page["windows"]] == [iso(at - timedelta(minutes=30))]
    assert "for USD CPI" in page["windows"][0]["text"]
    assert client.get("/api/calendar/embargoes", params={"symbol": "NOSUCH"}).status_code == 404
    assert client.get("/api/calendar/embargoes", params={"hours": 0}).status_code == 422
