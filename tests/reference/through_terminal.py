"""The desk's live code over the simulated terminal, bar by bar: what a backtest claims to give.

At each close `AIEngine` decides from the bars closed by then and from the account as the terminal shows it,
and what is open is managed. At the next open what was decided is anchored, sized and judged again and sent
with `order_send`, stop and target with it. What happens between is the broker's. One symbol, one strategy.
"""

from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal

from backend.backtest.model import Job
from backend.core.clock import from_epoch
from backend.core.timeframes import Timeframe, close_of
from backend.economic_calendar.model import CalendarView
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.deciding import Known
from backend.evaluation.decision import Decision
from backend.evaluation.engine import AIEngine
from backend.mt5 import constants as mt5
from backend.mt5.arguments import EMPTY_REQUEST
from backend.mt5.structures import OrderSendResult, TradePosition, TradeRequest
from backend.risk.rules import DeskRules
from backend.simulator.driven import DrivenAccount
from backend.strategies.model import OnOpposite, OrderType
from backend.trading.desk import Purpose
from backend.trading.reasons import Reason
from tests.reference.closes import Closes
from tests.reference.knowing import Knowing
from tests.reference.prices import last_of_week
from tests.reference.sending import Asked, placed, prepared
from tests.reference.terminal_rows import Notes, Path, Row, rows, terminal

