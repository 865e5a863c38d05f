"""Requests that cannot be wrong, the words for the terminal's numbers, and ranges of the server's clock."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from backend.core.errors import Invalid, Unavailable
from backend.mt5 import arguments
from backend.mt5.answers import SendAnswer
from backend.mt5.constants import CONSTANTS
from backend.mt5.order_mapping import deal_of, order_of, request_fields
from backend.mt5.orders import OrderRequest
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import TradeDeal, TradeOrder, TradeRequest
from backend.mt5.words import (
    DealEntry,
    DealType,
    Filling,
    OrderState,
    OrderType,
    Reason,
    TimeType,
    TradeAction,
    number_of,
    word_of,
)
from tests.fakes.terminal import structure

CLOCK = ServerClock.parse("America/New_York+7")
WHOLE: dict[str, Any] = {
    "action": TradeAction.PENDING,
    "symbol": "EURUSD",
    "volume": Decimal("0.29"),
    "type": OrderType.SELL_STOP_LIMIT,
    "price": Decimal("1.10001"),
    "stop_limit": Decimal("1.1"),
    "stop": Decimal("1.2"),
    "target": Decimal("1.05"),
    "deviation": 10,
    "magic": 5_100_501,
    "comment": "o-0123456789abcdef0123",
    "filling": Filling.RETURN,
    "time_type": TimeType.SPECIFIED,
    "expires_at": datetime(2026, 7, 1, 12, 0, 0, 900_000, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("kind", "families"),
    [
        (TradeAction, ("TRADE_ACTION_",)),
        (OrderType, ("ORDER_TYPE_",)),
        (Filling, ("ORDER_FILLING_",)),
        (TimeType, ("ORDER_TIME_",)),
        (OrderState, ("ORDER_STATE_",)),
        (DealType, ("DEAL_TYPE_", "DEAL_DIVIDEND", "DEAL_TAX")),
        (DealEntry, ("DEAL_ENTRY_",)),
        (Reason, ("DEAL_REASON_", "ORDER_REASON_")),
    ],
)
def test_every_number_of_the_module_has_its_word(kind: type[StrEnum], families: tuple[str, ...]) -> None:
    named = {name: number for name, number in CONSTANTS.items() if name.startswith(families)}
    assert named
    for name, number in named.items():
        word = word_of(kind, number)
        assert name.endswith(word.name)
        assert number_of(word) == number
    assert {word_of(kind, number) for number in named.values()} == set(kind) - {"other"}


def test_a_number_that_nobody_knows_is_not_guessed() -> None:
    with pytest.raises(Unavailable):
        word_of(OrderState, 77)
    assert word_of(DealType, 77) is DealType.OTHER
    assert word_of(Reason, 77) is Reason.OTHER


def test_a_request_is_read_by_the_strictest_terminal_as_it_was_meant() -> None:
    fields = request_fields(OrderRequest(**WHOLE), "EURUSD.r", CLOCK)
    read = arguments.trade_request("order_send", (fields,), {})
    assert read == TradeRequest(
        action=5,
        magic=5_100_501,
        order=0,
        symbol="EURUSD.r",
        volume=0.29,
        price=1.10001,
        stoplimit=1.1,
        sl=1.2,
        tp=1.05,
        deviation=10,
        type=7,
        type_filling=2,
        type_time=2,
        expiration=int(datetime(2026, 7, 1, 15, tzinfo=UTC).timestamp()),  # UTC+3 in summer, whole seconds
        comment="o-0123456789abcdef0123",
        position=0,
        position_by=0,
    )
    assert all(type(value) in {int, float, str} for value in fields.values())


def test_a_request_survives_its_file() -> None:
    request = OrderRequest(**WHOLE)
    assert OrderRequest.from_dict(json.loads(json.dumps(request.as_dict()))) == request
    least = OrderRequest(action=TradeAction.REMOVE, order=7)
    assert least.as_dict() == {"action": "remove", "order": 7, "time_type": "gtc"}
    assert OrderRequest.from_dict(least.as_dict()) == least


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"action": "buy"},
        {"action": "remove", "order": 7, "unknown": 1},
        {"action": "remove", "order": "7"},
        {"action": "remove", "order": 7, "price": 1.1},
        {"action": "remove", "order": 7, "price": "NaN"},
        {"action": "remove", "order": 7, "price": "one"},
        {"action": "remove", "order": 7, "price": None, "expires_at": "yesterday"},
    ],
)
def test_what_is_no_request_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        OrderRequest.from_dict(data)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"volume": Decimal(0)}, "volume"),
        ({"volume": Decimal(-1)}, "volume"),
        ({"volume": Decimal("NaN")}, "volume"),
        ({"volume": Decimal("sNaN")}, "volume"),
        ({"volume": Decimal("Infinity")}, "volume"),
        ({"volume": 0.1}, "volume"),
        ({"volume": None}, "volume"),
        ({"price": None}, "price"),
        ({"price": 1.1}, "price"),
        ({"stop": Decimal(0)}, "stop"),
        ({"target": Decimal("-Infinity")}, "target"),
        ({"symbol": ""}, "symbol"),
        ({"type": None}, "type"),
        ({"type": OrderType.BUY}, "type"),
        ({"action": TradeAction.DEAL}, "type"),
        ({"type": OrderType.CLOSE_BY}, "type"),
        ({"type": OrderType.BUY_LIMIT}, "stop_limit"),
        ({"stop_limit": None}, "stop_limit"),
        ({"deviation": -1}, "deviation"),
        ({"deviation": 2**32}, "deviation"),
        ({"magic": True}, "magic"),
        ({"magic": 2**64}, "magic"),
        ({"position": -1}, "position"),
        ({"comment": "x" * 30}, "comment"),
        ({"comment": "😀" * 15}, "comment"),
        ({"comment": "\ud800"}, "comment"),
        ({"expires_at": None}, "expires_at"),
        ({"time_type": TimeType.DAY}, "expires_at"),
    ],
)
def test_a_request_that_no_terminal_would_read_does_not_exist(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        OrderRequest(**(WHOLE | changes))
    assert refused.value.code == "bad_order_request"
    assert refused.value.details["field"] == field


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"action": TradeAction.SLTP, "symbol": "EURUSD"}, "position"),
        ({"action": TradeAction.SLTP, "position": 1}, "symbol"),
        ({"action": TradeAction.MODIFY, "order": 1}, "price"),
        ({"action": TradeAction.MODIFY, "price": Decimal(1)}, "order"),
        ({"action": TradeAction.REMOVE}, "order"),
        ({"action": TradeAction.CLOSE_BY, "position": 1}, "position_by"),
    ],
)
def test_each_action_needs_its_own(given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        OrderRequest(**given)
    assert refused.value.details["field"] == field


def test_a_naive_expiry_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        OrderRequest(**(WHOLE | {"expires_at": datetime(2026, 7, 1)}))  # noqa: DTZ001 - the point
    assert refused.value.code == "naive_time"


def test_an_answer_names_its_code() -> None:
    answer = SendAnswer(
        retcode=10_019, deal=0, order=0, volume=Decimal(0), price=None, bid=None, ask=None, comment="No money"
    )
    assert (answer.success, answer.row.name) == (False, "NO_MONEY")
    said = json.loads(json.dumps(answer.as_dict()))
    assert (said["outcome"], said["name"], said["price"]) == ("answered", "NO_MONEY", None)


def test_orders_and_deals_are_told_in_utc_and_exactly() -> None:
    server = int(datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp())  # the wall clock, UTC+2 in winter
    order = order_of(
        structure(
            TradeOrder,
            ticket=5,
            time_setup_msc=server * 1000 + 250,
            time_expiration=server + 3600,
            type=2,
            state=1,
            type_time=2,
            volume_initial=0.3,
            volume_current=0.1,
            price_open=1.1,
            symbol="EURUSD.r",
        ),
        lambda _: None,
        CLOCK,
    )
    assert order.placed_at == datetime(2026, 1, 5, 8, 0, 0, 250_000, tzinfo=UTC)
    assert order.expires_at == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert (order.done_at, order.stop, order.target) == (None, None, None)
    assert (order.volume, order.volume_left, order.price) == (Decimal("0.3"), Decimal("0.1"), Decimal("1.1"))
    assert (order.symbol, order.broker_symbol) == ("EURUSD.r", "EURUSD.r")
    deal = deal_of(
        structure(TradeDeal, time=server, profit=12.34, swap=-0.1, commission=-3.5, fee=-0.01, type=2),
        lambda _: "never asked",
        CLOCK,
    )
    assert deal.time == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert (deal.net, deal.trade, deal.symbol) == (Decimal("8.73"), False, "")


class TestRange:
    """Which server epochs a range of UTC shows."""

    AUTUMN = datetime(2026, 11, 1, 6, tzinfo=UTC)  # New York puts its clock back, and so does the server

    def test_an_ordinary_range_is_its_ends(self) -> None:
        since = datetime(2026, 1, 5, 8, 0, 0, 500_000, tzinfo=UTC)
        first, last = CLOCK.server_range(since, since + timedelta(seconds=1))
        start = int(datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp())
        assert (first, last) == (start, start + 2)

    def test_nothing_of_the_hour_that_is_shown_twice_is_missed(self) -> None:
        since, until = self.AUTUMN - timedelta(minutes=5), self.AUTUMN + timedelta(minutes=5)
        first, last = CLOCK.server_range(since, until)
        moment = since
        while moment <= until:
            assert first <= CLOCK.server_epoch(moment) <= last
            moment += timedelta(seconds=1)
        assert last - first < 3700

    def test_backwards_and_naive_ranges_are_refused(self) -> None:
        for since, until in (
            (self.AUTUMN, self.AUTUMN - timedelta(microseconds=1)),
            (self.AUTUMN.replace(tzinfo=None), self.AUTUMN),
        ):
            with pytest.raises(Invalid):
                CLOCK.server_range(since, until)
