"""Pauses are told ahead, for whom, and by the rule that then refuses."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Unavailable
from backend.core.instruments import Instrument
from backend.economic_calendar.embargo import EmbargoRule, embargo
from backend.economic_calendar.model import CalendarView, Event, Impact, event_key
from backend.ideas.embargoes import Embargoes
from backend.risk.limits import RiskLimits, parse_limits
from backend.strategies.files import StrategyFiles
from tests.fakes.instruments import instrument

NOW = datetime(2026, 1, 7, 9, tzinfo=UTC)


def event(hour: int, title: str, currency: str, **values: Any) -> Event:
    at = NOW.replace(hour=hour)
    given: dict[str, Any] = {"impact": Impact.HIGH, **values}
    return Event(key=event_key(at, currency, title), title=title, currency=currency, at=at, **given)


class Desk:
    """Two strategies of EURUSD, one of USDJPY, and a calendar."""

    def __init__(self, folder: Path, *events: Event, **limits: Any) -> None:
        for name, symbol, rules in (
            ("QUICK", "EURUSD", {"news_embargo_minutes": 30}),
            ("SLOW", "EURUSD", {"news_embargo_minutes": 60, "news_embargo_minutes_after": 0}),
            ("YEN", "USDJPY", {"news_embargo_minutes": 0}),
        ):
            path = folder / "strategies" / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            stated = {
                "id": name,
                "symbol": symbol,
                "timeframe": "M15",
                "conditions": {"entry": ["close > 0"]},
                "strategy": {"direction": "long", **rules},
            }
            path.write_text(json.dumps(stated), encoding="utf-8")
        self.view = CalendarView(
            known=True,
            covered_from=NOW - timedelta(days=3),
            covered_to=NOW + timedelta(days=4),
            events=events,
        )
        self.limits: RiskLimits = parse_limits(limits)
        self.embargoes = Embargoes(
            strategies=StrategyFiles(folder),
            symbols=self,
            instrument=self.instrument,
            limits=lambda: self.limits,
            calendar=self,
        )

    def enabled(self) -> tuple[str, ...]:
        return ("EURUSD", "USDJPY", "GONE")

    def as_of(self, now: datetime) -> CalendarView:
        return self.view

    def instrument(self, symbol: str) -> Instrument:
        if symbol == "GONE":
            raise Unavailable("no_terminal", "the terminal is down")
        return instrument(symbol)

    def told(self, **asked: Any) -> list[tuple[str, list[str]]]:
        page = self.embargoes.ahead(NOW, **asked)
        return [(each["text"], each["pauses"]) for each in page["windows"]]


def test_each_pause_says_when_for_what_and_whom(tmp_path: Path) -> None:
    desk = Desk(tmp_path, event(14, "ECB Rate Decision", "EUR"), event(14, "Cash Rate", "AUD"))
    assert desk.told() == [
        ("EURUSD blocked 2026-01-07 13:00–14:00 UTC for EUR ECB Rate Decision", ["SLOW"]),
        ("EURUSD blocked 2026-01-07 13:30–14:30 UTC for EUR ECB Rate Decision", ["QUICK"]),
    ]
    assert desk.told(symbol="USDJPY") == []
    assert desk.told(reach=timedelta(hours=4)) == []


def test_the_desks_own_rule_pauses_everybody_tickets_too(tmp_path: Path) -> None:
    own = {"minutes_before": 10, "minutes_after": 5, "impacts": ["medium"]}
    desk = Desk(tmp_path, event(14, "PMI", "USD", impact=Impact.MEDIUM), news_embargo=own)
    text = "blocked 2026-01-07 13:50–14:05 UTC for USD PMI"
    assert desk.told() == [
        (f"EURUSD {text}", ["QUICK", "SLOW", "manual tickets"]),
        (f"USDJPY {text}", ["YEN", "manual tickets"]),
    ]


def test_a_pause_that_is_on_is_told_and_one_that_is_over_is_not(tmp_path: Path) -> None:
    desk = Desk(tmp_path, event(9, "CPI", "USD"), event(8, "Past", "USD"))
    (only,) = desk.embargoes.ahead(NOW, symbol="EURUSD")["windows"]
    assert (only["on"], only["pauses"]) == (True, ["QUICK"])


def test_what_has_no_clock_time_is_shown_and_a_guess_is_called_one(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        event(10, "Summit", "ALL", all_day=True),
        event(12, "Speech", "USD", tentative=True),
    )
    page = desk.embargoes.ahead(NOW, symbol="EURUSD")
    assert [each["title"] for each in page["shown"]] == ["Summit"]
    assert page["windows"][-1]["text"].endswith("10:30–13:30 UTC for USD Speech (tentative time)")


def test_a_symbol_without_a_specification_is_named(tmp_path: Path) -> None:
    assert Desk(tmp_path).embargoes.ahead(NOW)["problems"] == [
        {"symbol": "GONE", "reason": "the terminal is down"}
    ]


def test_an_unknown_calendar_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.view = CalendarView.unknown("nothing was fetched")
    page = desk.embargoes.ahead(NOW)
    assert (page["known"], page["reason"], page["windows"]) == (False, "nothing was fetched", [])


@pytest.mark.parametrize("minutes", range(-61, 62, 7))
def test_what_is_told_is_what_refuses(tmp_path: Path, minutes: int) -> None:
    desk = Desk(tmp_path, event(14, "CPI", "USD"))
    moment = NOW.replace(hour=14) + timedelta(minutes=minutes)
    windows = [each for each in desk.embargoes.ahead(NOW)["windows"] if "QUICK" in each["pauses"]]
    inside = any(
        datetime.fromisoformat(each["start"]) <= moment < datetime.fromisoformat(each["end"])
        for each in windows
    )
    assert inside is embargo(desk.view, {"EUR", "USD"}, moment, EmbargoRule.of(30)).blocked
