"""Why a strategy does or does not signal at a bar, and what it computes at many, from stored bars."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from backend.core.bars import Bars
from backend.core.clock import from_epoch, iso
from backend.core.errors import NotFound
from backend.core.timeframes import Timeframe, close_of
from backend.evaluation.conditions import CompiledStrategy, compile_strategy
from backend.evaluation.explaining import explain_bar, series_of
from backend.strategies.model import Profile, Strategy

BarsUntil = Callable[[str, Timeframe, int, datetime | None], Bars]
"""Closed bars of a symbol and timeframe: the latest so many that had closed by a time, now if None."""


def explain_strategy(
    strategy: Strategy, profile: Profile, symbol: str, bars: BarsUntil, *, at: datetime | None = None
) -> dict[str, Any]:
    """What every condition says at the newest bar that had closed by `at`, as JSON values.

    As `explain_bar`, with the time asked for under ``at``, and ``note`` saying so where a newer bar
    should be there.

    Args:
        strategy: The strategy.
        profile: The symbol's profile.
        symbol: Canonical symbol.
        bars: Where bars come from.
        at: Aware UTC time; now if None.

    Raises:
        NotFound: ``not_of_symbol``: the strategy does not trade the symbol; ``no_bars``.
        Invalid: ``too_few_bars``: naming timeframe, needed and available.
    """
    compiled = compile_strategy(strategy)
    own, higher, closed = _bars(compiled, symbol, bars, at, 1)
    length = int(close_of(strategy.timeframe, own.server_time[-1]) - own.server_time[-1])
    told = explain_bar(compiled, own, higher, sessions=profile.entry_sessions(strategy))
    late = at is not None and (at - closed).total_seconds() >= length
    note = (
        f"No bar closed later than {iso(closed)} is there; this is the newest before {iso(at)}"
        if late and at
        else None
    )
    return {**told, "at": None if at is None else iso(at), "note": note}


def series_of_strategy(
    strategy: Strategy,
    profile: Profile,
    symbol: str,
    bars: BarsUntil,
    *,
    until: datetime | None = None,
    count: int,
) -> dict[str, Any]:
    """What the strategy computes at the newest `count` bars that had closed by `until`; see `series_of`.

    Args:
        strategy: The strategy.
        profile: The symbol's profile.
        symbol: Canonical symbol.
        bars: Where bars come from.
        until: Aware UTC time; now if None.
        count: How many bars are told.

    Raises:
        NotFound: As `explain_strategy`.
        Invalid: ``too_few_bars``.
    """
    compiled = compile_strategy(strategy)
    own, higher, _ = _bars(compiled, symbol, bars, until, count)
    return series_of(compiled, own, higher, sessions=profile.entry_sessions(strategy), count=count)


def _bars(
    compiled: CompiledStrategy, symbol: str, bars: BarsUntil, at: datetime | None, count: int
) -> tuple[Bars, dict[Timeframe, Bars], datetime]:
    """Bars that tell the newest `count` of them, those of longer timeframes, and the newest's close."""
    strategy, timeframe = compiled.strategy, compiled.strategy.timeframe
    if symbol not in strategy.traded_symbols:
        raise NotFound(
            "not_of_symbol",
            f"strategy {strategy.id} trades {', '.join(strategy.traded_symbols)}, not {symbol}",
            symbols=list(strategy.traded_symbols),
        )
    own = bars(symbol, timeframe, compiled.history[timeframe] + count - 1, at)
    if not len(own):
        until = "" if at is None else f" that had closed by {iso(at)}"
        raise NotFound(
            "no_bars",
            f"no bars of {symbol} {timeframe}{until} are stored; the desk stores them while it runs",
            symbol=symbol,
            timeframe=str(timeframe),
        )
    length = int(close_of(timeframe, own.server_time[-1]) - own.server_time[-1])
    closed = from_epoch(int(own.time[-1]) + length)
    higher = {
        other: bars(symbol, other, compiled.history[other] + count - 1, closed) for other in compiled.higher
    }
    return own, higher, closed
