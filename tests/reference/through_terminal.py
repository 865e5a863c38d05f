"""The desk's live code over the simulated terminal, bar by bar: what a backtest claims to give.

At each close `AIEngine` decides from the bars closed by then and from the account as the terminal shows it,
and what is open is managed. At the next open what was decided is anchored, sized and judged again and sent
with `order_send`, stop and target with it. What happens between is the broker's.

Several strategies and symbols share the account, with bars of one length: at an instant all bars open, then
all positions that leave are closed, then what was decided is sent, strategy by strategy.
"""

from dataclasses import dataclass
from decimal import Decimal

from backend.backtest.model import Job
from backend.core.clock import from_epoch
from backend.core.timeframes import close_of
from backend.economic_calendar.model import CalendarView
from backend.evaluation.deciding import Known
from backend.evaluation.decision import Decision
from backend.evaluation.engine import AIEngine
from backend.mt5 import constants as mt5
from backend.mt5.arguments import EMPTY_REQUEST
from backend.mt5.structures import TradePosition
from backend.risk.rules import DeskRules
from backend.simulator.driven import DrivenAccount, DrivenBar
from backend.strategies.model import OnOpposite, OrderType
from backend.trading.desk import Purpose
from backend.trading.reasons import Reason
from tests.reference.knowing import Knowing
from tests.reference.lane import Lane
from tests.reference.parts import Parts, accepted, closing
from tests.reference.sending import Asked, placed, prepared
from tests.reference.terminal_rows import Notes, Row, rows, terminal

NO_CALENDAR = CalendarView.unknown("there is no calendar of the past")
Now = dict[int, int]
"""Index of the bar of each lane that has one at an instant, by the lane's place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Closed trades in the order of their exits, money at the end, and what each close decided."""

    trades: list[Row]
    balance: Decimal
    decisions: list[Decision]


def run_through_terminal(job: Job) -> Outcome:
    """Run a job with the live code over a driven account."""
    desk = _Desk(job)
    desk.run()
    book = desk.account.book
    return Outcome(
        trades=rows(book, desk.paths, desk.notes, job.account.digits),
        balance=book.balance,
        decisions=desk.decisions,
    )


