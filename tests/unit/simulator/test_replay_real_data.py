"""Real files: sizes, the payrolls spike, and a replay of them that shows no future."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from backend.core.timeframes import Timeframe
from backend.mt5.server_time import ServerClock
from backend.simulator.build import build_replay
from backend.simulator.replay import ReplayMarket
from backend.simulator.terminal import SimulatedTerminal

CLOCK = ServerClock.parse("America/New_York+7")
pytestmark = pytest.mark.market_data


def server_ms(*moment: int) -> int:
    return CLOCK.server_epoch(datetime(*moment, tzinfo=UTC)) * 1000  # type: ignore[arg-type, misc]  # y, m, d, h, m


def test_hour_files_are_whole(market_data: Path) -> None:
    market = ReplayMarket(market_data / "lean" / "hour", CLOCK)
    assert len(market._files["EURUSD"].hours) == 74_439
    assert len(market._files["XAUUSD"].hours) == 76_499
    assert [(spec.name, spec.digits) for spec in market.symbols()] == [("EURUSD", 5), ("XAUUSD", 3)]
    first, last = market.range()
    # Both symbols are there from 2007; a year of warm-up is less than a fifth of twelve.
    assert first == datetime(2008, 1, 1, 21, tzinfo=UTC)
    assert last == datetime(2019, 2, 26, 0, 0, 10, tzinfo=UTC)


def test_the_export_in_points_becomes_prices(market_data: Path) -> None:
    market = ReplayMarket(market_data / "ejtrader", CLOCK)
    hours = market._files["GBPUSD"].hours.bars
    assert len(hours) == 57_600
    assert (hours.open[0], hours.high[0], hours.low[0], hours.close[0]) == (
        1.58611,
        1.58618,
        1.58572,
        1.58599,
    )
    assert 1.1 < hours.low.min() < hours.high.max() < 1.8
    # Times are the broker's already: the week begins at 00:00 on Monday, not on Sunday in UTC.
    weekdays = (hours.time // 86_400 + 4) % 7
    assert np.count_nonzero(weekdays == 0) < 10


def test_minutes_give_the_range_and_the_payrolls_spike_is_in_them(market_data: Path) -> None:
    market = ReplayMarket(market_data / "lean", CLOCK)
    assert market.range()[0] == datetime(2014, 5, 1, tzinfo=UTC)
    assert market.range()[1] == datetime(2014, 5, 16, 0, 0, 10, tzinfo=UTC)
    present = server_ms(2014, 5, 2, 20, 0)
    minutes = market.rates(
        "EURUSD", Timeframe.M1, server_ms(2014, 5, 2, 8, 0) // 1000, present // 1000, present
    )
    height = minutes.high - minutes.low
    spike = int(np.argmax(height))
    assert minutes.time[spike] == server_ms(2014, 5, 2, 12, 30) // 1000  # 15:30 at the server
    assert height[spike] > 0.002


def test_hours_of_minutes_agree_with_the_hour_file(market_data: Path) -> None:
    both = ReplayMarket(market_data / "lean", CLOCK)
    coarse = ReplayMarket(market_data / "lean" / "hour", CLOCK)
    first, last = server_ms(2014, 5, 5, 0, 0) // 1000, server_ms(2014, 5, 8, 0, 0) // 1000
    present = last * 1000 + 3_600_000
    made = both.rates("EURUSD", Timeframe.H1, first, last - 1, present)
    given = coarse.rates("EURUSD", Timeframe.H1, first, last - 1, present)
    np.testing.assert_array_equal(made.time, given.time)
    assert np.mean(np.abs(made.close - given.close) < 0.00011) > 0.95


def test_a_replay_shows_bars_when_they_close_and_no_sooner(market_data: Path) -> None:
    replay = build_replay(folder=market_data / "lean", server_clock=CLOCK)
    terminal, market, clock = replay.terminal, replay.market, replay.clock
    assert terminal.initialize()
    end = server_ms(2014, 5, 16, 0, 0)
    whole = market.rates("EURUSD", Timeframe.M15, 1, end // 1000, end)
    clock.advance(datetime(2014, 5, 2, 12, tzinfo=UTC))
    settled: dict[int, int] = {}
    for _ in range(120):
        following = market.closes(clock.now(), [Timeframe.M15])
        assert following is not None
        now = CLOCK.server_epoch(clock.advance(following))
        rates = terminal.copy_rates_from_pos("EURUSD", 15, 0, 4)
        tick = terminal.symbol_info_tick("EURUSD")
        assert rates is not None
        assert tick is not None
        assert tick.time <= now
        # Closed by the desk's rule: past its end, and a newer tick is there or 10 s have passed.
        ends = rates["time"] + 900
        closed = rates[(ends <= now) & ((tick.time >= ends) | (now >= ends + 10))]
        settled |= {int(opened): now for opened in closed["time"] if int(opened) not in settled}
        expected = whole.between(int(closed["time"][0]), int(closed["time"][-1])).records()
        for name in ("time", "open", "high", "low", "close", "spread"):
            np.testing.assert_array_equal(closed[name], expected[name])
    # Every bar was known to be closed at some stop, within 10 s of its end.
    delays = [now - opened - 900 for opened, now in list(settled.items())[4:]]
    assert len(delays) > 50
    assert 0 <= min(delays) <= max(delays) <= 10


def test_real_ticks_are_played_on_their_day(market_data: Path) -> None:
    market = ReplayMarket(market_data / "lean", CLOCK)
    first, last = server_ms(2014, 5, 2, 0, 0), server_ms(2014, 5, 3, 0, 0)
    assert len(market.ticks("EURUSD", first, last, last)) == 49_341
    spike = market.ticks("EURUSD", server_ms(2014, 5, 2, 12, 30), server_ms(2014, 5, 2, 12, 31), last)
    assert ((spike["ask"] - spike["bid"]).max() * 100_000) > 30


def test_the_whole_folder_plays_three_symbols(market_data: Path) -> None:
    market = ReplayMarket(market_data, CLOCK)
    assert [spec.name for spec in market.symbols()] == ["EURUSD", "GBPUSD", "XAUUSD"]
    assert {path.name for path in market.ignored} == {"LICENSE", "README.md"}
    present = server_ms(2014, 5, 7, 10, 0)
    for symbol in ("EURUSD", "GBPUSD", "XAUUSD"):
        quote = market.quote(symbol, present)
        assert present - quote["time_msc"][0] < timedelta(hours=1) / timedelta(milliseconds=1)
        assert quote["ask"][0] > quote["bid"][0]


def test_deals_on_real_minutes_and_ticks_stay_inside_their_bars(market_data: Path) -> None:
    """Positions and orders over the payrolls week: each fill lies inside its minute, however often asked."""
    market = ReplayMarket(market_data / "lean", CLOCK)
    histories = []
    for pause in (timedelta(hours=4), timedelta(minutes=7)):
        now = [datetime(2014, 5, 1, 7, tzinfo=UTC)]
        api = SimulatedTerminal(market, server_clock=CLOCK, now=lambda now=now: now[0])  # type: ignore[misc]
        assert api.initialize()
        while now[0] < datetime(2014, 5, 7, 7, tzinfo=UTC):
            if now[0].hour % 4 == 3 and now[0].minute == 0 and now[0].weekday() < 5:
                tick = api.symbol_info_tick("EURUSD")
                assert tick is not None
                fields = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type_filling": 1}
                api.order_send(fields | {"type": 0, "sl": tick.bid - 0.0012, "tp": tick.bid + 0.0018})
                api.order_send(fields | {"type": 1, "sl": tick.ask + 0.0012, "tp": tick.ask - 0.0018})
                stop = fields | {"action": 5, "type": 4, "price": tick.ask + 0.0010, "type_time": 1}
                api.order_send(stop | {"sl": tick.ask - 0.0005, "tp": tick.ask + 0.0030})
            until = timedelta(hours=4) - timedelta(hours=(now[0].hour + 1) % 4, minutes=now[0].minute)
            now[0] += min(pause, until)
            api.positions_total()
        histories.append(api.history_deals_get(1, 2_000_000_000) or ())
    assert histories[0] == histories[1]
    deals = [deal for deal in histories[0] if deal.type < 2]
    reasons = {deal.reason for deal in deals}
    assert {3, 4, 5} <= reasons
    assert len(deals) > 60
    for deal in deals:
        minute = deal.time_msc // 60_000 * 60_000
        side = "ask" if deal.type == 0 else "bid"
        standing = market.quote("EURUSD", minute)[side][0]  # until the minute's first tick
        moves = market.moves("EURUSD", minute, minute + 59_999)
        low, high = min(standing, moves[f"{side}_low"].min()), max(standing, moves[f"{side}_high"].max())
        limited = deal.reason == 5 and not low <= deal.price <= high  # no improvement over its own price
        assert limited or low - 1e-9 <= deal.price <= high + 1e-9
    assert sum(deal.profit + deal.swap for deal in deals) != 0
