"""The day again as a backtest: the strategies, limits and account that decided live, on the stored bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np

from backend.backtest.collecting import costs_of
from backend.backtest.columns import Trade
from backend.backtest.kernel import records
from backend.backtest.model import AccountSettings, Job, Reading, Stream
from backend.backtest.parity.live import key_of
from backend.backtest.request import CostChanges
from backend.backtest.running import run_tables
from backend.backtest.tables import tables
from backend.backtest.tester.comparing import KnownBars
from backend.backtest.tester.ours import OurTrade
from backend.core.bars import Bars
from backend.core.clock import from_epoch
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.statistics import ATR_DAYS, SPREAD_DAYS, spread_timeframe
from backend.ideas.replaying import Replayer
from backend.market.store import MarketStore
from backend.mt5.server_time import ServerClock
from backend.trading.conversion import conversion

_WARM_UP: Final = timedelta(days=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Twins:
    """What the day gave as a backtest.

    Attributes:
        trades: Closed trades with the key of their signal.
        bars: Bars of each strategy and symbol, for the split.
        signals: Keys of all signals, whether they became trades or not, and their side's word.
        notes: What is left out, a sentence each.
    """

    trades: tuple[OurTrade, ...]
    bars: Mapping[tuple[str, str], KnownBars]
    signals: Mapping[str, str]
    notes: tuple[str, ...]


class TwinRun:
    """Runs days again.

    Args:
        source: Gives what decisions were computed from.
        store: Stored bars.
        clock: Rule of the broker's clock.
        now: Desk time: bars closed by then count.
    """

    def __init__(self, source: Replayer, store: MarketStore, clock: ServerClock, now: datetime) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self._now = now

    def run(
        self, payloads: Sequence[Mapping[str, Any]], begin: datetime, digits: int, *, hedging: bool
    ) -> Twins:
        """Run the strategies of these decisions from a time on.

        Args:
            payloads: Decisions, the oldest first, at least one; the last of a strategy and symbol states
                them, the first of all the account and the limits.
            begin: The first bar that can be traded opens then or later.
            digits: Decimals to which the broker books money.
            hedging: Whether several positions of a symbol stand beside each other.
        """
        notes: list[str] = []
        last = {(str(p["strategy_id"]), str(p["symbol"])): p for p in payloads}
        versions = {(str(p["strategy_id"]), str(p["symbol"]), str(p["strategy_hash"])) for p in payloads}
        if len(versions) > len(last):
            notes.append("A strategy was changed within the day: its last version was run for all of it.")
        streams = []
        for (name, symbol), payload in sorted(last.items()):
            try:
                streams.append(self._stream(payload, begin))
            except Invalid as error:
                notes.append(f"{name} on {symbol} was not run: {error.message}")
        if not streams:
            return Twins(trades=(), bars={}, signals={}, notes=tuple(notes))
        first = payloads[0]["inputs"]
        account = self._source.made("account", str(first["account"]))
        job = Job(
            streams=tuple(streams),
            account=AccountSettings(
                currency=account.currency,
                balance=max(min(account.balance, account.equity), Decimal(1)),
                leverage=account.leverage,
                digits=digits,
                hedging=hedging,
            ),
            limits=self._source.made("limits", str(first["limits"])),
            calendar=self._source.made("calendar", str(payloads[-1]["inputs"]["calendar"])),
        )
        made = tables(job, Reading.WORST)
        signals: dict[str, str] = {}
        for stream, lane in zip(job.streams, made.lanes, strict=True):
            signals |= _signals(stream, made.signals.flags[int(lane["bar_begin"]) : int(lane["bar_end"])])
        result = run_tables(job, made)
        of_stream = {(stream.strategy.id, stream.bars.symbol): stream.bars for stream in job.streams}
        trades = tuple(_ours(trade, of_stream[trade.strategy, trade.symbol]) for trade in result.trades)
        bars = {
            names: KnownBars(own.timeframe, self._clock, {own.symbol: own})
            for names, own in of_stream.items()
        }
        return Twins(trades=trades, bars=bars, signals=signals, notes=tuple(notes))

    def _stream(self, payload: Mapping[str, Any], begin: datetime) -> Stream:
        inputs, symbol = payload["inputs"], str(payload["symbol"])
        strategy, profile, instrument, account, limits = (
            self._source.made(name, str(inputs[name]))
            for name in ("strategy", "profile", "instrument", "account", "limits")
        )
        compiled = compile_strategy(strategy)
        timeframe = strategy.timeframe

        def bars(of: Timeframe, since: datetime) -> Any:
            return self._store.bars(symbol, of, since=since, until=self._now)

        def before(of: Timeframe) -> datetime:
            """When so many bars as are looked back at begin."""
            earlier = self._store.bars(symbol, of, until=begin, count=compiled.history[of] + 1)
            return earlier.opened(0) if len(earlier) else begin

        year = min(before(timeframe), begin - timedelta(days=ATR_DAYS) - _WARM_UP)
        own = bars(timeframe, year)
        first = int(np.searchsorted(own.time, int(begin.timestamp())))
        needed = compiled.requirements[timeframe]
        if first < needed or first >= len(own):
            raise Invalid(
                "too_few_bars",
                f"the market store has {first} bars before the day and {len(own) - first} from then on; "
                f"{needed} and one are needed",
            )
        fine = spread_timeframe(timeframe)
        spreads = None if fine is timeframe else bars(fine, begin - timedelta(days=SPREAD_DAYS + 1))
        steps = None if timeframe is Timeframe.M1 else bars(Timeframe.M1, own.opened(first))
        return Stream(
            strategy=strategy,
            profile=profile,
            instrument=instrument,
            bars=own,
            higher={other: bars(other, before(other)) for other in compiled.higher},
            first=first,
            costs=costs_of(profile, limits, own, CostChanges()),
            conversion=conversion(instrument, account.currency),
            spread_bars=spreads if spreads is not None and len(spreads) else None,
            fine=steps if steps is not None and len(steps) else None,
        )


def _signals(stream: Stream, flags: Any) -> dict[str, str]:
    """Keys of the signals from the first bar that can be decided on."""
    found = {}
    bars, name = stream.bars, stream.strategy.id
    both, ends = records.LONG | records.SHORT, bars.closes()
    for index in np.flatnonzero(flags & both).tolist():
        if index >= stream.first - 1:
            bit = int(flags[index]) & both
            word = "long" if bit == records.LONG else "short" if bit == records.SHORT else "conflict"
            found[key_of(name, bars.symbol, int(ends[index]))] = word
    return found


def _ours(trade: Trade, bars: Bars) -> OurTrade:
    # along minutes a bar ends with its last minute that there is
    bar = int(np.searchsorted(bars.time, trade.signal_time - 1, side="right")) - 1
    closed = int(bars[bar : bar + 1].closes()[0])
    return OurTrade(
        id=str(trade.id),
        symbol=trade.symbol,
        side=trade.side,
        volume=trade.volume,
        entry_time=trade.entry_time,
        entry_price=trade.entry_price,
        exit_time=trade.exit_time,
        exit_price=trade.exit_price,
        exit_reason=str(trade.exit_reason),
        gross=trade.gross,
        spread_cost=trade.spread_cost,
        slippage_cost=trade.slippage_cost,
        gap_cost=trade.gap_cost,
        commission=trade.commission,
        swap=trade.swap,
        net=trade.net,
        key=key_of(trade.strategy, trade.symbol, closed),
    )


def day_of(date: str, clock: ServerClock) -> tuple[datetime, datetime]:
    """A broker's day as UTC times, the second excluded; ``YYYY-MM-DD``.

    Raises:
        Invalid: Code ``bad_day``.
    """
    try:
        midnight = int(datetime.fromisoformat(f"{date}T00:00:00+00:00").timestamp())
    except ValueError as error:
        raise Invalid("bad_day", f"{date!r} is no day; it is written as 2026-01-05") from error
    return from_epoch(clock.to_utc(midnight)), from_epoch(clock.to_utc(midnight + 86_400))
