"""What only the compiled engine does: real asks, finer bars, rates that move, one account for several.

As in the fill tables: ATR(1) of the signal bar is 200 points, so the stop stands 200 away and the target 400.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from backend.backtest import running
from backend.backtest.columns import Trade
from backend.backtest.model import Asks, Job, Reading
from backend.core.timeframes import Timeframe
from backend.economic_calendar.model import CalendarView, Event, Impact
from backend.trading.reasons import Reason
from tests.fakes.backtests import LONG, MONDAY, QUIET, SHORT, Row, rows_to_bars, table
from tests.golden.backtest.hand import with_asks

D = Decimal


@pytest.fixture(autouse=True, params=["compiled"])
def chosen_engine(request: pytest.FixtureRequest) -> str:
    """Compiled only: the plain engine has none of this."""
    name: str = request.param
    return name


START: Row = (10100, 10150, 10050, 10100, QUIET)
SIGNAL: Row = (10100, 10200, 10000, 10100, LONG)
SELL: Row = (10100, 10200, 10000, 10100, SHORT)
CALM: Row = (10100, 10150, 10050, 10100, QUIET)


def trades(job: Job, reading: Reading = Reading.WORST) -> list[Trade]:
    return list(running.run_backtest(job, reading=reading).trades)


def with_minutes(job: Job, hour: int, rows: list[Row], minutes: list[int]) -> Job:
    """The job with finer bars inside the bar of one hour."""
    (stream,) = job.streams
    times = [MONDAY + timedelta(hours=hour, minutes=minute) for minute in minutes]
    fine = rows_to_bars(rows, times=times, timeframe=Timeframe.M15)
    return replace(job, streams=(replace(stream, fine=fine),))


# --- real asks


def test_a_buy_pays_the_asks_open_and_a_short_is_stopped_by_the_asks_high() -> None:
    bars = table([START, SIGNAL, CALM])
    (trade,) = trades(with_asks(bars, [(10110, 10160, 10060, 10110)] * 2 + [(10125, 10160, 10060, 10110)]))
    assert trade.entry_price == D("1.10125")

    short = table([START, SELL, (10100, 10290, 10090, 10100, QUIET)], rules={"short": True})
    # sold at the bid 10100; the bid's high of 10290 does not reach the stop at 10300, the ask's does
    asks = [(10110, 10160, 10060, 10110)] * 2 + [(10110, 10301, 10100, 10110)]
    (stopped,) = trades(with_asks(short, asks))
    assert (stopped.exit_reason, stopped.exit_price) == (Reason.STOP, D("1.10300"))
    (open_to_the_end,) = trades(with_asks(short, [*asks[:2], (10110, 10299, 10100, 10110)]))
    assert open_to_the_end.exit_reason is Reason.END


# --- finer bars


BOTH: Row = (10100, 10600, 9800, 10200, QUIET)  # reaches the stop at 9910 and the target at 10510


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [
                (10100, 10600, 10100, 10500, QUIET),
                (10500, 10500, 9800, 9900, QUIET),
                (9900, 10200, 9900, 10200, QUIET),
            ],
            Reason.TARGET,
        ),
        (
            [
                (10100, 10150, 9800, 9900, QUIET),
                (9900, 10600, 9900, 10500, QUIET),
                (10500, 10500, 10200, 10200, QUIET),
            ],
            Reason.STOP,
        ),
    ],
)
def test_a_bar_that_holds_stop_and_target_is_resolved_by_finer_bars(rows: list[Row], reason: Reason) -> None:
    job = with_minutes(table([START, SIGNAL, BOTH, CALM]), 2, rows, [0, 15, 45])
    for reading in Reading:
        (trade,) = trades(job, reading)
        assert (trade.exit_reason, trade.ambiguous) == (reason, False)
    assert trade.exit_time == trade.entry_time  # the first of the finer bars
    assert trade.bars_held == 1


def test_asks_of_the_finer_bars_alone_count_inside_them() -> None:
    # bids as ever, the hour has no asks: at 02:00 the minutes' ask is 37 above, not the spread of 10
    rows: list[Row] = [(10100, 10150, 10090, 10140, QUIET), (10140, 10150, 10050, 10100, QUIET)]
    job = with_minutes(table([START, SIGNAL, CALM, CALM]), 2, rows, [0, 30])
    (stream,) = job.streams
    columns = [
        np.array(side) * 1e-5 + 1.0
        for side in ([10137, 10177], [10187, 10187], [10127, 10087], [10177, 10137])
    ]
    (trade,) = trades(replace(job, streams=(replace(stream, fine_asks=Asks(*columns)),)))
    assert trade.entry_price == D("1.10137")


def test_finer_bars_that_do_not_tell_the_whole_bar_are_not_believed() -> None:
    # the low of 9800 is missing from them
    rows: list[Row] = [(10100, 10600, 10100, 10500, QUIET), (10500, 10500, 10200, 10200, QUIET)]
    (trade,) = trades(with_minutes(table([START, SIGNAL, BOTH]), 2, rows, [0, 30]))
    assert (trade.exit_reason, trade.ambiguous) == (Reason.STOP, True)


def test_breakeven_moves_within_the_bar_on_the_management_timeframe() -> None:
    management = {"timeframe": "M15", "breakeven_after_r": 1.0}
    bar: Row = (10100, 10400, 10000, 10050, QUIET)
    job = table([START, SIGNAL, bar, CALM], rules={"management": management})
    # entry at 10110; after the first quarter the close of 10320 lies more than 200 points above: the stop
    # goes to the entry, and the fall of the second quarter meets it there
    rows: list[Row] = [
        (10100, 10400, 10100, 10320, QUIET),
        (10320, 10320, 10000, 10050, QUIET),
    ]
    (trade,) = trades(with_minutes(job, 2, rows, [0, 15]))
    assert (trade.exit_reason, trade.exit_price) == (Reason.BREAKEVEN, D("1.10110"))
    # without finer bars nothing moves before the hour has closed
    (late,) = trades(job)
    assert late.exit_reason is Reason.END


def test_with_finer_bars_too_days_are_left_at_fridays_close() -> None:
    times = [datetime(2026, 3, day, tzinfo=UTC) for day in (10, 11, 12, 13, 16)]
    rows = [START, SIGNAL, CALM, (10100, 10150, 10050, 10130, QUIET), CALM]
    leaves = {"management": {"close_before_weekend": True}}
    job = table(rows, times=times, timeframe=Timeframe.D1, rules=leaves)
    (stream,) = job.streams
    halves = rows_to_bars(
        [(10100, 10150, 10050, 10080, QUIET), (10080, 10140, 10070, 10130, QUIET)],
        times=[datetime(2026, 3, 13, hour, tzinfo=UTC) for hour in (0, 12)],
        timeframe=Timeframe.H12,
    )
    (trade,) = trades(replace(job, streams=(replace(stream, fine=halves),)))
    assert (trade.exit_reason, trade.exit_price) == (Reason.WEEKEND, D("1.10130"))


# --- rates that move


def test_profit_is_converted_at_the_rate_of_its_closing_time() -> None:
    job = table([START, SIGNAL, CALM, (10100, 10510, 10050, 10400, QUIET)], currency="GBP")
    (stream,) = job.streams
    gains, losses = np.array([0.80, 0.80, 0.80, 0.50]), np.array([0.82, 0.82, 0.82, 0.52])
    (trade,) = trades(replace(job, streams=(replace(stream, rates=(gains, losses)),)))
    # sized at 0.82: a lot loses 164 GBP at the stop, 100 / 164 = 0.609 → 0.60 lots
    assert trade.volume == D("0.60")
    # 400 points × 0.60 USD = 240 USD at 0.50
    assert trade.net == D("120.00")
    # half a spread of 10 points at each end: 6 USD lost, at 0.52
    assert (trade.spread_cost, trade.gross) == (D("3.12"), D("123.12"))


# --- one account for several


def two(first: Job, second: Job, **account: Any) -> Job:
    (one,), (other,) = first.streams, second.streams
    other = replace(other, strategy=other.strategy.model_copy(update={"id": "OTHER"}))
    return replace(first, streams=(one, other), account=replace(first.account, **account))


def test_the_second_is_sized_with_what_the_first_has_lost() -> None:
    losing = table([START, SIGNAL, (10100, 10150, 9910, 9950, QUIET), CALM, CALM, CALM])
    later = table([START, CALM, CALM, SIGNAL, CALM, CALM])
    first, second = trades(two(losing, later))
    assert (first.strategy, first.net, first.volume) == ("TABLE", D("-100.00"), D("0.50"))
    assert (second.strategy, second.volume) == ("OTHER", D("0.49"))  # 1 % of 9,900 over 200 USD a lot


def test_opposite_positions_stand_beside_each_other_only_on_a_hedging_account() -> None:
    buys = table([START, SIGNAL, CALM, CALM])
    sells = table([START, SELL, CALM, CALM], rules={"short": True})
    sides = [trade.side.direction for trade in trades(two(buys, sells))]
    assert sides == ["long", "short"]
    netted = running.run_backtest(two(buys, sells, hedging=False))
    assert [trade.side.direction for trade in netted.trades] == ["long"]
    assert netted.refusals == {"symbol_occupied": 1}


def test_equity_holds_every_position_at_its_own_price() -> None:
    # the largest volume fixes the size, so that neither depends on what the other has done
    fixed: dict[str, Any] = {"specification": {"volume_max": D("0.10")}}
    eur = table([START, SIGNAL, (10100, 10160, 10050, 10160, QUIET), CALM], **fixed)
    gold = table([START, SIGNAL, CALM, CALM], symbol="XAUUSD", base=1900.0, point=1e-2, **fixed)
    alone = [running.run_backtest(job).equity - 10_000 for job in (eur, gold)]
    both = running.run_backtest(two(eur, gold)).equity - 10_000
    np.testing.assert_allclose(both, alone[0] + alone[1], atol=1e-6)


# --- news


def release(at: datetime) -> Event:
    return Event(
        key="payrolls",
        title="Non-Farm Employment Change",
        currency="USD",
        impact=Impact.HIGH,
        at=at,
    )


def with_calendar(job: Job, at: datetime | None, **limits: Any) -> Job:
    """The job with one release in a calendar that speaks of March 2026."""
    view = CalendarView(
        known=True,
        covered_from=datetime(2026, 3, 1, tzinfo=UTC),
        covered_to=datetime(2026, 4, 1, tzinfo=UTC),
        events=() if at is None else (release(at),),
    )
    return replace(job, calendar=view, limits=job.limits.model_copy(update=limits))


@pytest.mark.parametrize(
    ("minutes_from_close", "refused"),
    [(-31, False), (-30, False), (-29, True), (0, True), (30, True), (31, False)],
)
def test_no_entry_within_the_minutes_around_a_release(minutes_from_close: int, refused: bool) -> None:
    job = table([START, SIGNAL, CALM], rules={"news_embargo_minutes": 30})
    close = datetime.fromtimestamp(int(job.streams[0].bars.time[2]), UTC)  # the signal bar's
    result = running.run_backtest(with_calendar(job, close + timedelta(minutes=minutes_from_close)))
    # a pause is [release − 30 min, release + 30 min)
    assert (result.refusals == {"news_embargo": 1}, len(result.trades)) == (refused, 0 if refused else 1)


def test_an_order_that_rests_is_cancelled_when_a_pause_begins() -> None:
    rules = {"news_embargo_minutes": 30, "order": {"type": "limit", "offset_atr": 1.0, "expiry_bars": 9}}
    far: Row = (10400, 10450, 10390, 10400, QUIET)
    job = table([START, SIGNAL, far, far, (10100, 10150, 9900, 10100, QUIET)], rules=rules)
    at = datetime.fromtimestamp(int(job.streams[0].bars.time[3]), UTC)  # the first far bar closes here
    assert running.run_backtest(with_calendar(job, at)).refusals == {"order_cancelled": 1}
    assert len(running.run_backtest(with_calendar(job, None)).trades) == 1


def test_where_nothing_is_known_of_the_news_the_limits_decide() -> None:
    job = table([START, SIGNAL, CALM], rules={"news_embargo_minutes": 30})
    block = {"embargo_when_calendar_unknown": "block"}
    blind = replace(job, limits=job.limits.model_copy(update=block))
    assert running.run_backtest(blind).refusals == {"calendar_known": 1}
    assert len(running.run_backtest(job).trades) == 1
    assert len(running.run_backtest(with_calendar(job, None, **block)).trades) == 1
