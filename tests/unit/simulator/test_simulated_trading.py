"""Margin and profit by the documented numbers; what the broker refuses, and with which code."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from backend.core.timeframes import Timeframe
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import TICKS_DTYPE, Records
from backend.simulator.build import build_simulated_terminal
from backend.simulator.columns import EMPTY, Columns
from backend.simulator.moves import MOVES_DTYPE, SPANS_DTYPE
from backend.simulator.replay_specs import spec_of
from backend.simulator.symbols import SymbolSpec
from backend.simulator.terminal import SimulatedTerminal

CLOCK = ServerClock.parse("UTC")
NOW = datetime(2025, 11, 19, 14, 33, 20, tzinfo=UTC)
QUOTES = {"EURUSD": (1.0990, 1.0992), "USDJPY": (108.0, 108.02), "EURJPY": (118.7, 118.72)}


class StillMarket:
    """Three pairs whose prices stand still."""

    def symbols(self) -> tuple[SymbolSpec, ...]:
        return tuple(spec_of(name, 3 if name.endswith("JPY") else 5) for name in QUOTES)

    def history_start(self, symbol: str, timeframe: Timeframe, at_ms: int) -> int:
        return at_ms // 1000

    def quote(self, symbol: str, at_ms: int) -> Records:
        tick = np.zeros(1, dtype=TICKS_DTYPE)
        tick["bid"], tick["ask"] = QUOTES[symbol]
        tick["time_msc"], tick["time"] = at_ms, at_ms // 1000
        return tick

    def rates(self, symbol: str, timeframe: Timeframe, first: int, last: int, at_ms: int) -> Columns:
        return EMPTY

    def ticks(self, symbol: str, first_ms: int, last_ms: int, at_ms: int) -> Records:
        return np.zeros(0, dtype=TICKS_DTYPE)

    def is_open(self, symbol: str, at_ms: int) -> bool:
        return True

    def moves(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        return np.zeros(0, dtype=MOVES_DTYPE)

    def spans(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        return np.zeros(0, dtype=SPANS_DTYPE)


@pytest.fixture
def api() -> Any:
    terminal = SimulatedTerminal(StillMarket(), server_clock=CLOCK, now=lambda: NOW)
    terminal.initialize()
    return terminal


@pytest.mark.parametrize(
    ("symbol", "price", "margin"),
    [("EURUSD", 1.0991, 109.91), ("USDJPY", 108.0, 100.0), ("EURJPY", 118.7, 109.92)],
)
def test_margin_of_a_tenth_of_a_lot(api: Any, symbol: str, price: float, margin: float) -> None:
    # 10,000 units at 1:100. Euros become dollars at EURUSD's ask where the pair does not say it itself.
    assert api.order_calc_margin(api.ORDER_TYPE_BUY, symbol, 0.1, price) == margin


def test_profit_of_three_hundred_points(api: Any) -> None:
    # 300 points of one lot are 300 dollars, or 30,000 yen, which the closing price turns into dollars.
    assert api.order_calc_profit(api.ORDER_TYPE_BUY, "EURUSD", 1.0, 1.0992, 1.1022) == 300.0
    assert api.order_calc_profit(api.ORDER_TYPE_SELL, "EURUSD", 1.0, 1.1022, 1.0992) == 300.0
    assert api.order_calc_profit(api.ORDER_TYPE_BUY, "USDJPY", 1.0, 108.183, 108.483) == 276.54
    assert api.order_calc_profit(api.ORDER_TYPE_SELL, "USDJPY", 1.0, 108.179, 107.879) == 278.09


def test_ints_serve_as_volume_and_price(api: Any) -> None:
    assert api.order_calc_margin(0, "USDJPY", 1, 108) == 1000.0


@pytest.mark.parametrize("args", [(9, 1.0, 1.1), (0, 0.0, 1.1), (0, -1.0, 1.1), (0, 1.0, float("nan"))])
def test_margins_that_make_no_sense_are_invalid(api: Any, args: tuple[int, float, float]) -> None:
    assert api.order_calc_margin(args[0], "EURUSD", *args[1:]) is None
    assert api.last_error()[0] == -2


def order(**fields: Any) -> dict[str, Any]:
    return {
        "action": 1,
        "symbol": "EURUSD",
        "volume": 0.1,
        "type": 0,
        "price": 1.0992,
        "type_filling": 1,
    } | fields


@pytest.mark.parametrize(
    ("request_fields", "retcode"),
    [
        (order(type=1, sl=1.1100, tp=1.0900), 0),
        (order(symbol="NOPE"), 10_013),
        (order(action=99), 10_013),
        (order(type=2), 10_035),  # a pending type for a market deal
        (order(volume=0.001), 10_014),
        (order(volume=0.015), 10_014),  # between two steps
        (order(volume=1000.0), 10_014),
        (order(volume=float("nan")), 10_014),
        (order(volume=-0.1), 10_014),
        (order(volume=0.0), 10_014),
        (order(volume=0.29), 0),  # 29 whole steps, whatever the floats say
        (order(volume=9.5), 10_019),  # 9.5 lots take 10,442.40 of 10,000
        (order(volume=9.0), 0),
        (order(sl=1.0990), 10_016),  # a buy's stop lies below the bid
        (order(sl=1.0989), 0),
        (order(tp=1.0990), 10_016),
        (order(type=1, sl=1.0992), 10_016),  # a sell's lies above the ask
        (order(type=1, sl=1.0993), 0),
        (order(sl=-1.0), 10_015),
        (order(price=float("inf")), 10_015),
        (order(type_filling=2), 10_030),  # RETURN under market execution
        (order(type_filling=3), 10_030),
        (order(action=5, type=2, price=1.0900), 0),  # a buy limit below the ask
        (order(action=5, type=2, price=1.1000), 10_015),
        (order(action=5, type=2, price=1.0992), 10_015),  # at the ask
        (order(action=5, type=4, price=1.1000), 0),  # a buy stop above it
        (order(action=5, type=4, price=1.0900), 10_015),
        (order(action=5, type=3, price=1.1000), 0),  # a sell limit above the bid
        (order(action=5, type=5, price=1.0900), 0),  # a sell stop below it
        (order(action=5, type=6, price=1.1000), 10_015),  # a stop limit without its limit
        (order(action=5, type=6, price=1.1000, stoplimit=1.0995), 0),
        (order(action=5, type=6, price=1.1000, stoplimit=1.1005), 10_015),  # on the wrong side of its stop
        (order(action=5, type=2, price=1.09, stoplimit=1.08), 10_015),  # a limit has no second price
        (order(action=5, type=2, price=1.09, sl=1.0901), 10_016),  # measured from its own price
        (order(action=5, type=2, price=1.09, type_filling=3), 10_030),  # book or cancel is not offered
        (order(action=5, type=2, price=1.09, type_filling=2), 0),
        (order(action=5, type=2, price=1.09, type_time=2, expiration=1), 10_022),
        (order(action=5, type=2, price=1.09, type_time=2), 10_022),
        (order(action=5, type=2, price=1.09, type_time=9), 10_022),
        (order(action=5, type=2, price=1.09, type_time=2, expiration=2_000_000_000), 0),
        (order(action=6), 10_013),  # which position?
        (order(action=6, position=5), 10_036),
        (order(position=5, type=1), 10_036),
        (order(action=7, order=5, price=1.09), 10_013),
        (order(action=8), 10_013),
        (order(action=10), 10_013),
        (order(action=10, position=5, position_by=6), 10_036),
    ],
)
def test_check_and_send_judge_alike(api: Any, request_fields: dict[str, Any], retcode: int) -> None:
    assert api.order_check(request_fields).retcode == retcode
    assert api.positions_get() == api.orders_get() == ()  # a check does nothing
    sent = api.order_send(request_fields)
    assert sent.retcode == (retcode or (10_008 if request_fields["action"] == 5 else 10_009))
    assert sent.request.symbol == request_fields["symbol"]
    assert (sent.order > 0) is (retcode == 0)
    assert api.last_error() == (1, "Success")  # a refusal is an answer


def test_it_says_that_it_is_simulated_and_that_it_trades(api: Any) -> None:
    account = api.account_info()
    assert account.trade_allowed is True
    assert account.trade_expert is True
    assert api.terminal_info().trade_allowed is True
    assert api.terminal_info().tradeapi_disabled is False
    assert "simulated" in account.company.lower()
    assert "simulated" in account.server.lower()
    assert account.trade_mode == api.ACCOUNT_TRADE_MODE_DEMO
    assert (account.balance, account.leverage, account.margin_mode) == (10_000.0, 100, 2)


def test_tick_values_differ_on_the_losing_side(api: Any) -> None:
    info = api.symbol_info("USDJPY")
    assert info.trade_tick_value_profit == pytest.approx(100 / 108.02)
    assert info.trade_tick_value_loss == pytest.approx(100 / 108.0)
    assert api.symbol_info("EURUSD").trade_tick_value == 1.0


def test_only_its_own_account_signs_in() -> None:
    api = build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW)
    assert api.initialize(login=5) is False
    assert api.last_error()[0] == -6
    assert api.account_info() is None
    assert api.initialize(login=1_000_001, password="any", server="MT5UI-Simulated") is True
    assert api.login(1_000_001, "any") is True
    assert api.login(2, "any", "MT5UI-Simulated") is False