NO_CALENDAR = CalendarView.unknown("there is no calendar of the past")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Closed trades in the order of their exits, money at the end, and what each close decided."""

    trades: list[Row]
    balance: Decimal
    decisions: list[Decision]


def run_through_terminal(job: Job) -> Outcome:
    """Run a job of one stream with the live code over a driven account."""
    desk = _Desk(job)
    desk.run()
    book = desk.account.book
    return Outcome(trades=rows(book, desk.path, desk.notes), balance=book.balance, decisions=desk.decisions)


class _Desk:
    def __init__(self, job: Job) -> None:
        (self._stream,) = job.streams
        self._bars, self._symbol = self._stream.bars, self._stream.instrument.symbol
        self._rules = DeskRules(job.limits)
        self._engine = AIEngine(self._rules)
        self._history = compile_strategy(self._stream.strategy).history[self._bars.timeframe]
        self._weekend = self._stream.strategy.strategy.management.close_before_weekend
        self._week_end = last_of_week(self._bars)
        self._day_bars = self._bars.timeframe.seconds >= Timeframe.D1.seconds
        self._wanted: Asked | None = None
        self.path, self.notes = Path(self._stream), Notes()
        self.account = terminal(job)
        self.decisions: list[Decision] = []
        self._knowing = Knowing(job, self.path, self.notes)
        self._closes = Closes(self._stream, self.notes, self.path)

    def run(self) -> None:
        first, last = self._stream.first, len(self._bars) - 1
        self.account.step({self._symbol: self.path.bar(first - 1)})
        self._decide(first - 1)
        for index in range(first, last + 1):
            self._knowing.new_day(self.account, index)
            self._open(index)
            self.account.end()
            if index == last:
                break
            if self._knowing.halts(self.account, index):
                self._remove([order.ticket for order in self.account.orders()])
            self._manage(index)
            self._decide(index)
        for position in self.account.positions():
            self._leave_at_close(position, Reason.END)

    # At the open.

    def _open(self, index: int) -> None:
        asked, self._wanted = self._wanted, None
        bar = self.path.bar(index)
        if self._weekend and bool(self._week_end[index]):
            self._remove([order.ticket for order in self.account.orders()])
        if asked is not None and asked.type is OrderType.LIMIT and asked.passed_by(bar):
            # A broker refuses a limit that the price has passed. The rule is that of one which was there
            # before the open, so it is sent before it, if at the open it would be.
            trial = deepcopy(self.account)
            trial.begin({self._symbol: bar})
            self._leave_at_open(trial, index)
            self._send(asked, trial, index)
            asked = None
        done = len(self.account.book.deals)
        self.account.begin({self._symbol: bar})
        self.notes.at_open |= {deal.ticket for deal in self.account.book.deals[done:]}
        self._leave_at_open(self.account, index)
        if asked is not None:
            self._send(asked, self.account, index)

    def _leave_at_open(self, account: DrivenAccount, index: int) -> None:
        for position in account.positions():
            reason = self._closes.leaving.get(position.identifier)
            new = self.notes.sent[position.identifier].placed == index
            if reason is None and self._weekend and not self._day_bars and bool(self._week_end[index]):
                reason = Reason.WEEKEND
            if reason is not None and not new:
                _accepted(account.send(_closing(position, reason)))

    def _send(self, asked: Asked, account: DrivenAccount, index: int) -> None:
        """Send it, if it passes with the account as it stands in `account`."""
        if self._weekend and bool(self._week_end[index]):
            return
        order = prepared(
            asked,
            self._stream,
            self._rules,
            self._knowing.state(account),
            self._knowing.desk(account, index, int(self._bars.server_time[index])),
            bar=self.path.bar(index),
            now=self._bars.opened(index),
        )
        if order is not None:
            result = _accepted(self.account.send(order))
            self.notes.sent[result.order] = placed(asked, order, index)
            self._knowing.sent(index)

    # At the close.

    def _manage(self, index: int) -> None:
        self._remove(
            [order.ticket for order in self.account.orders() if self._closes.cancels(order.ticket, index)]
        )
        for position in self.account.positions():
            opened = self.path.place(position.time)
            self._closes.leave(position, opened, index)
            if self._weekend and self._day_bars and bool(self._week_end[index]):
                self._leave_at_close(position, Reason.WEEKEND)
                continue
            stop = self._closes.stop(position, opened, index)
            if stop is not None:
                change = EMPTY_REQUEST._replace(
                    action=mt5.TRADE_ACTION_SLTP,
                    symbol=position.symbol,
                    position=position.ticket,
                    sl=float(stop),
                    tp=position.tp,
                )
                _accepted(self.account.send(change))

    def _remove(self, orders: list[int]) -> None:
        for ticket in orders:
            request = EMPTY_REQUEST._replace(action=mt5.TRADE_ACTION_REMOVE, order=ticket)
            _accepted(self.account.send(request))

    def _leave_at_close(self, position: TradePosition, reason: Reason) -> None:
        self.notes.at_close.add(_accepted(self.account.send(_closing(position, reason))).deal)

    def _decide(self, index: int) -> None:
        stream = self._stream
        window = self._bars[max(index + 1 - self._history, 0) : index + 1]
        decision = self._engine.evaluate(
            strategy=stream.strategy,
            profile=stream.profile,
            bars=window,
            known=Known(
                instrument=stream.instrument,
                statistics=self._knowing.usual(index),
                account=self._knowing.state(self.account),
                calendar=NO_CALENDAR,
                desk=self._knowing.desk(
                    self.account, index, int(close_of(window.timeframe, window.server_time[-1]))
                ),
                now=from_epoch(self.path.closed(index)),
            ),
            purpose=Purpose.BACKTEST,
        ).decision
        self.decisions.append(decision)
        if decision.signal is not None and decision.action.makes_idea and self._is_free(decision.signal):
            self._wanted = Asked.of(decision, self._stream)

    def _is_free(self, signal: str) -> bool:
        """An opposite position leaves room only where the strategy turns round; the gate sees to the rest."""
        opposite = any(
            self.notes.sent[position.identifier].levels.side.direction != signal
            for position in self.account.positions()
        )
        return not opposite or self._stream.strategy.strategy.on_opposite is OnOpposite.REVERSE


def _closing(position: TradePosition, reason: Reason) -> TradeRequest:
    buy = position.type == mt5.POSITION_TYPE_BUY
    return EMPTY_REQUEST._replace(
        action=mt5.TRADE_ACTION_DEAL,
        symbol=position.symbol,
        volume=position.volume,
        type=mt5.ORDER_TYPE_SELL if buy else mt5.ORDER_TYPE_BUY,
        type_filling=mt5.ORDER_FILLING_IOC,
        comment=str(reason),
        position=position.ticket,
    )


def _accepted(result: OrderSendResult) -> OrderSendResult:
    if result.retcode not in {mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_PLACED}:
        raise AssertionError(f"the broker refuses: {result}")
    return result
