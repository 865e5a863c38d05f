"""Runs a job through the compiled kernel."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

import numpy as np

from backend.backtest.columns import Book as TradeBook
from backend.backtest.columns import Trades
from backend.backtest.compiling import compiled, compiling_alone
from backend.backtest.kernel import loop
from backend.backtest.kernel.records import refusal_names
from backend.backtest.model import Broke, Instants, Job, Reading, Result, Stream
from backend.backtest.pauses import embargo_of, known_closes
from backend.backtest.tables import Tables, empty_tables, tables
from backend.core.timeframes import Timeframe
from backend.economic_calendar.embargo import EmbargoRule
from backend.economic_calendar.model import CalendarView
from backend.risk.checks import TABLE

_SLICE: Final = 200_000

Progress = Callable[[int, int], None]


def run_backtest(
    job: Job,
    *,
    reading: Reading = Reading.WORST,
    embargo: bool = True,
    progress: Progress | None = None,
) -> Result:
    """Run one job.

    Args:
        job: Everything that the result depends on.
        reading: How bars are read that do not tell what came first.
        embargo: Whether news pause as the job says, or not at all.
        progress: Told bars done and bars in all now and then; what it raises ends the run.

    Raises:
        Invalid: Bad bars, an unknown spread, too few bars, `first` outside the bars.
    """
    return run_tables(job, tables(job, reading, embargo=embargo), progress)


def run_tables(job: Job, made: Tables, progress: Progress | None = None) -> Result:
    """Run a job whose tables are made."""
    if len(job.streams) == 1:
        _run_one(made, progress)
    else:
        _run_many(made, progress)
    return _result(job, made)


def warm() -> None:
    """Compile what a run needs, or find that it is there; another process that compiles it is waited for."""
    made = empty_tables()
    given = (made.feed, made.signals, made.usual, made.lanes, made.desk, made.resets, made.trades, made.curve)
    with compiling_alone():
        compiled(loop.advance_one)(*given, 0, 0)
        compiled(loop.advance_many)(*given, 0)
        compiled(loop.first_decisions)(made.feed, made.signals, made.usual, made.lanes[:0], made.desk)


def _run_one(made: Tables, progress: Progress | None) -> None:
    advance = compiled(loop.advance_one)
    first, end = int(made.lanes[0]["first"]), int(made.lanes[0]["end"])
    compiled(loop.first_decisions)(made.feed, made.signals, made.usual, made.lanes, made.desk)
    for start in range(first, end, _SLICE):
        stop = min(start + _SLICE, end)
        advance(
            made.feed,
            made.signals,
            made.usual,
            made.lanes,
            made.desk,
            made.resets,
            made.trades,
            made.curve,
            start,
            stop,
        )
        if progress is not None:
            progress(stop - first, end - first)


def _run_many(made: Tables, progress: Progress | None) -> None:
    advance = compiled(loop.advance_many)
    lanes = made.lanes
    total = int((lanes["end"] - lanes["first"]).sum())
    compiled(loop.first_decisions)(made.feed, made.signals, made.usual, lanes, made.desk)
    more = True
    while more:
        more = advance(
            made.feed,
            made.signals,
            made.usual,
            lanes,
            made.desk,
            made.resets,
            made.trades,
            made.curve,
            _SLICE,
        )
        if progress is not None:
            progress(int((lanes["next_bar"] - lanes["first"]).sum()), total)


def _result(job: Job, made: Tables) -> Result:
    account = made.desk[0]
    names = refusal_names([check.key for check in TABLE])
    refusals: dict[str, int] = {}
    for name, count in zip(names, account["refusals"].tolist(), strict=True):
        if count:
            refusals[name] = refusals.get(name, 0) + count
    instants, moves = int(account["instants"]), int(account["moves"])
    return Result(
        trades=Trades.of_rows(
            made.trades[: int(account["trades"])],
            books=tuple(
                TradeBook(strategy=stream.strategy.id, instrument=stream.instrument) for stream in job.streams
            ),
            digits=job.account.digits,
        ),
        equity=made.curve.equity[:instants],
        moved=made.curve.moved[:moves],
        lowest=made.curve.lowest[:moves],
        when=lambda: _when(job, made),
        in_position=int(account["in_position"]),
        balance=Decimal(int(account["balance"])).scaleb(-job.account.digits),
        signals=int(account["signals"]),
        refusals=dict(sorted(refusals.items())),
        notes=tuple(note for stream in job.streams for note in _notes(stream, job)),
        max_margin=float(account["max_margin"]),
        max_leverage=float(account["max_leverage"]),
        min_margin_level=float(account["min_level"]) if np.isfinite(account["min_level"]) else None,
        broke=_broke(account),
    )


def _broke(account: Any) -> Broke | None:
    if account["broke_at"] < 0:
        return None
    rule = "drawdown" if account["broke_drawdown"] else "daily_loss"
    return Broke(int(account["broke_at"]), rule, float(account["broke_lost"]), float(account["broke_of"]))


def _when(job: Job, made: Tables) -> Instants:
    feed = made.feed
    if len(job.streams) == 1:
        first = int(made.lanes[0]["first"])
        if len(feed.close_time):
            return Instants(feed.close_time[first:], 0, feed.server[first:])
        return Instants(feed.time[first:], feed.seconds, feed.server[first:])
    # the clock of the stream with the most bars; a bar that closes at midnight belongs to the day before
    bars = max((stream.bars for stream in job.streams), key=len)
    closed = made.curve.time[: int(made.desk[0]["instants"])]
    before = closed - 1
    at = np.clip(np.searchsorted(bars.time, before, side="right") - 1, 0, None)
    return Instants(closed, 0, before + bars.server_time[at] - bars.time[at])


def _news(calendar: CalendarView) -> str:
    if not calendar.known or calendar.covered_from is None or calendar.covered_to is None:
        return "The news embargo is not applied: there is no calendar of the past."
    return (
        f"The news embargo is applied by {len(calendar.events)} events of {calendar.provider}, known from "
        f"{calendar.covered_from:%Y-%m-%d} to {calendar.covered_to:%Y-%m-%d} UTC."
    )


def _notes(stream: Stream, job: Job) -> Iterator[str]:
    """What this run leaves out, said before anybody asks."""
    yield from stream.costs.warnings
    management = stream.strategy.strategy.management
    rule = embargo_of(job, stream)
    if rule:
        yield _news(job.calendar)
    if rule and job.calendar.known:
        yield from _calendar_notes(stream, job.calendar, rule)
    yield "Each idea that the desk's limits allow counts as approved."
    moves = management.trail_atr is not None or management.breakeven_after_r is not None
    if moves and stream.fine is None and stream.bars.timeframe is not Timeframe(management.timeframe):
        have, wanted = stream.bars.timeframe, management.timeframe
        yield f"Breakeven and trailing work on {have} bars here, not on {wanted}."


def _calendar_notes(stream: Stream, calendar: CalendarView, rule: EmbargoRule) -> Iterator[str]:
    known, count = known_closes(stream, calendar, rule), len(stream.bars) - stream.first
    if known < count:
        yield f"News are known at {known} of {count} closes; at the others only what was on record pauses."
    if any(event.hindsight for event in calendar.events):
        yield "The calendar was imported afterwards: its schedule is taken as announced at the time."
