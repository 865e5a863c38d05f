"""A rulebook's bans at work on what is open and waits: strategies' trades and persons'."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import DeskError
from backend.economic_calendar.model import CalendarView, Event, Impact
from backend.ideas.lifecycle import Act
from backend.orders.tickets import Ticket
from backend.strategies.model import OrderType
from backend.trading.sides import Side
from tests.unit.orders.test_managing import Managed

FRIDAY_EVENING: Any = {"day": 6, "hour": 20, "minute": 30}
"""22:30 on the server, an hour and a half before the weekend."""


def under(desk: Managed, **rules: Any) -> Managed:
    desk.live.desk.control.put_rulebook({"name": "test", **rules}, actor="ann", reason="begin")
    return desk


def by_hand(desk: Managed) -> None:
    """The open trade becomes a person's."""
    desk.live.desk.book.step(desk.idea_id, Act.RECORD, actor="test", changes={"strategy_id": None})


def releases(desk: Managed, at: datetime, impact: Impact = Impact.HIGH) -> None:
    desk.live.desk.calendar.view = CalendarView(
        known=True,
        covered_from=at - timedelta(days=7),
        covered_to=at + timedelta(days=7),
        events=(Event(key="payrolls", title="Payrolls", currency="USD", impact=impact, at=at),),
    )


def what(report: dict[str, Any]) -> list[str]:
    return [str(each["what"]) for each in report["done"]]


# --- weekend


def test_a_strategy_s_trade_leaves_on_its_week_s_last_bar(tmp_path: Path) -> None:
    desk = under(Managed(tmp_path), flat_before_weekend=True)
    desk.live.desk.clock.at = desk.live.desk.clock.at.replace(**FRIDAY_EVENING)
    desk.open(stop=2000)
    assert what(desk.later(minutes=75)) == []
    assert what(desk.later(minutes=8)) == ["weekend"]  # 23:53: the bar of 23:50 is the week's last
    assert desk.idea["result"]["exit_reason"] == "weekend"


def test_without_the_ban_it_is_held(tmp_path: Path) -> None:
    desk = under(Managed(tmp_path), profit_target=0.1)
    desk.live.desk.clock.at = desk.live.desk.clock.at.replace(**FRIDAY_EVENING)
    desk.open(stop=2000)
    assert what(desk.later(minutes=83)) == []


def test_a_person_s_trade_leaves_in_the_week_s_last_hour(tmp_path: Path) -> None:
    desk = under(Managed(tmp_path), flat_before_weekend=True)
    desk.live.desk.clock.at = desk.live.desk.clock.at.replace(**FRIDAY_EVENING)
    desk.open(stop=2000)
    by_hand(desk)
    assert what(desk.later(minutes=29)) == []
    assert what(desk.later(minutes=2)) == ["weekend"]  # 23:01 on the server
    assert desk.idea["result"]["exit_reason"] == "weekend"


def test_a_trade_whose_strategy_is_gone_leaves_too(tmp_path: Path) -> None:
    desk = under(Managed(tmp_path), flat_before_weekend=True)
    desk.live.desk.clock.at = desk.live.desk.clock.at.replace(**FRIDAY_EVENING)
    desk.open(stop=2000)
    (tmp_path / "config" / "ai" / "strategies" / "MANAGED.json").unlink()
    report = desk.later(minutes=20)
    assert (what(report), [each["code"] for each in report["problems"]]) == ([], ["no_strategy"])
    assert what(desk.later(minutes=11)) == ["weekend"]


# --- news


@pytest.mark.parametrize(("bans", "left"), [("entries", []), ("positions", ["exit_rule"])])
def test_a_position_leaves_as_banned_news_begin_where_holding_is_banned(
    tmp_path: Path, bans: str, left: list[str]
) -> None:
    desk = under(Managed(tmp_path), news={"minutes_before": 5, "minutes_after": 5, "bans": bans})
    desk.open(stop=2000)
    releases(desk, desk.live.desk.clock.at.replace(second=0) + timedelta(minutes=30))
    assert what(desk.later(minutes=24)) == []
    assert what(desk.later(minutes=2)) == left


def test_a_person_s_trade_leaves_at_banned_news_as_well(tmp_path: Path) -> None:
    desk = under(Managed(tmp_path), news={"minutes_before": 5, "bans": "positions"})
    desk.open(stop=2000)
    by_hand(desk)
    releases(desk, desk.live.desk.clock.at + timedelta(minutes=4))
    assert what(desk.later(seconds=30)) == ["exit_rule"]


def test_an_impact_that_is_not_banned_moves_nothing(tmp_path: Path) -> None:
    desk = under(Managed(tmp_path), news={"minutes_before": 5, "bans": "positions"})
    desk.open(stop=2000)
    releases(desk, desk.live.desk.clock.at + timedelta(minutes=2), Impact.MEDIUM)
    assert what(desk.later(minutes=1)) == []


def test_an_order_by_hand_is_taken_back_at_banned_news(tmp_path: Path) -> None:
    desk = under(Managed(tmp_path), news={"minutes_before": 5})
    entry = round(float(desk.live.desk.market.quote("EURUSD").bid) - 0.0100, 5)
    ticket = Ticket(
        symbol="EURUSD",
        side=Side.BUY,
        type=OrderType.LIMIT,
        volume=0.04,
        price=entry,
        stop=round(entry - 0.002, 5),
        target=round(entry + 0.004, 5),
    )
    desk.idea_id = str(desk.live.orders.tickets.send(ticket, actor="ann")["id"])
    assert what(desk.later(minutes=1)) == []
    releases(desk, desk.live.desk.clock.at + timedelta(minutes=4))
    assert what(desk.later(seconds=10)) == ["cancel"]


def test_a_ticket_within_banned_news_is_refused(tmp_path: Path) -> None:
    # the shipped profile has 30 minutes of its own
    desk = under(Managed(tmp_path), news={"minutes_before": 45})
    releases(desk, desk.live.desk.clock.at + timedelta(minutes=44))
    with pytest.raises(DeskError, match="Payrolls"):
        desk.open(stop=2000)
    releases(desk, desk.live.desk.clock.at + timedelta(minutes=46))
    desk.open(stop=2000)


def test_a_ticket_beyond_the_rulebook_s_day_s_loss_is_refused(tmp_path: Path) -> None:
    desk = under(Managed(tmp_path), daily_loss={"limit": 0.000001, "of": "initial"})
    with pytest.raises(DeskError, match="the day's loss with all open risk"):
        desk.open(stop=2000)
