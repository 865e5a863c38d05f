"""From a job to the arrays and records that the kernel takes."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backend.backtest.columns import COLUMNS
from backend.backtest.compiling import compiled
from backend.backtest.kernel import records
from backend.backtest.kernel.checking import all_plausible
from backend.backtest.kernel.records import Curve, Feed, Signals, Usual
from backend.backtest.lanes import desk_of, lanes_of, resets_of
from backend.backtest.model import Asks, Job, Reading, Stream
from backend.backtest.paths import Path, asks_by_spread, path_of
from backend.backtest.pauses import embargo_of
from backend.backtest.usual import StreamUsual, joined_usual, read_only, usual_of
from backend.core.bars import Floats, check_prices
from backend.core.errors import Invalid
from backend.core.timeframes import DAY_SECONDS
from backend.economic_calendar.embargo import EmbargoRule, windows
from backend.evaluation.arrays import ConditionArrays
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.indicators import atr
from backend.evaluation.statistics import hour_of_week
from backend.strategies.model import Direction

_ASKS: Final = ("ask_open", "ask_high", "ask_low", "ask_close")
_INTEGERS: Final = frozenset(
    {"time", "close_time", "server", "spread", "owner", "usual_server", "usual_spread"}
)
_ROWS_AN_ENTRY: Final = 2  # a part of it, and the rest


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tables:
    """Everything that the kernel takes.

    Attributes:
        feed: Path bars.
        signals: What the strategies say.
        usual: What was usual at each midnight.
        lanes: Strategies on symbols, `records.LANE`, shape (s,).
        desk: Limits, account and counts, `records.DESK`, shape (1,).
        resets: UTC epochs at which the day's loss begins anew, ascending.
        trades: Takes closed trades, rows of `COLUMNS`.
        curve: Takes equity.
    """

    feed: Feed
    signals: Signals
    usual: Usual
    lanes: Any
    desk: Any
    resets: Any
    trades: Any
    curve: Curve


def empty_tables() -> Tables:
    """Tables of the right kinds without a bar: what the kernel is compiled for."""
    floats, ints = _constant(), _constant(np.int64)
    rows = {name: ints if name in _INTEGERS else floats for name in Feed._fields}
    return Tables(
        feed=Feed(**{**rows, "seconds": 0}),
        signals=Signals(
            **{name: ints if name in _INTEGERS else floats for name in Signals._fields if name != "flags"},
            flags=_constant(np.uint16),
        ),
        usual=Usual(np.empty((0, 24)), np.empty((0, 24), np.int64), np.empty((0, 1), np.int32)),
        lanes=np.zeros(1, dtype=records.LANE),
        desk=np.zeros(1, dtype=records.DESK),
        resets=np.empty(0, dtype=np.int64),
        trades=np.empty((0, len(COLUMNS)), dtype=np.int64),
        curve=_curve(0, several=False),
    )


def tables(job: Job, reading: Reading, *, embargo: bool = True) -> Tables:
    """The job as arrays.

    Args:
        job: Everything that the result depends on.
        reading: Of bars that do not tell what came first.
        embargo: Whether news pause as the job says; else no bar is paused and nothing is unknown.

    Raises:
        Invalid: Bad bars, an unknown spread, too few bars, `first` outside the bars.
    """
    with ThreadPoolExecutor(1) as beside:
        begun = [_facts_and_usual(stream, beside) for stream in job.streams]
        facts = tuple(known for known, _ in begun)
        paths = [path_of(stream) for stream in job.streams]
        resets = resets_of(job)
        lanes, units_named = lanes_of(job, paths)
        signals = _signals(job, facts, embargo=embargo)
        entries = int(np.count_nonzero(signals.flags & (records.LONG | records.SHORT)))
        length = sum(len(path) - path.first for path in paths)
        return Tables(
            feed=_feed(job, paths),
            signals=signals,
            usual=joined_usual([counted.result() for _, counted in begun], lanes),
            lanes=lanes,
            desk=desk_of(job, reading, resets, units_named),
            resets=resets,
            trades=np.empty((_ROWS_AN_ENTRY * entries + len(job.streams), len(COLUMNS)), dtype=np.int64),
            curve=_curve(length, several=len(job.streams) > 1),
        )


def _curve(length: int, *, several: bool) -> Curve:
    return Curve(
        equity=np.empty(length),
        moved=np.empty(length, dtype=np.int64),  # pages that nobody writes take no memory
        lowest=np.empty(length),
        time=np.empty(length if several else 0, dtype=np.int64),
    )


def _facts_and_usual(stream: Stream, beside: Executor) -> tuple[ConditionArrays, Future[StreamUsual]]:
    """A stream's conditions; beside, its bars are checked and then what is usual is counted.

    What is wrong with bars is said first, whatever their conditions come to.
    """
    strategy = compile_strategy(stream.strategy)
    checked = beside.submit(_checked_ranges, stream)
    usual = beside.submit(lambda: usual_of(stream, checked.result()))
    try:
        known = strategy.plain_indicators(stream.bars, beside)
    finally:
        ranges = checked.result()
    facts = strategy.evaluate(
        stream.bars,
        stream.higher,
        sessions=stream.profile.entry_sessions(stream.strategy),
        known=known | {strategy.atr: ranges},
    )
    return facts, usual


def _checked_ranges(stream: Stream) -> Floats:
    """The ATR of bars that were found good."""
    _check(stream)
    return atr(stream.bars.high, stream.bars.low, stream.bars.close, stream.strategy.indicators.atr.period)


def _check(stream: Stream) -> None:
    if not 1 <= stream.first < len(stream.bars):
        raise Invalid(
            "too_few_bars",
            f"{stream.strategy.id} on {stream.bars.symbol}: {len(stream.bars)} bars, trading from "
            f"{stream.first}; there must be a bar before the first traded one",
            available=len(stream.bars),
            needed=stream.first + 1,
        )
    bars = stream.bars
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.spread)
    if not compiled(all_plausible)(*map(read_only, columns)):
        check_prices(bars)
    _check_spread(stream)


def _check_spread(stream: Stream) -> None:
    learned = np.array(stream.costs.spread_points, dtype=np.int64)
    if learned.all():
        return
    bars = stream.bars
    unknown = (bars.spread <= 0) & (learned[hour_of_week(bars.server_time)] <= 0)
    if unknown.any():
        first = int(np.argmax(unknown))
        raise Invalid(
            "unknown_spread",
            f"{bars.symbol}: {int(unknown.sum())} bars have no spread and none was learned for their "
            f"hour, the first opened {bars.opened(first)}; give a spread in the costs",
            count=int(unknown.sum()),
            index=first,
        )


def _joined(parts: list[Any]) -> Any:
    """The arrays one after the other."""
    return read_only(parts[0] if len(parts) == 1 else np.concatenate(parts))


def _constant(dtype: Any = np.float64) -> Any:
    return _joined([np.empty(0, dtype=dtype)])


def _feed(job: Job, paths: list[Path]) -> Feed:
    nothing, no_ints = _constant(), _constant(np.int64)
    seconds = {stream.bars.timeframe.seconds for stream in job.streams}
    same = len(seconds) == 1 and max(seconds) < DAY_SECONDS and all(path.close_time is None for path in paths)
    columns = {
        name: _joined([getattr(path, name) for path in paths])
        for name in ("time", "server", "open", "high", "low", "close", "spread")
    }
    asks = dict.fromkeys(_ASKS, nothing)
    if any(path.asks is not None for path in paths):
        each = [_asks(stream, path) for stream, path in zip(job.streams, paths, strict=True)]
        asks = {name: _joined([one[at] for one in each]) for at, name in enumerate(_ASKS)}
    owner = no_ints
    if any(path.owner is not None for path in paths):
        owner = _joined(_owners(job, paths))
    gain = loss = nothing
    if any(stream.rates is not None for stream in job.streams):
        pairs = [_rates(stream, path) for stream, path in zip(job.streams, paths, strict=True)]
        gain, loss = (_joined([pair[side] for pair in pairs]) for side in (0, 1))
    return Feed(
        **columns,
        **asks,
        close_time=no_ints
        if same
        else _joined(
            [
                stream.bars.closes() if path.close_time is None else path.close_time
                for stream, path in zip(job.streams, paths, strict=True)
            ]
        ),
        seconds=max(seconds),
        owner=owner,
        gain=gain,
        loss=loss,
    )


def _asks(stream: Stream, path: Path) -> Asks:
    """Asks of a path, made from its spread where it has none."""
    if path.asks is not None:
        return path.asks
    bids = Asks(path.open, path.high, path.low, path.close)
    return asks_by_spread(stream, path.server, path.spread, bids)


def _owners(job: Job, paths: list[Path]) -> list[Any]:
    begin, found = 0, []
    for stream, path in zip(job.streams, paths, strict=True):
        own = np.arange(len(path)) if path.owner is None else path.owner
        found.append(own + begin)
        begin += len(stream.bars)
    return found


def _rates(stream: Stream, path: Path) -> tuple[Any, Any]:
    """Rates along a path: that of the last bar that had closed, which is what was known then."""
    if stream.rates is None:
        rate = stream.conversion
        if rate.by_close:
            return 1 / path.close, 1 / path.close
        return np.full(len(path), float(rate.gain)), np.full(len(path), float(rate.loss))
    if path.owner is None:
        return stream.rates
    return stream.rates[0][path.owner], stream.rates[1][path.owner]


def _signals(job: Job, facts: tuple[ConditionArrays, ...], *, embargo: bool) -> Signals:
    nothing = _constant()

    def column(direction: Direction, name: str, empty: float) -> Any:
        if not any(_listed(one, direction, name) for one in facts):
            return nothing
        return _joined(
            [
                getattr(one.sides[direction], name)
                if direction in one.sides
                else np.full(len(one.bars), empty)
                for one in facts
            ]
        )

    targets = [one.target for one in facts]
    given = any(target is not None for target in targets)
    return Signals(
        flags=_joined(
            [
                _flags(one, stream, job, embargo=embargo)
                for one, stream in zip(facts, job.streams, strict=True)
            ]
        ),
        atr=_joined([one.atr for one in facts]),
        target=_joined(
            [np.full(len(one.bars), np.nan) if one.target is None else one.target for one in facts]
        )
        if given
        else nothing,
        strong_long=column(Direction.LONG, "strong", 1.0),
        strong_short=column(Direction.SHORT, "strong", 1.0),
        weak_long=column(Direction.LONG, "weak", 0.0),
        weak_short=column(Direction.SHORT, "weak", 0.0),
        spread=_joined([stream.bars.spread for stream in job.streams]),
        server=_joined([stream.bars.server_time for stream in job.streams]),
    )


def _listed(facts: ConditionArrays, direction: Direction, role: str) -> bool:
    side = facts.sides.get(direction)
    return side is not None and any(str(condition.role) == role for condition in side.conditions)


def _flags(facts: ConditionArrays, stream: Stream, job: Job, *, embargo: bool) -> Any:
    bits = {
        Direction.LONG: (records.LONG, records.LONG_EXIT, records.LONG_INVALID),
        Direction.SHORT: (records.SHORT, records.SHORT_EXIT, records.SHORT_INVALID),
    }
    flags = facts.in_session * np.uint16(records.IN_SESSION)
    for direction, side in facts.sides.items():
        for bit, truth in zip(bits[direction], (side.signal, side.exit, side.invalidation), strict=True):
            flags |= truth * np.uint16(bit)
    rule = embargo_of(job, stream)
    if rule and embargo:
        _mark_news(flags, stream, job, rule)
    else:
        flags |= np.uint16(records.NEWS_KNOWN)
    return flags


def _mark_news(flags: Any, stream: Stream, job: Job, rule: EmbargoRule) -> None:
    """Mark the bars that close inside a pause around news, and those whose news are known.

    Where nothing may be held over news, the bar before the one in which a pause begins is marked as well, as
    an exit too: what is open leaves at the open of the bar in which it begins.
    """
    ends = stream.bars.closes()
    currencies = (stream.instrument.currency_base, stream.instrument.currency_profit)
    for pause in windows(job.calendar.events, currencies, rule):
        first, last = np.searchsorted(ends, (pause.start.timestamp(), pause.end.timestamp()))
        flags[first:last] |= np.uint16(records.EMBARGO)
    for begin, end, closed in job.calendar.known_spans(rule.before, rule.after):
        first = np.searchsorted(ends, begin.timestamp())
        last = np.searchsorted(ends, end.timestamp(), side="right" if closed else "left")
        flags[first:last] |= np.uint16(records.NEWS_KNOWN)
    leave = np.uint16(records.EMBARGO | records.LONG_EXIT | records.SHORT_EXIT)
    for pause in windows(job.calendar.events, currencies, job.limits.flat_at_news):
        first = np.searchsorted(ends, pause.start.timestamp(), side="right") - 1
        last = np.searchsorted(ends, pause.end.timestamp())
        flags[max(first, 0) : last] |= leave
