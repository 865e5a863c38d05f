"""Conversion, equity and the limits of the account, worked by hand."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backend.core.errors import Invalid
from tests.fakes.backtests import MONDAY, QUIET, WIDE_OPEN, Row, table
from tests.golden.backtest.hand import CALM, SIGNAL, START, D, only, run

if TYPE_CHECKING:
    from backend.core.bars import Bars


# --- currencies


def test_yen_profit_is_divided_by_the_closing_price() -> None:
    # loss a lot: 20,000 JPY / 149.910 = 133.41 USD → 0.74 lots; target 29,600 JPY / 150.510 = 196.66
    rows = [START, SIGNAL, (10100, 10510, 10050, 10400, QUIET)]
    trade = only(run(table(rows, symbol="USDJPY", base=140.0, point=0.001)))
    assert (trade.volume, trade.entry_price, trade.exit_price) == (D("0.74"), D("150.110"), D("150.510"))
    assert trade.net == D("196.66")


# --- the account


def test_equity_is_marked_at_the_bid_with_the_worst_of_each_bar() -> None:
    result = run(table([START, SIGNAL, (10100, 10200, 10000, 10150, QUIET), CALM], commission="2"))
    # entry 10110: close 10150 is +40 × 0.50, less 1.00 commission paid; worst 10000 is −110 × 0.50
    assert result.equity[1] == 10_019.0
    assert result.worst[1] == 9_944.0
    assert result.equity[0] == 10_000.0
    assert result.equity[-1] == float(result.balance) == 10_000 - 5 - 2


def test_a_daily_loss_limit_stops_entries_until_the_next_server_day() -> None:
    daily_loss = WIDE_OPEN.daily_loss.model_copy(update={"limit": 0.015})
    limits = WIDE_OPEN.model_copy(update={"daily_loss": daily_loss})
    stopped: Row = (10100, 10150, 9900, 10100, QUIET)
    start = MONDAY + timedelta(hours=18)
    # Monday: −100 of 10,000; a second trade would risk 99 more, together above 150; Tuesday is new
    rows = [START, SIGNAL, stopped, SIGNAL, CALM, CALM, SIGNAL, CALM]
    result = run(table(rows, limits=limits, start=start))
    assert len(result.trades) == 2
    assert result.refusals == {"daily_loss": 1}
    assert result.trades[1].volume == D("0.49")  # 1 % of 9,900


def test_half_risk_at_a_better_limit_between_the_two_thresholds() -> None:
    thresholds = WIDE_OPEN.thresholds.model_copy(update={"open_or_scale": 100, "autonomous": 100})
    limits = WIDE_OPEN.model_copy(update={"thresholds": thresholds})
    trade = only(run(table([START, SIGNAL, (10100, 10150, 10050, 10100, QUIET)], limits=limits)))
    assert (trade.volume, trade.entry_price) == (D("0.25"), D("1.10060"))


def test_a_score_below_every_threshold_is_only_observed() -> None:
    thresholds = WIDE_OPEN.thresholds.model_copy(
        update={"pending_only": 100, "open_or_scale": 100, "autonomous": 100}
    )
    limits = WIDE_OPEN.model_copy(update={"thresholds": thresholds})
    assert run(table([START, SIGNAL, CALM], limits=limits)).refusals == {"confidence": 1}


def test_bars_with_impossible_prices_are_refused_with_the_first_place() -> None:
    job = table([START, SIGNAL, CALM])
    (stream,) = job.streams
    high = stream.bars.high.copy()
    high[2] = 1.0
    broken: dict[str, Any] = {"high": high}
    bars: Bars = replace(stream.bars, **broken)
    with pytest.raises(Invalid) as caught:
        run(replace(job, streams=(replace(stream, bars=bars),)))
    assert (caught.value.code, caught.value.details["index"]) == ("bad_bars", 2)
