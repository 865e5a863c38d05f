"""A person's ticket: judged by the real gate, sent once or refused with its reason, on record either way."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.control.state import HaltKind
from backend.core.errors import Conflict, DeskError, NotFound, Unavailable
from backend.core.timeframes import Timeframe
from backend.evaluation.indicators import atr
from backend.ideas.rows import MANUAL
from backend.ideas.ticket import Level, Unit
from backend.journal.record import Kind
from backend.orders.tickets import Ticket
from backend.simulator.faults import Fault, Faults
from backend.strategies.model import OrderType
from backend.trading.sides import Side
from tests.fakes.live_orders import LiveOrders


@pytest.fixture
def live(tmp_path: Path) -> LiveOrders:
    return LiveOrders(tmp_path)


def ticket(live: LiveOrders, **fields: Any) -> Ticket:
    """A market buy of 0.05 lots with the stop 20 pips and the target 40 pips away."""
    quote = live.desk.market.quote("EURUSD")
    base: dict[str, Any] = {
        "symbol": "EURUSD",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "volume": 0.05,
        "stop": round(float(quote.ask) - 0.0020, 5),
        "target": round(float(quote.ask) + 0.0040, 5),
    }
    return Ticket(**base | fields)


def send(live: LiveOrders, **fields: Any) -> dict[str, Any]:
    return live.orders.tickets.send(ticket(live, **fields), actor="ann")


def refused(live: LiveOrders, **fields: Any) -> DeskError:
    with pytest.raises(DeskError) as refusal:
        send(live, **fields)
    assert live.desk.client.positions() == ()
    assert live.dealer.orders() == ()
    return refusal.value


def test_levels_are_distances_from_the_live_price(live: LiveOrders) -> None:
    ask = live.desk.market.quote("EURUSD").ask
    send(live, stop=Level(Unit.POINTS, 250), target=Level(Unit.R, 1.5))
    (position,) = live.desk.client.positions()
    point = Decimal("0.00001")
    assert Decimal(repr(position.stop)) == ask - 250 * point
    assert Decimal(repr(position.target)) == ask + 375 * point


def test_a_level_in_atr_is_rounded_away_from_the_entry(live: LiveOrders) -> None:
    bars = live.desk.market.top_up("EURUSD", Timeframe.M15, min_bars=250)
    ranges = float(atr(bars.high, bars.low, bars.close, 14)[-1])
    bid = live.desk.market.quote("EURUSD").bid
    levels = {"stop": Level(Unit.ATR, 2.0), "target": Level(Unit.POINTS, 900), "timeframe": Timeframe.M15}
    send(live, side=Side.SELL, volume=0.01, **levels)
    (position,) = live.desk.client.positions()
    away = Decimal(repr(position.stop)) - bid
    assert Decimal(repr(2 * ranges)) <= away < Decimal(repr(2 * ranges)) + Decimal("0.00001")
    assert Decimal(repr(position.target)) == bid - Decimal("0.00900")


def test_of_a_waiting_order_distances_count_from_its_own_price(live: LiveOrders) -> None:
    price = round(float(live.desk.market.quote("EURUSD").bid) - 0.0100, 5)
    send(live, type=OrderType.LIMIT, price=price, stop=Level(Unit.POINTS, 300), target=None)
    (order,) = live.dealer.orders()
    assert order.stop == Decimal(repr(price)) - Decimal("0.00300")


@pytest.mark.parametrize(
    ("levels", "field"),
    [
        ({"stop": Level(Unit.R, 1.0)}, "stop"),
        ({"stop": Level(Unit.POINTS, 0)}, "stop"),
        ({"stop": Level(Unit.POINTS, float("nan"))}, "stop"),
        ({"stop": Level(Unit.POINTS, 1e300)}, "stop"),
        ({"target": Level(Unit.R, -1.0)}, "target"),
        ({"target": Level(Unit.PRICE, 0.5)}, "target"),
    ],
)
def test_a_level_that_is_none_is_refused_and_on_record(
    live: LiveOrders, levels: dict[str, Any], field: str
) -> None:
    error = refused(live, **levels)
    assert error.details["field"] == field
    (told,) = live.desk.journal.newest(kind=Kind.ORDER_OUTCOME)
    assert told.payload["refused"]["code"] == error.code


def test_a_market_ticket_is_an_idea_of_its_own_and_open(live: LiveOrders) -> None:
    idea = send(live, note="because")
    (position,) = live.desk.client.positions()
    assert (idea["status"], idea["origin"], idea["strategy_id"]) == ("open", MANUAL, None)
    assert [step["by"] for step in idea["history"]] == ["ann"] * 3
    wanted = ticket(live)
    assert (position.stop, position.target) == (wanted.stop, wanted.target)
    assert idea["position"]["id"] == position.identifier


def test_without_a_target_there_is_none(live: LiveOrders) -> None:
    assert send(live, target=None)["status"] == "open"
    assert live.desk.client.positions()[0].target is None


def test_without_a_volume_it_is_sized_by_risk(live: LiveOrders) -> None:
    idea = send(live, volume=None, risk=0.005)
    assert idea["position"]["volume"] > 0.1
    assert 40 < idea["risk_money"] <= 50, "half a percent of 10,000"


@pytest.mark.parametrize(
    ("side", "kind", "away"),
    [
        (Side.BUY, OrderType.LIMIT, -0.0010),
        (Side.BUY, OrderType.STOP, 0.0010),
        (Side.SELL, OrderType.LIMIT, 0.0010),
        (Side.SELL, OrderType.STOP, -0.0010),
    ],
)
def test_orders_that_wait(live: LiveOrders, side: Side, kind: OrderType, away: float) -> None:
    quote = live.desk.market.quote("EURUSD")
    price = round(float(quote.ask if side is Side.BUY else quote.bid) + away, 5)
    stop, target = round(price - 0.002 * side.sign, 5), round(price + 0.004 * side.sign, 5)
    expires = live.desk.clock.now() + timedelta(hours=2)
    idea = send(live, side=side, type=kind, price=price, stop=stop, target=target, expires_at=expires)
    (order,) = live.dealer.orders()
    assert (idea["status"], str(order.type)) == ("placed", f"{side}_{kind}")
    assert order.expires_at == expires.replace(microsecond=0)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"volume": 0.0}, "volume"),
        ({"volume": -0.1}, "volume"),
        ({"volume": float("nan")}, "volume"),
        ({"volume": float("inf")}, "volume"),
        ({"volume": 0.015}, "volume"),
        ({"volume": 1e9}, "volume"),
        ({"stop": 2.0}, "stop"),
        ({"stop": float("nan")}, "stop"),
        ({"stop": -1.0}, "stop"),
        ({"stop": 1.0000001}, "stop"),
        ({"stop": 1e300}, "stop"),
        ({"target": 0.5}, "target"),
        ({"price": 1.1}, "price"),
        ({"type": OrderType.LIMIT}, "price"),
        ({"type": OrderType.LIMIT, "price": 3.0}, "entry"),
        ({"type": OrderType.STOP, "price": 0.5}, "entry"),
        ({"risk": 0.01}, "risk"),
        ({"volume": None, "risk": 1.0}, "risk"),
        ({"volume": None, "risk": 0.0}, "risk"),
        ({"volume": None, "risk": float("nan")}, "risk"),
    ],
)
def test_what_makes_no_sense_is_invalid_and_on_record(
    live: LiveOrders, fields: dict[str, Any], field: str
) -> None:
    error = refused(live, **fields)
    assert (error.category, error.details["field"]) == ("invalid", field)
    record = next(iter(live.desk.journal.newest(kind=Kind.ORDER_OUTCOME)))
    assert (record.payload["refused"]["code"], record.actor) == (error.code, "ann")
    assert live.desk.book.find() == []


def test_an_expiry_in_the_past_is_refused(live: LiveOrders) -> None:
    error = refused(
        live, type=OrderType.LIMIT, price=1.0, expires_at=live.desk.clock.now() - timedelta(seconds=1)
    )
    assert error.details["field"] == "expires_at"


def test_a_stop_inside_the_stops_level_is_refused(tmp_path: Path) -> None:
    live = LiveOrders(tmp_path, symbols={"EURUSD": {"stops_level": 300}})
    assert refused(live).details["field"] == "stop"


def test_a_symbol_that_there_is_none_of(live: LiveOrders) -> None:
    with pytest.raises(NotFound):
        send(live, symbol="NOSUCH")


@pytest.mark.parametrize("mode", [0, 2, 3])  # disabled, short only, close only
def test_a_symbol_that_may_not_be_opened(tmp_path: Path, mode: int) -> None:
    live = LiveOrders(tmp_path, symbols={"EURUSD": {"trade_mode": mode}})
    error = refused(live)
    assert (error.code, error.details["status"]) == ("gate_refused", "refused")
    assert f"trade mode {mode}" in error.message


def test_a_halted_desk_refuses_and_says_why(live: LiveOrders) -> None:
    live.desk.control.halt(HaltKind.PERSON, "the boss said so", actor="ben")
    error = refused(live)
    assert "the boss said so" in error.message
    (idea,) = live.desk.book.find()
    assert idea["status"] == "cancelled", "what was asked for is on record"


def test_too_much_risk_is_a_conflict(live: LiveOrders) -> None:
    assert refused(live, volume=50.0).code == "too_much_risk"


def test_the_same_key_is_the_same_order(live: LiveOrders) -> None:
    first = send(live, key="click-1")
    assert send(live, key="click-1")["id"] == first["id"]
    assert len(live.desk.client.positions()) == 1


def test_a_lost_answer_is_said_to_be_unknown(tmp_path: Path) -> None:
    live = LiveOrders(tmp_path, faults=Faults(script={1: Fault.NO_ANSWER_EXECUTED}))
    with pytest.raises(Unavailable) as refusal:
        send(live)
    assert refusal.value.code == "outcome_unknown"
    live.orders.recovery.run()
    assert live.desk.book.get(refusal.value.details["id"])["status"] == "open"


def test_a_broker_that_refuses_is_a_conflict(tmp_path: Path) -> None:
    live = LiveOrders(tmp_path, faults=Faults(script={1: Fault.REJECT}))
    with pytest.raises(Conflict) as refusal:
        send(live)
    assert refusal.value.code == "broker_refused"


def test_a_preview_sends_and_records_nothing(live: LiveOrders) -> None:
    found = live.orders.tickets.preview(ticket(live))
    assert (found["passed"], found["volume"], found["order_type"]) == (True, 0.05, "market")
    assert (live.desk.book.find(), list(live.desk.journal.newest())) == ([], [])
    assert live.desk.client.positions() == ()
