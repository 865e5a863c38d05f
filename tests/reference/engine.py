"""The plain backtest: bar by bar, every rule where it applies, money exact at the edges.

One symbol and strategy, at most one position. The order of work on a bar: swap of the midnights before it;
at its open the broker's own orders (stop, target), then what was decided at the last close (leave, enter);
inside it resting orders, stop and target; at its close management, then new decisions. A decision at a
close becomes an order at the next open, never earlier.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

import numpy as np

from backend.backtest.columns import Book, Trades
from backend.backtest.model import Instants, Job, Reading, Result, Stream
from backend.trading.reasons import Reason
from tests.reference.fills import (
    Exit,
    Quotes,
    entry_fill,
    exit_after_entry_in_bar,
    exit_at_open,
    exit_in_bar,
    quotes,
)
from tests.reference.management import manage
from tests.reference.orders import decide, open_position, send
from tests.reference.position import Position
from tests.reference.state import Resting, State

_PROGRESS_EVERY = 1000

Progress = Callable[[int, int], None]


def run_backtest(
    job: Job,
    *,
    reading: Reading = Reading.WORST,
    progress: Progress | None = None,
) -> Result:
    """Run one job.

    Args:
        job: Everything that the result depends on.
        reading: How bars are read that do not tell what came first.
        progress: Told bars done and bars in all now and then; what it raises ends the run.

    Raises:
        Invalid: Bad bars, an unknown spread, too few bars, `first` outside the bars.
    """
    return _run(State(job, reading), progress)


def _run(state: State, progress: Progress | None) -> Result:
    bars, first = state.stream.bars, state.stream.first
    count = len(bars)
    equity, worst = np.empty(count - first), np.empty(count - first)
    decide(state, first - 1)
    closing = state.account.balance
    for index in range(first, count):
        state.account.begin(index, closing)
        state.lowest = Decimal("Infinity")
        state.touched = state.position is not None
        _bar(state, index)
        if index == count - 1:
            _finish(state, index)
        closing = _equity(state, index)
        equity[index - first] = closing
        worst[index - first] = min(state.lowest, closing)
        state.account.end(closing)
        state.in_position += state.touched
        if index < count - 1:
            manage(state, index)
            decide(state, index)
        if progress is not None and (index - first + 1) % _PROGRESS_EVERY == 0:
            progress(index - first + 1, count - first)
    return Result(
        trades=Trades.of_rows(
            state.trades,
            books=(Book(strategy=state.stream.strategy.id, instrument=state.stream.instrument),),
            digits=state.whole.account.digits,
        ),
        equity=equity,
        moved=np.arange(len(equity)),
        lowest=worst,
        when=lambda: Instants(state.closes[first:], 0, bars.server_time[first:]),
        in_position=state.in_position,
        balance=state.account.balance,
        signals=state.signals,
        refusals=dict(sorted(state.refusals.items())),
        notes=tuple(_notes(state.stream)),
        max_margin=state.max_margin,
    )


def _bar(state: State, index: int) -> None:
    if state.position is not None:
        _overnight(state, state.position, index)
        _at_open(state, state.position, index)
    request, state.requested = state.requested, None
    if state.resting is not None and state.rules.management.close_before_weekend and state.week_end[index]:
        # cancelled before the week's last bar can fill it: nothing is carried over the weekend
        state.refusals["order_cancelled"] += 1
        state.resting = None
    if request is not None:
        send(state, request, index)
    if state.resting is not None:
        _rest(state, state.resting, index)
    elif state.position is not None:
        _inside(state, state.position, index)


def _overnight(state: State, position: Position, index: int) -> None:
    """Swap of the server midnights since the bar before, also of those at which no bar stands."""
    server = state.stream.bars.server_time
    position.accrue(
        state.money,
        int(server[index - 1]),
        int(server[index]),
        quotes(state.prices, index - 1, position.side).close,
        trades_weekends=state.weekends,
    )


def _at_open(state: State, position: Position, index: int) -> None:
    """What happens to an open position on the first price of a bar: the broker's own orders first."""
    bar = quotes(state.prices, index, position.side)
    leave = exit_at_open(bar, stop=position.stop, target=position.target, slippage=state.slip)
    if leave is None:
        weekend = state.rules.management.close_before_weekend and not state.day_bars
        if weekend and bool(state.week_end[index]):
            position.leave = position.leave or Reason.WEEKEND
        if position.leave is not None:
            leave = Exit(level=bar.open, slippage=state.slip, reason=position.leave)
    if leave is not None:
        state.close(position, leave, index, state.opened(index))


def _inside(state: State, position: Position, index: int) -> None:
    bar = quotes(state.prices, index, position.side)
    leave = exit_in_bar(
        bar,
        stop=position.stop,
        target=position.target,
        slippage=state.slip,
        stop_reason=position.stop_reason,
        reading=state.reading,
    )
    _after(state, position, bar, leave, index, inside=False)


def _after(
    state: State, position: Position, bar: Quotes, leave: Exit | None, index: int, *, inside: bool
) -> None:
    """Take the bar into the position's record, then end it if it ends here."""
    if leave is None:
        position.seen(bar, inside=inside)
        state.sink(position, bar.close if inside else bar.worst)
        return
    if leave.reason is Reason.TARGET and not inside:
        low = max(bar.worst, position.stop)
        position.low = min(position.low, low)
        state.sink(position, low)
    state.close(position, leave, index, state.opened(index))


def _finish(state: State, index: int) -> None:
    """The data end: what is open is closed at the last close."""
    state.resting = None
    if state.position is not None:
        bar = quotes(state.prices, index, state.position.side)
        leave = Exit(level=bar.close, slippage=state.slip, reason=Reason.END)
        state.close(state.position, leave, index, int(state.closes[index]))


def _equity(state: State, index: int) -> Decimal:
    if state.position is None:
        return state.account.balance
    bar = quotes(state.prices, index, state.position.side)
    return state.account.balance + state.position.floating(state.money, bar.close)


def _rest(state: State, order: Resting, index: int) -> None:
    """A resting order on a bar: filled or not, and what the rest of the bar does then."""
    bar = quotes(state.prices, index, order.request.side)
    entry = entry_fill(bar, order.request.kind, order.level, state.slip)
    if entry is None:
        return
    state.resting = None
    position = open_position(state, order, entry, index)
    if entry.at_open:
        leave = exit_at_open(bar, stop=position.stop, target=position.target, slippage=state.slip)
        if leave is None:
            _inside(state, position, index)
        else:
            state.close(position, leave, index, state.opened(index))
        return
    leave, position.ambiguous = exit_after_entry_in_bar(
        bar,
        stop=position.stop,
        target=position.target,
        slippage=state.slip,
        kind=order.request.kind,
        reading=state.reading,
    )
    _after(state, position, bar, leave, index, inside=True)


def _notes(job: Stream) -> Iterator[str]:
    """What this run leaves out, said before anybody asks."""
    yield from job.costs.warnings
    management = job.strategy.strategy.management
    if job.profile.embargo(job.strategy):
        yield "The news embargo is not applied: there is no calendar of the past."
    yield "Each idea that the desk's limits allow counts as approved."
    if management.partial_at_r is not None:
        yield "Partial closes are not applied."
    if management.trail_atr is not None or management.breakeven_after_r is not None:
        yield f"Breakeven and trailing work on {job.bars.timeframe} bars here, not on {management.timeframe}."
