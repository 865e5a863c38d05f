"""What the desk knows at a moment: the account as the terminal shows it, the day so far, its own pace."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from backend.backtest.model import Job
from backend.control.account import account_state
from backend.core.errors import DeskError
from backend.core.timeframes import DAY_SECONDS
from backend.evaluation.statistics import ProfileStatistics, broker_midnight, profile_statistics
from backend.mt5 import constants as mt5
from backend.mt5.mapping import account_of, exact, position_of
from backend.mt5.structures import TradePosition
from backend.risk.numbers import Measured, day_losses, drawdowns
from backend.simulator.book import Deal
from backend.simulator.driven import DrivenAccount, DrivenBar
from backend.trading.account import AccountState, OpenTrade
from backend.trading.desk import DeskState
from backend.trading.profit import profit
from backend.trading.sides import Side
from tests.reference.account import reset_days
from tests.reference.terminal_rows import Notes, Path


class Knowing:
    """The account's day and the desk's pace.

    Args:
        job: The run's inputs.
        path: Its bars.
        notes: What was sent.
    """

    def __init__(self, job: Job, path: Path, notes: Notes) -> None:
        (self._stream,) = job.streams
        self._job, self._path, self._notes = job, path, notes
        self._days = reset_days(job)
        self._statistics: ProfileStatistics | None = None
        balance = job.account.balance
        self._references = [balance for _ in job.limits.loss_rules]
        self._peaks = [max(balance, rules.initial or balance) for rules in job.limits.loss_rules]
        self._entries: dict[int, int] = {}
        self._halted_day = self._halted = False

    def new_day(self, account: DrivenAccount, index: int) -> None:
        """Before a bar: the day's loss begins anew where its midnight has passed."""
        if self._days[index] == self._days[index - 1]:
            return
        balance, equity = account.book.balance, account.equity
        choices = {"balance": balance, "equity": equity, "higher": max(balance, equity)}
        self._halted_day = False
        for at, rules in enumerate(self._job.limits.loss_rules):
            if rules.daily_loss is not None:
                self._references[at] = choices[rules.daily_loss.reset_from]
            if rules.drawdown is not None and rules.drawdown.kind == "trailing_end_of_day":
                self._peaks[at] = max(self._peaks[at], equity)

    def sent(self, index: int) -> None:
        """An entry was sent on a bar."""
        day = int(self._path.bars.server_time[index]) // DAY_SECONDS
        self._entries[day] = self._entries.get(day, 0) + 1

    def halts(self, account: DrivenAccount, index: int) -> bool:
        """After a bar: whether the day's loss or the drawdown reached its limit at the worst of it."""
        lowest = replace(self.state(account), equity=self._lowest(account, index))
        limits = self._job.limits
        day, ever = _reached(day_losses(lowest, limits)), _reached(drawdowns(lowest, limits))
        new = (day and not self._halted_day) or (ever and not self._halted)
        self._halted_day, self._halted = self._halted_day or day, self._halted or ever
        for at, rules in enumerate(limits.loss_rules):
            if rules.drawdown is not None and rules.drawdown.kind == "trailing":
                self._peaks[at] = max(self._peaks[at], account.equity)
        return new

    def _lowest(self, account: DrivenAccount, index: int) -> Decimal:
        """Equity at the worst price at which each position is known to have been open on the bar."""
        book, bar = account.book, self._path.bar(index)
        found = account.equity
        for position in book.positions.values():
            if not self._entered_inside(position.identifier, account, bar):
                worst = bar.bid.low if position.side is Side.BUY else bar.ask.high
                earned = self._profit(position.side, position.lots, position.price, worst)
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
        earned = self._profit(side, out.lots, into.price, worst)
        return min(balance, balance - out.profit - out.commission + earned)

    def _entered_inside(self, position: int, account: DrivenAccount, bar: DrivenBar) -> bool:
        into = next(d for d in account.book.deals if d.position == position)
        pending = self._notes.sent[position].order.action == mt5.TRADE_ACTION_PENDING
        return into.time_ms == bar.time * 1000 and pending and into.ticket not in self._notes.at_open

    def state(self, account: DrivenAccount) -> AccountState:
        """The account by the live code; what the desk keeps on record beside it."""
        positions = account.positions()
        shown = [position_of(one, one.symbol, _utc) for one in positions]
        instrument = self._stream.instrument
        state = account_state(account_of(account.account_info()), shown, lambda _: instrument, _unknown)
        name = self._stream.strategy.id
        pending = [
            OpenTrade(
                symbol=order.symbol,
                side=self._notes.sent[order.ticket].levels.side,
                lots=exact(order.volume_current),
                price=exact(order.price_open),
                stop=exact(order.sl),
                pending=True,
                strategy=name,
            )
            for order in account.orders()
        ]
        return replace(
            state,
            trades=(*(replace(trade, strategy=name) for trade in state.trades), *pending),
            open_risk=sum((self._at_risk(one) for one in positions), Decimal(0)),
            day_reference=self._references[0],
            initial_balance=self._job.account.balance,
            peak=self._peaks[0],
            rule_reference=self._references[1] if len(self._references) > 1 else None,
            rule_peak=self._peaks[1] if len(self._peaks) > 1 else None,
        )

    def _at_risk(self, position: TradePosition) -> Decimal:
        side = Side.BUY if position.type == mt5.POSITION_TYPE_BUY else Side.SELL
        now, stopped = (
            self._profit(side, exact(position.volume), exact(position.price_open), exact(price))
            for price in (position.price_current, position.sl)
        )
        return max(now - stopped, Decimal(0))

    def _profit(self, side: Side, lots: Decimal, opened: Decimal, closed: Decimal) -> Decimal:
        return profit(self._stream.instrument, side, lots, opened, closed, self._stream.conversion)

    def desk(self, account: DrivenAccount, index: int, server: int) -> DeskState:
        """Halts and pace on a bar, at a server epoch."""
        closed = [deal for deal in account.book.deals if deal.entry == mt5.DEAL_ENTRY_OUT]
        entries = self._entries.get(server // DAY_SECONDS, 0)
        return DeskState(
            halted="a limit is reached" if self._halted or self._halted_day else "",
            entries_today=entries,
            entries_today_strategy=entries,
            bars_since_close=index - self._path.place(closed[-1].time_ms // 1000) if closed else None,
        )

    def usual(self, index: int) -> ProfileStatistics:
        """Spread and ATR as they stood at the broker's midnight before a bar's open."""
        midnight = broker_midnight(int(self._path.bars.server_time[index]))
        if self._statistics is None or self._statistics.midnight != midnight:
            period = self._stream.strategy.indicators.atr.period
            past = self._path.bars[: index + 1]
            self._statistics = profile_statistics(past, period, midnight, self._stream.spread_bars)
        return self._statistics


def _reached(measured: list[Measured | None]) -> bool:
    """The desk's own limit as floats tell it, a rulebook's exactly."""
    own, *ruled = measured
    assert own is not None
    by_desk = float(own.lost) >= own.limit * float(own.of)
    return by_desk or any(one is not None and one.reached for one in ruled)


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def _unknown(symbol: str, error: DeskError) -> None:
    raise AssertionError(symbol) from error
