"""What every terminal does, whatever stands behind it: one suite, run on each.

A suite for another implementation subclasses `Mt5ApiContract` and gives `api`: connected, with the
symbol of `symbol` priced, at a moment with some weeks of history.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.core.timeframes import Timeframe, close_of, open_of
from backend.mt5.constants import CONSTANTS
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import RATES_DTYPE, TICKS_DTYPE, AccountInfo, SymbolInfo, TerminalInfo, Tick
from backend.mt5.timeframes import CODES
from backend.simulator.build import build_replay, build_simulated_terminal
from tests.unit.simulator.replay_data import write_minutes

CLOCK = ServerClock.parse("America/New_York+7")
NOW = datetime(2025, 11, 19, 14, 33, 20, tzinfo=UTC)  # a Wednesday, 16:33:20 at the server
H1, M1, M15 = CODES[Timeframe.H1], CODES[Timeframe.M1], CODES[Timeframe.M15]


class Mt5ApiContract:
    """The rules. `api` is any terminal."""

    symbol = "EURUSD"
    shortest = Timeframe.M1

    @pytest.fixture
    def api(self) -> Iterator[Any]:
        raise NotImplementedError

    def test_it_says_who_it_is(self, api: Any) -> None:
        version, build, date = api.version()
        assert (version, isinstance(build, int), isinstance(date, str)) == (500, True, True)
        assert isinstance(api.terminal_info(), TerminalInfo)
        account = api.account_info()
        assert isinstance(account, AccountInfo)
        assert account.login > 0
        assert account.equity == pytest.approx(account.balance + account.credit + account.profit)

    def test_constants_are_its_attributes(self, api: Any) -> None:
        assert {name: getattr(api, name) for name in CONSTANTS} == dict(CONSTANTS)

    def test_symbols(self, api: Any) -> None:
        every = api.symbols_get()
        assert api.symbols_total() == len(every) > 0
        assert all(isinstance(info, SymbolInfo) for info in every)
        names = {info.name for info in every}
        assert self.symbol in names
        assert {info.name for info in api.symbols_get(f"*,!{self.symbol}")} == names - {self.symbol}
        assert {info.name for info in api.symbols_get(group=self.symbol)} == {self.symbol}
        assert api.symbols_get("NO_SUCH_*") == ()

    def test_a_symbol_s_specification_hangs_together(self, api: Any) -> None:
        info = api.symbol_info(self.symbol)
        assert info.name == self.symbol
        assert info.point == pytest.approx(10**-info.digits)
        assert 0 < info.bid <= info.ask
        assert info.bidlow <= info.bid <= info.bidhigh
        assert info.asklow <= info.ask <= info.askhigh
        assert info.spread == round((info.ask - info.bid) / info.point)
        assert info.trade_tick_value > 0
        assert info.volume_min > 0
        assert info.volume_step > 0

    def test_a_tick_has_both_times(self, api: Any) -> None:
        tick = api.symbol_info_tick(self.symbol)
        assert isinstance(tick, Tick)
        assert tick.time_msc // 1000 == tick.time
        assert 0 < tick.bid <= tick.ask

    def test_a_symbol_can_be_selected(self, api: Any) -> None:
        assert api.symbol_select(self.symbol, True) is True
        assert api.symbol_select(self.symbol) is True
        assert api.symbol_info(self.symbol).select is True

    def test_unknown_symbols_are_not_found(self, api: Any) -> None:
        calls: list[tuple[str, tuple[Any, ...]]] = [
            ("symbol_info", ("NOPE",)),
            ("symbol_info_tick", ("NOPE",)),
            ("copy_rates_from_pos", ("NOPE", H1, 0, 1)),
            ("copy_rates_from", ("NOPE", H1, 1_700_000_000, 1)),
            ("copy_rates_range", ("NOPE", H1, 1_700_000_000, 1_700_003_600)),
            ("copy_ticks_from", ("NOPE", 1_700_000_000, 1, -1)),
            ("order_calc_margin", (0, "NOPE", 1.0, 1.0)),
        ]
        for function, args in calls:
            assert getattr(api, function)(*args) is None
            assert api.last_error()[0] == -4
        assert api.symbol_select("NOPE") is False
        assert api.last_error()[0] == -4

    def test_success_clears_the_last_error(self, api: Any) -> None:
        api.symbol_info("NOPE")
        api.symbol_info(self.symbol)
        assert api.last_error() == (1, "Success")

    def test_foreign_exchange_has_no_depth(self, api: Any) -> None:
        assert api.market_book_add(self.symbol) is False
        assert api.last_error()[0] < 0
        assert api.market_book_get(self.symbol) is None
        assert api.market_book_release(self.symbol) is False

    def test_rates_are_ascending_bars_and_position_0_is_forming(self, api: Any) -> None:
        rates = api.copy_rates_from_pos(self.symbol, CODES[self.shortest], 0, 50)
        assert rates.dtype == RATES_DTYPE
        assert len(rates) == 50
        assert (np.diff(rates["time"]) > 0).all()
        assert (rates["time"] % self.shortest.seconds == 0).all()
        assert (rates["low"] <= np.minimum(rates["open"], rates["close"])).all()
        assert (rates["high"] >= np.maximum(rates["open"], rates["close"])).all()
        tick = api.symbol_info_tick(self.symbol)
        assert rates["time"][-1] <= tick.time < rates["time"][-1] + self.shortest.seconds
        assert rates["close"][-1] == tick.bid

    def test_positions_count_back(self, api: Any) -> None:
        whole = api.copy_rates_from_pos(self.symbol, H1, 0, 30)
        part = api.copy_rates_from_pos(self.symbol, H1, 10, 5)
        np.testing.assert_array_equal(part, whole[-15:-10])

    def test_copy_rates_from_counts_back_from_opens_at_or_before_the_date(self, api: Any) -> None:
        bars = api.copy_rates_from_pos(self.symbol, H1, 0, 10)
        at = int(bars["time"][5])
        np.testing.assert_array_equal(api.copy_rates_from(self.symbol, H1, at, 3), bars[3:6])
        np.testing.assert_array_equal(api.copy_rates_from(self.symbol, H1, at + 3599, 3), bars[3:6])
        np.testing.assert_array_equal(api.copy_rates_from(self.symbol, H1, at - 1, 3), bars[2:5])

    def test_ranges_are_inclusive_at_both_ends(self, api: Any) -> None:
        bars = api.copy_rates_from_pos(self.symbol, H1, 0, 10)
        first, last = int(bars["time"][2]), int(bars["time"][6])
        np.testing.assert_array_equal(api.copy_rates_range(self.symbol, H1, first, last), bars[2:7])
        np.testing.assert_array_equal(api.copy_rates_range(self.symbol, H1, first + 1, last - 1), bars[3:6])

    def test_dates_may_be_datetimes(self, api: Any) -> None:
        bars = api.copy_rates_from_pos(self.symbol, H1, 0, 10)
        moments = [datetime.fromtimestamp(int(bars["time"][place]), UTC) for place in (2, 6)]
        np.testing.assert_array_equal(api.copy_rates_range(self.symbol, H1, *moments), bars[2:7])

    def test_the_future_is_empty(self, api: Any) -> None:
        last = api.copy_rates_from_pos(self.symbol, H1, 0, 1)["time"][-1]
        found = api.copy_rates_range(self.symbol, H1, int(last) + 1, int(last) + 10 * 86_400)
        assert found.dtype == RATES_DTYPE
        assert len(found) == 0
        assert api.last_error() == (1, "Success")

    @pytest.mark.parametrize("timeframe", list(Timeframe))
    def test_longer_bars_are_exactly_their_shorter_ones(self, api: Any, timeframe: Timeframe) -> None:
        base = Timeframe.M1 if timeframe.seconds < 3600 else Timeframe.H1
        long = api.copy_rates_from_pos(self.symbol, CODES[timeframe], 0, 3)
        assert len(long)
        assert (open_of(timeframe, long["time"]) == long["time"]).all()
        bar = long[-1]
        end = int(close_of(timeframe, bar["time"])) - 1
        short = api.copy_rates_range(self.symbol, CODES[base], int(bar["time"]), end)
        assert (short["open"][0], short["close"][-1]) == (bar["open"], bar["close"])
        assert (short["high"].max(), short["low"].min()) == (bar["high"], bar["low"])
        assert short["tick_volume"].sum() == bar["tick_volume"]
        assert short["spread"].min() == bar["spread"]

    @pytest.mark.parametrize(("timeframe", "count"), [(7, 10), (0, 10), (H1, 0), (H1, -1)])
    def test_impossible_numbers_are_invalid(self, api: Any, timeframe: int, count: int) -> None:
        assert api.copy_rates_from_pos(self.symbol, timeframe, 0, count) is None
        assert api.last_error()[0] == -2

    def test_wrong_types_are_system_errors(self, api: Any) -> None:
        with pytest.raises(SystemError):
            api.copy_rates_from_pos(self.symbol, "H1", 0, 10)

    def test_ticks_count_forward_from_the_date(self, api: Any) -> None:
        start = api.symbol_info_tick(self.symbol).time - 600
        ticks = api.copy_ticks_from(self.symbol, start, 7, api.COPY_TICKS_ALL)
        assert ticks.dtype == TICKS_DTYPE
        assert len(ticks) == 7
        assert ticks["time_msc"][0] >= start * 1000
        assert (np.diff(ticks["time_msc"]) >= 0).all()
        assert (ticks["time_msc"] // 1000 == ticks["time"]).all()
        assert ((ticks["bid"] > 0) & (ticks["bid"] <= ticks["ask"])).all()
        np.testing.assert_array_equal(
            api.copy_ticks_from(self.symbol, start, 3, api.COPY_TICKS_INFO), ticks[:3]
        )
        assert len(api.copy_ticks_from(self.symbol, start, 7, api.COPY_TICKS_TRADE)) == 0
        assert api.copy_ticks_from(self.symbol, start, 7, 5) is None
        assert api.last_error()[0] == -2

    def test_the_last_tick_is_the_quote(self, api: Any) -> None:
        tick = api.symbol_info_tick(self.symbol)
        ticks = api.copy_ticks_range(self.symbol, tick.time - 3600, tick.time + 86_400, api.COPY_TICKS_ALL)
        assert tuple(ticks[-1].item()) == tuple(tick)

    def test_a_minute_s_ticks_make_its_bar(self, api: Any) -> None:
        for bar in api.copy_rates_from_pos(self.symbol, M1, 0, 20):
            start = int(bar["time"])
            ticks = api.copy_ticks_range(self.symbol, start, start + 60, -1)
            bid = ticks["bid"][ticks["time"] < start + 60]
            made = (bid[0], bid.max(), bid.min(), bid[-1])
            assert made == (bar["open"], bar["high"], bar["low"], bar["close"])

    def test_an_unknown_ticket_is_an_empty_answer_and_no_failure(self, api: Any) -> None:
        for function in ("positions_get", "orders_get", "history_orders_get", "history_deals_get"):
            assert getattr(api, function)(ticket=999_999) == ()
            assert api.last_error() == (1, "Success")
        assert api.history_deals_get(position=999_999) == ()

    def test_strictness_is_the_module_s(self, api: Any) -> None:
        assert api.positions_get("x") is None
        assert api.last_error() == (-2, "Unnamed arguments not allowed")
        assert api.symbol_info("x" * 30) is None
        assert api.last_error() == (-2, 'Invalid "symbol" argument')
        assert api.order_send({"action": 1, "symbol": self.symbol, "volume": 1}) is None
        assert api.last_error() == (-2, 'Invalid "volume" argument')


class TestSimulatedTerminal(Mt5ApiContract):
    """The seeded market."""

    @pytest.fixture
    def api(self) -> Iterator[Any]:
        terminal = build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW)
        assert terminal.initialize()
        yield terminal
        terminal.shutdown()
        assert terminal.version() is None
        assert terminal.last_error() == (-10_004, "No IPC connection")


@pytest.fixture(scope="module")
def replay_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    write_minutes(folder, "eurusd", first=datetime(2025, 11, 10, tzinfo=UTC), days=10)
    return folder


class TestReplay(Mt5ApiContract):
    """Files of minutes that the test writes."""

    @pytest.fixture
    def api(self, replay_folder: Path) -> Iterator[Any]:
        replay = build_replay(folder=replay_folder, server_clock=CLOCK)
        replay.clock.advance(NOW)
        assert replay.terminal.initialize()
        yield replay.terminal
        replay.terminal.shutdown()


def test_a_year_of_hours_is_there_at_once() -> None:
    """A guard against a change of order, not a timing: the target is 150 ms on the reference machine."""
    terminal = build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW)
    terminal.initialize()
    began = time.perf_counter()
    rates = terminal.copy_rates_range("EURUSD", H1, NOW - timedelta(days=365), NOW + timedelta(days=1))
    assert rates is not None
    assert len(rates) > 6_000
    assert time.perf_counter() - began < 5