class _Desk:
    def __init__(self, job: Job) -> None:
        if len({stream.bars.timeframe for stream in job.streams}) > 1:
            raise AssertionError("one step is bars of one length")
        self._rules = DeskRules(job.limits)
        self._engine = AIEngine(self._rules)
        self.notes = Notes()
        self._lanes = [Lane(stream, self.notes) for stream in job.streams]
        self.paths = {lane.symbol: lane.path for lane in self._lanes}
        self.account = terminal(job)
        self.decisions: list[Decision] = []
        self._knowing = Knowing(job, self.paths, self.notes)
        self._parts = Parts(job.streams[0], self.notes)

    def run(self) -> None:
        instants = sorted({int(at) for lane in self._lanes for at in lane.stream.bars.server_time})
        for server in instants:
            now = {
                place: lane.path.place(server)
                for place, lane in enumerate(self._lanes)
                if lane.path.has(server) and server >= lane.opened(lane.stream.first - 1)
            }
            if not now:
                continue
            bars = self._bars(now)
            traded = {place: at for place, at in now.items() if at >= self._lanes[place].stream.first}
            (utc,) = {self._lanes[place].path.opened(at) for place, at in now.items()}
            self._knowing.new_day(self.account, server, utc)
            self._open(traded, bars)
            self._parts.end(self.account, next(iter(bars.values())))
            self._close(now, traded, bars)

    def _bars(self, now: Now) -> dict[str, DrivenBar]:
        return {self._lanes[place].symbol: self._lanes[place].path.bar(at) for place, at in now.items()}

    # At the open.

    def _open(self, now: Now, bars: dict[str, DrivenBar]) -> None:
        for place, index in now.items():
            lane = self._lanes[place]
            if lane.ends_week(index):  # before the open can fill them, also where the symbol rested till now
                for ticket in self._orders(lane):
                    order = self.account.book.orders[ticket]
                    self.account.book.end_order(order, mt5.ORDER_STATE_CANCELED, order.placed_ms)
        done = len(self.account.book.deals)
        self._parts.begin(self.account, bars)
        self._met_at_open(done)
        self._leave(self.account, now)
        self._parts.tidy(self.account)
        for place, index in now.items():
            self._send(self._lanes[place], index)

    def _met_at_open(self, done: int) -> None:
        self.notes.at_open |= {deal.ticket for deal in self.account.book.deals[done:]}

    def _leave(self, account: DrivenAccount, now: Now) -> None:
        for place, index in now.items():
            lane = self._lanes[place]
            for position in self._positions(lane, account):
                reason = lane.closes.leaving.get(position.identifier)
                new = self.notes.sent[position.identifier].placed == index
                if reason is None and not lane.day_bars and lane.ends_week(index):
                    reason = Reason.WEEKEND
                if reason is not None and not new:
                    accepted(account.send(closing(position, reason)))

    def _send(self, lane: Lane, index: int) -> None:
        """Send what the lane wants, if it passes."""
        asked, lane.wanted = lane.wanted, None
        if asked is None or lane.ends_week(index):
            return
        stream, server = lane.stream, lane.opened(index)
        order = prepared(
            asked,
            stream,
            self._rules,
            self._knowing.state(self.account),
            self._knowing.desk(self.account, stream, index, server),
            bar=lane.path.bar(index),
            now=stream.bars.opened(index),
        )
        if order is None:
            return
        done = len(self.account.book.deals)
        if asked.type is OrderType.LIMIT and asked.passed_by(lane.path.bar(index)):
            # a broker refuses a limit that the price has passed; the rule is that of one there before
            result = accepted(self.account.rest(order))
            self._met_at_open(done)
        else:
            result = accepted(self.account.send(order))
        self.notes.sent[result.order] = placed(asked, order, index)
        self._knowing.sent(stream.strategy.id, server)
        for position in self._positions(lane, self.account):
            if position.identifier == result.order:
                self._parts.place(self.account, position)

    # At the close.

    def _close(self, now: Now, traded: Now, bars: dict[str, DrivenBar]) -> None:
        for place, index in traded.items():
            if index == len(self._lanes[place].stream.bars) - 1:
                self._finish(self._lanes[place])
        if traded and self._knowing.halts(self.account, bars):
            self._remove([order for lane in self._lanes for order in self._orders(lane)])
        for place, index in now.items():
            lane = self._lanes[place]
            if index == len(lane.stream.bars) - 1:
                continue
            if place in traded:
                self._manage(lane, index)
            self._decide(lane, index)

    def _finish(self, lane: Lane) -> None:
        self._remove(self._orders(lane))
        for position in self._positions(lane, self.account):
            self._leave_at_close(position, Reason.END)

    def _manage(self, lane: Lane, index: int) -> None:
        self._remove([order for order in self._orders(lane) if lane.closes.cancels(order, index)])
        for position in self._positions(lane, self.account):
            opened = lane.path.place(position.time)
            lane.closes.leave(position, opened, index)
            if lane.day_bars and lane.ends_week(index):
                self._leave_at_close(position, Reason.WEEKEND)
                continue
            stop = lane.closes.stop(position, opened, index)
            if stop is not None:
                change = EMPTY_REQUEST._replace(
                    action=mt5.TRADE_ACTION_SLTP,
                    symbol=position.symbol,
                    position=position.ticket,
                    sl=float(stop),
                    tp=position.tp,
                )
                accepted(self.account.send(change))

    def _remove(self, orders: list[int]) -> None:
        for ticket in orders:
            accepted(self.account.send(EMPTY_REQUEST._replace(action=mt5.TRADE_ACTION_REMOVE, order=ticket)))

    def _leave_at_close(self, position: TradePosition, reason: Reason) -> None:
        self.notes.at_close.add(accepted(self.account.send(closing(position, reason))).deal)
        self._parts.tidy(self.account)

    def _decide(self, lane: Lane, index: int) -> None:
        stream = lane.stream
        window = stream.bars[max(index + 1 - lane.history, 0) : index + 1]
        server = int(close_of(window.timeframe, window.server_time[-1]))
        decision = self._engine.evaluate(
            strategy=stream.strategy,
            profile=stream.profile,
            bars=window,
            known=Known(
                instrument=stream.instrument,
                statistics=self._knowing.usual(stream, index),
                account=self._knowing.state(self.account),
                calendar=NO_CALENDAR,
                desk=self._knowing.desk(self.account, stream, index, server),
                now=from_epoch(lane.path.closed(index)),
            ),
            purpose=Purpose.BACKTEST,
        ).decision
        self.decisions.append(decision)
        if (
            decision.signal is not None
            and decision.action.makes_idea
            and self._is_free(lane, decision.signal)
        ):
            lane.wanted = Asked.of(decision, stream)

    def _is_free(self, lane: Lane, signal: str) -> bool:
        """An opposite position leaves room only where the strategy turns round; the gate sees to the rest."""
        opposite = any(
            self.notes.sent[position.identifier].levels.side.direction != signal
            for position in self._positions(lane, self.account)
        )
        return not opposite or lane.stream.strategy.strategy.on_opposite is OnOpposite.REVERSE

    # What is a lane's.

    def _positions(self, lane: Lane, account: DrivenAccount) -> list[TradePosition]:
        return [one for one in account.positions() if self._is_of(lane, one.symbol, one.identifier)]

    def _orders(self, lane: Lane) -> list[int]:
        return [
            order.ticket
            for order in self.account.orders()
            if order.ticket not in self.notes.parts and self._is_of(lane, order.symbol, order.ticket)
        ]

    def _is_of(self, lane: Lane, symbol: str, ticket: int) -> bool:
        strategy = self.notes.sent[ticket].wanted.terms.strategy
        return symbol == lane.symbol and strategy == lane.stream.strategy.id
