"""Trading as every terminal offers it: one suite, run on each. `api` has a new account of 10,000 USD.

Prices come from the terminal's own quotes, so that the suite does not know the market.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.adapters.connector_client import ConnectorApi
from backend.connector.app import create_connector
from backend.mt5.structures import (
    OrderCheckResult,
    OrderSendResult,
    TradeDeal,
    TradeOrder,
    TradePosition,
    TradeRequest,
)
from backend.simulator.build import build_replay, build_simulated_terminal
from tests.contracts.test_connector import TOKEN, link_to
from tests.contracts.test_mt5_api import CLOCK, NOW
from tests.unit.simulator.replay_data import write_minutes

AGES = (1, 2_000_000_000)
EURUSD = "EURUSD"


class TradingContract:
    """The rules. `api` is any terminal."""

    @pytest.fixture
    def api(self) -> Iterator[Any]:
        raise NotImplementedError

    def market(self, api: Any, kind: int, volume: float = 0.1, **more: Any) -> dict[str, Any]:
        tick = api.symbol_info_tick(EURUSD)
        return {
            "action": api.TRADE_ACTION_DEAL,
            "symbol": EURUSD,
            "volume": volume,
            "type": kind,
            "price": tick.ask if kind == api.ORDER_TYPE_BUY else tick.bid,
            "deviation": 10,
            "magic": 4711,
            "comment": "contract",
            "type_time": api.ORDER_TIME_GTC,
            "type_filling": api.ORDER_FILLING_IOC,
        } | more

    def sent(self, api: Any, request: dict[str, Any]) -> Any:
        result = api.order_send(request)
        assert isinstance(result, OrderSendResult), api.last_error()
        assert api.last_error() == (1, "Success")
        assert isinstance(result.request, TradeRequest)
        assert result.request.comment == request.get("comment", "")
        return result

    def test_a_position_lives_and_ends(self, api: Any) -> None:
        before = api.account_info()
        assert (before.balance, before.trade_allowed, before.trade_expert) == (10_000.0, True, True)
        request = self.market(api, api.ORDER_TYPE_BUY, 0.3)
        check = api.order_check(request)
        assert isinstance(check, OrderCheckResult)
        assert (check.retcode, check.comment) == (0, "Done")
        assert check.margin == api.order_calc_margin(0, EURUSD, 0.3, request["price"])
        assert api.positions_total() == 0
        opened = self.sent(api, request)
        assert (opened.retcode, opened.volume, opened.price) == (10_009, 0.3, request["price"])
        (position,) = api.positions_get(symbol=EURUSD)
        assert isinstance(position, TradePosition)
        assert (position.ticket, position.magic, position.comment) == (opened.order, 4711, "contract")
        tick = api.symbol_info_tick(EURUSD)
        assert position.profit == api.order_calc_profit(0, EURUSD, 0.3, position.price_open, tick.bid)
        account = api.account_info()
        assert (account.balance, account.profit) == (10_000.0, position.profit)
        assert account.margin == check.margin
        assert account.margin_free == pytest.approx(account.equity - account.margin)

        point = api.symbol_info(EURUSD).point
        levels = {"sl": round(tick.bid - 500 * point, 5), "tp": round(tick.bid + 500 * point, 5)}
        change = {"action": api.TRADE_ACTION_SLTP, "symbol": EURUSD, "position": position.ticket}
        assert self.sent(api, change | levels).retcode == 10_009
        assert self.sent(api, change | levels).retcode == 10_025
        changed = api.positions_get(ticket=position.ticket)[0]
        assert (changed.sl, changed.tp) == (levels["sl"], levels["tp"])

        part = self.market(api, api.ORDER_TYPE_SELL, 0.1, position=position.ticket)
        assert self.sent(api, part).retcode == 10_009
        assert api.positions_get()[0].volume == 0.2
        assert self.sent(api, part | {"volume": 0.2}).retcode == 10_009
        assert api.positions_get() == ()
        assert self.sent(api, part).retcode == 10_036

        deals = api.history_deals_get(position=position.ticket)
        assert all(isinstance(deal, TradeDeal) for deal in deals)
        assert [(d.entry, d.volume) for d in deals] == [(0, 0.3), (1, 0.1), (1, 0.2)]
        earned = sum(d.profit + d.swap + d.commission + d.fee for d in deals)
        assert api.account_info().balance == pytest.approx(10_000.0 + earned)
        assert [d.ticket for d in api.history_deals_get(ticket=opened.order)] == [opened.deal]
        orders = api.history_orders_get(*AGES)
        assert [o.state for o in orders] == [api.ORDER_STATE_FILLED] * 3
        assert api.history_orders_total(*AGES) == 3
        assert api.history_deals_total(*AGES) == 4  # the deposit too
        assert len(api.history_deals_get(*AGES, group="*USD*")) == 3

    def test_a_pending_order_lives_and_ends(self, api: Any) -> None:
        info = api.symbol_info(EURUSD)
        price = round(info.bid - 400 * info.point, 5)
        request = {
            "action": api.TRADE_ACTION_PENDING,
            "symbol": EURUSD,
            "volume": 0.2,
            "type": api.ORDER_TYPE_BUY_LIMIT,
            "price": price,
            "type_time": api.ORDER_TIME_GTC,
            "type_filling": api.ORDER_FILLING_RETURN,
            "comment": "pending",
        }
        placed = self.sent(api, request)
        assert (placed.retcode, placed.deal) == (10_008, 0)
        (order,) = api.orders_get(ticket=placed.order)
        assert isinstance(order, TradeOrder)
        assert (order.state, order.price_open, order.volume_current) == (1, price, 0.2)
        assert (order.comment, order.time_done) == ("pending", 0)
        assert api.orders_total() == 1
        assert api.orders_get(symbol="USDJPY") == ()
        lower = round(price - 100 * info.point, 5)
        change = {"action": api.TRADE_ACTION_MODIFY, "order": placed.order, "price": lower}
        assert self.sent(api, change).retcode == 10_009
        assert api.orders_get()[0].price_open == lower
        assert self.sent(api, {"action": api.TRADE_ACTION_REMOVE, "order": placed.order}).retcode == 10_009
        assert api.orders_get() == ()
        (done,) = api.history_orders_get(ticket=placed.order)
        assert done.state == api.ORDER_STATE_CANCELED
        assert api.account_info().balance == 10_000.0

    def test_opposite_positions_close_each_other(self, api: Any) -> None:
        long = self.sent(api, self.market(api, api.ORDER_TYPE_BUY)).order
        short = self.sent(api, self.market(api, api.ORDER_TYPE_SELL)).order
        assert api.positions_total() == 2
        request = {"action": api.TRADE_ACTION_CLOSE_BY, "position": long, "position_by": short}
        assert self.sent(api, request).retcode == 10_009
        assert api.positions_total() == 0
        entries = [d.entry for d in api.history_deals_get(*AGES)]
        assert entries[-2:] == [api.DEAL_ENTRY_OUT_BY] * 2

    @pytest.mark.parametrize(
        ("changes", "retcode"),
        [
            ({"volume": 0.001}, 10_014),
            ({"volume": float("nan")}, 10_014),
            ({"volume": -1.0}, 10_014),
            ({"volume": 99.0}, 10_019),
            ({"symbol": "NOPE"}, 10_013),
            ({"action": 99}, 10_013),
            ({"type": 2}, 10_035),
            ({"type_filling": 2}, 10_030),
            ({"sl": 9.0}, 10_016),
            ({"sl": -1.0}, 10_015),
        ],
    )
    def test_a_refusal_is_an_answer(self, api: Any, changes: dict[str, Any], retcode: int) -> None:
        request = self.market(api, api.ORDER_TYPE_BUY) | changes
        assert api.order_check(request).retcode == retcode
        assert self.sent(api, request).retcode == retcode
        assert api.positions_get() == ()

    def test_requests_are_read_as_strictly_as_the_module_reads_them(self, api: Any) -> None:
        request = self.market(api, api.ORDER_TYPE_BUY)
        refused: list[tuple[dict[str, Any], str]] = [
            ({"volume": 1}, 'Invalid "volume" argument'),
            ({"price": 1}, 'Invalid "price" argument'),
            ({"magic": np.int64(5)}, 'Invalid "magic" argument'),
            ({"comment": "x" * 30}, 'Invalid "comment" argument'),
            ({"comment": 5}, 'Invalid "comment" argument'),
        ]
        for changes, text in refused:
            assert api.order_send(request | changes) is None
            assert api.last_error() == (-2, text)
        assert api.order_send([request]) is None
        assert api.last_error()[0] == -2
        with pytest.raises(SystemError):
            api.order_send(request | {"deviation": -1})
        assert api.positions_total() == 0
        assert self.sent(api, request | {"comment": "x" * 29, "unknown": 1}).retcode == 10_009
        assert api.order_send(**request).retcode == 10_009  # fields as keywords
        assert api.positions_get()[0].comment == "x" * 29
        assert api.positions_get("EURUSD") is None
        assert api.history_deals_get(0, 5) is None  # 0 counts as not given
        assert api.last_error()[0] == -2


class TestSimulated(TradingContract):
    """In the process."""

    @pytest.fixture
    def api(self) -> Any:
        terminal = build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW)
        assert terminal.initialize()
        return terminal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    write_minutes(folder, "eurusd", first=NOW.replace(hour=0, minute=0, second=0), days=1)
    return folder


class TestReplay(TradingContract):
    """Over files."""

    @pytest.fixture
    def api(self, folder: Path) -> Any:
        replay = build_replay(folder=folder, server_clock=CLOCK)
        replay.clock.advance(NOW)
        assert replay.terminal.initialize()
        return replay.terminal


class TestThroughConnector(TradingContract):
    """Behind HTTP."""

    @pytest.fixture
    def api(self) -> Iterator[Any]:
        terminal = build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW)
        with link_to(create_connector(terminal, token=TOKEN)) as link:
            api = ConnectorApi(link)
            assert api.initialize()
            yield api
