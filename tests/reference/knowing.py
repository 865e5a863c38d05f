"""What the desk knows at a moment: the account as the terminal shows it, the day so far, its own pace."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from backend.backtest.model import Job, Stream
from backend.control.account import account_state
from backend.core.errors import DeskError
from backend.core.instruments import Instrument
from backend.core.timeframes import DAY_SECONDS
from backend.evaluation.statistics import ProfileStatistics, broker_midnight, profile_statistics
from backend.mt5 import constants as mt5
from backend.mt5.mapping import account_of, exact, position_of
from backend.mt5.structures import TradePosition
from backend.risk.numbers import Measured, day_losses, drawdowns
from backend.simulator.book import Deal
from backend.simulator.driven import DrivenAccount, DrivenBar
from backend.strategies.sessions import utc_offsets
from backend.trading.account import AccountState, OpenTrade
from backend.trading.desk import DeskState
from backend.trading.exposure import exposure_of, netted
from backend.trading.profit import loss_per_lot, profit
from backend.trading.sides import Side
from tests.reference.terminal_rows import Notes, Path


class Knowing:
    """The account's day and the desk's pace.

    Args:
        job: The run's inputs.
        paths: Its bars, by symbol.
        notes: What was sent.
    """

    def __init__(self, job: Job, paths: Mapping[str, Path], notes: Notes) -> None:
        self._job, self._paths, self._notes = job, paths, notes
        self._streams = {stream.instrument.symbol: stream for stream in job.streams}
        self._day: int | None = None
        self._statistics: dict[tuple[str, str, int], ProfileStatistics] = {}
        balance = job.account.balance
        self._references = [balance for _ in job.limits.loss_rules]
        self._peaks = [max(balance, rules.initial or balance) for rules in job.limits.loss_rules]
        self._entries: Counter[tuple[str, int]] = Counter()
        self._halted_day = self._halted = False

    def new_day(self, account: DrivenAccount, server: int, utc: int) -> None:
        """Before bars: the day's loss begins anew where its midnight has passed."""
        zone = self._job.limits.reset_tz
        local = server if zone is None else utc + int(utc_offsets(zone, np.array([utc]))[0])
        before, self._day = self._day, local // DAY_SECONDS
        if before is None or before == self._day:
            return
        balance, equity = account.book.balance, account.equity
        choices = {"balance": balance, "equity": equity, "higher": max(balance, equity)}
        self._halted_day = False
        for at, rules in enumerate(self._job.limits.loss_rules):
            if rules.daily_loss is not None:
                self._references[at] = choices[rules.daily_loss.reset_from]
            if rules.drawdown is not None and rules.drawdown.kind == "trailing_end_of_day":
                self._peaks[at] = max(self._peaks[at], equity)

    def sent(self, strategy: str, server: int) -> None:
        """A strategy's entry was sent at a server epoch."""
        self._entries[strategy, server // DAY_SECONDS] += 1

    def halts(self, account: DrivenAccount, bars: Mapping[str, DrivenBar]) -> bool:
        """After bars: whether the day's loss or the drawdown reached its limit at the worst of them.

        With several symbols only the closes are looked at: no bar tells what stood where at whose worst.
        """
        equity = account.equity
        if len(self._job.streams) == 1:
            (bar,) = bars.values()
            equity = self._lowest(account, bar)
        lowest = replace(self.state(account), equity=equity)
        limits = self._job.limits
        day, ever = _reached(day_losses(lowest, limits)), _reached(drawdowns(lowest, limits))
        new = (day and not self._halted_day) or (ever and not self._halted)
        self._halted_day, self._halted = self._halted_day or day, self._halted or ever
        for at, rules in enumerate(limits.loss_rules):
            if rules.drawdown is not None and rules.drawdown.kind == "trailing":
                self._peaks[at] = max(self._peaks[at], account.equity)
        return new

    def _lowest(self, account: DrivenAccount, bar: DrivenBar) -> Decimal:
        """Equity at the worst price at which each position is known to have been open on the bar."""
        book = account.book
        found = account.equity
        for position in book.positions.values():
            if not self._entered_inside(position.identifier, account, bar):
                worst = bar.bid.low if position.side is Side.BUY else bar.ask.high
                earned = self._profit(position.symbol, position.side, position.lots, position.price, worst)
                found = min(found, book.balance + earned + position.swap)
        balance = book.balance
        for deal in reversed(book.deals):
            if deal.time_ms != bar.time * 1000:
                break
            if deal.entry == mt5.DEAL_ENTRY_OUT:
                found = min(found, self._on_the_way(deal, account, bar, balance))
            balance -= deal.profit + deal.swap + deal.commission
        return found

    def _on_the_way(self, out: Deal, account: DrivenAccount, bar: DrivenBar, balance: Decimal) -> Decimal:
        """The lowest equity with a position that ended on the bar; `balance` is that after its end."""
        inside = out.ticket not in self._notes.at_open and out.reason == mt5.DEAL_REASON_TP
        if not inside or self._entered_inside(out.position, account, bar):
            return balance
        into = next(d for d in account.book.deals if d.position == out.position)
        order = next(order for order in account.book.done if order.ticket == into.order)
        stop = self._notes.stops.get(out.position, order.stop)
        if stop is None:
            raise AssertionError("a position without a stop")
        side = order.side
        worst = max(bar.bid.low, stop) if side is Side.BUY else min(bar.ask.high, stop)
        earned = self._profit(out.symbol, side, out.lots, into.price, worst)
        return min(balance, balance - out.profit - out.commission + earned)

    def _entered_inside(self, position: int, account: DrivenAccount, bar: DrivenBar) -> bool:
        into = next(d for d in account.book.deals if d.position == position)
        pending = self._notes.sent[position].order.action == mt5.TRADE_ACTION_PENDING
        return into.time_ms == bar.time * 1000 and pending and into.ticket not in self._notes.at_open

    def state(self, account: DrivenAccount) -> AccountState:
        """The account by the live code; what the desk keeps on record beside it."""
        positions = account.positions()
        shown = [position_of(one, one.symbol, _utc) for one in positions]
        state = account_state(account_of(account.account_info()), shown, self._instrument, _unknown)
        pending = [
            OpenTrade(
                symbol=order.symbol,
                side=self._notes.sent[order.ticket].levels.side,
                lots=exact(order.volume_current),
                price=exact(order.price_open),
                stop=exact(order.sl),
                pending=True,
                strategy=self._notes.sent[order.ticket].wanted.terms.strategy,
            )
            for order in account.orders()
            if order.ticket not in self._notes.parts
        ]
        held = [
            replace(trade, strategy=self._notes.sent[one.identifier].wanted.terms.strategy)
            for trade, one in zip(state.trades, positions, strict=True)
        ]
        risks = [self._at_risk(one) for one in positions] + [self._would_lose(one) for one in pending]
        return replace(
            state,
            trades=(*held, *pending),
            exposure=netted(state.exposure, *(self._exposed(one) for one in pending)),
            open_risk=sum(risks, Decimal(0)),
            day_reference=self._references[0],
            initial_balance=self._job.account.balance,
            peak=self._peaks[0],
            rule_reference=self._references[1] if len(self._references) > 1 else None,
            rule_peak=self._peaks[1] if len(self._peaks) > 1 else None,
        )

    def _at_risk(self, position: TradePosition) -> Decimal:
        side = Side.BUY if position.type == mt5.POSITION_TYPE_BUY else Side.SELL
        now, stopped = (
            self._profit(
                position.symbol, side, exact(position.volume), exact(position.price_open), exact(price)
            )
            for price in (position.price_current, position.sl)
        )
        return max(now - stopped, Decimal(0))

    def _would_lose(self, order: OpenTrade) -> Decimal:
        """What an order that waits loses, once filled, down to its stop."""
        stream = self._streams[order.symbol]
        if order.stop is None:
            raise AssertionError("an order without a stop")
        return order.lots * loss_per_lot(
            stream.instrument, order.side, order.price, order.stop, stream.conversion
        )

    def _exposed(self, order: OpenTrade) -> Mapping[str, Decimal]:
        stream = self._streams[order.symbol]
        return exposure_of(stream.instrument, order.side, order.lots, order.price, stream.conversion)

    def _profit(self, symbol: str, side: Side, lots: Decimal, opened: Decimal, closed: Decimal) -> Decimal:
        stream = self._streams[symbol]
        return profit(stream.instrument, side, lots, opened, closed, stream.conversion)

    def _instrument(self, symbol: str) -> Instrument:
        return self._streams[symbol].instrument

    def desk(self, account: DrivenAccount, stream: Stream, index: int, server: int) -> DeskState:
        """Halts and pace as a strategy on a symbol meets them on a bar, at a server epoch."""
        open_ = {position.identifier for position in account.positions()}
        name, symbol, day = stream.strategy.id, stream.instrument.symbol, server // DAY_SECONDS
        closed = [
            deal.time_ms // 1000
            for deal in account.book.deals
            if deal.entry == mt5.DEAL_ENTRY_OUT
            and deal.symbol == symbol
            and deal.position not in open_
            and self._notes.sent[deal.position].wanted.terms.strategy == name
        ]
        return DeskState(
            halted="a limit is reached" if self._halted or self._halted_day else "",
            entries_today=sum(count for (_, of), count in self._entries.items() if of == day),
            entries_today_strategy=self._entries[name, day],
            bars_since_close=index - self._paths[symbol].place(closed[-1]) if closed else None,
        )

    def usual(self, stream: Stream, index: int) -> ProfileStatistics:
        """Spread and ATR as they stood at the broker's midnight before a bar's open."""
        bars, period = stream.bars, stream.strategy.indicators.atr.period
        midnight = broker_midnight(int(bars.server_time[index]))
        key = stream.strategy.id, stream.instrument.symbol, midnight
        if key not in self._statistics:
            past = bars[: index + 1]
            self._statistics[key] = profile_statistics(past, period, midnight, stream.spread_bars)
        return self._statistics[key]


def _reached(measured: list[Measured | None]) -> bool:
    return any(one is not None and one.reached for one in measured)


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def _unknown(symbol: str, error: DeskError) -> None:
    raise AssertionError(symbol) from error
