"""What a file adds to a series: its rows in UTC, in units of price, with what was mended on the way."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from backend.core.clock import from_epoch
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.history.formats.model import DataFile, Floats, Ints, RawBars, RawTicks, Side
from backend.history.formats.reading import read_bars, read_ticks
from backend.history.scale import points_in_a_unit
from backend.mt5.server_time import ServerClock

SORTED, DOUBLED, NOISE, SPREADS = "unsorted", "doubled", "float_noise", "negative_spread"
FLATS, FORMING, LEFT_OUT = "weekend_flats", "still_forming", "left_out"

_MINUTE = 60
_NOMINAL = {frame.seconds: frame for frame in Timeframe if frame is not Timeframe.MN1}
_MONTH_SECONDS = range(28 * 86_400, 31 * 86_400 + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What only a person can know or want.

    Attributes:
        symbol: Canonical symbol of all files; "" takes what their names say.
        clock: Rule of the clock of files that do not state theirs; "" is not known.
        digits: Decimals of a price; None takes what the files show.
        skip_bad: Leave rows out that cannot be, instead of refusing their file.
        replace: Take these bars instead of other ones that were imported before.
    """

    symbol: str = ""
    clock: str = ""
    digits: int | None = None
    skip_bad: bool = False
    replace: bool = False


@dataclass(slots=True, eq=False)
class Piece:
    """Bars of one side, as one file has them; columns of shape (n,), prices (4, n).

    Attributes:
        file: Where they come from.
        clock: Rule of the clock that the file's times were read in.
        timeframe: Of the bars.
        side: Bid or ask.
        time: UTC epochs in seconds, in the file's order.
        prices: Open, high, low, close.
        volume: Ticks.
        spread: Points, one in the last of the decimals; 0 is unknown.
        decimals: Of the prices.
        rows: How many the file has.
        mended: What was done to how many rows.
        notes: What a person should know.
    """

    file: DataFile
    clock: str
    timeframe: Timeframe
    side: Side
    time: Ints
    prices: Floats
    volume: Ints
    spread: Ints
    decimals: int
    rows: int
    mended: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def read_pieces(
    file: DataFile, clock: str, choices: Choices, usual: Callable[[str], float | None], symbol: str
) -> list[Piece]:
    """The bars of a file, a piece for each side that it has; ticks become minutes.

    Args:
        file: The file.
        clock: Rule of the clock of its times.
        choices: What the person said.
        usual: Where a symbol trades, roughly; None where nobody knows.
        symbol: Canonical symbol.

    Raises:
        Invalid: Rows that cannot be, with line and column of the first and their count; or a file that
            cannot be read as a whole.
    """
    raw, faults = read_ticks(file) if file.layout.ticks else read_bars(file)
    if faults is not None and not choices.skip_bad:
        raise faults.error()
    left = 0 if faults is None else faults.count
    pieces = _of_ticks(file, clock, raw) if isinstance(raw, RawTicks) else _of_bars(file, clock, raw)
    for piece in pieces:
        piece.rows += left
        if left:
            piece.mended[LEFT_OUT] = left
        if piece.prices.size and not file.layout.ticks:
            middle = float(np.median(piece.prices[3]))
            scale = points_in_a_unit(symbol, piece.decimals, middle, usual(symbol))
            if scale > 1:
                piece.decimals = len(str(scale)) - 1
                piece.prices = np.round(piece.prices / scale, piece.decimals)
                piece.notes.append(f"prices were in points: divided by {scale:,}")
    return pieces


def _of_bars(file: DataFile, clock: str, raw: RawBars) -> list[Piece]:
    utc = np.asarray(ServerClock.parse(clock).to_utc(raw.time), dtype=np.int64)
    timeframe = timeframe_of(raw.time, file)
    spread = np.zeros(len(utc), dtype=np.int64) if raw.spread is None else raw.spread
    mended: Counter[str] = Counter()
    if raw.noisy:
        mended[NOISE] = raw.noisy
    back = int((np.diff(utc) < 0).sum())
    if back:
        mended[SORTED] = back
    if (spread < 0).any():
        mended[SPREADS] = int((spread < 0).sum())
        spread = np.maximum(spread, 0)
    side = Side.BID if file.side is Side.BOTH else file.side

    def piece(of: Side, prices: Floats) -> Piece:
        return Piece(
            file, clock, timeframe, of, utc, prices, raw.volume, spread, raw.decimals, len(utc), mended.copy()
        )

    made = [piece(side, raw.bid)]
    if raw.ask is not None:
        asks = np.maximum(raw.ask, raw.bid)
        crossed = int((asks != raw.ask).any(axis=0).sum())
        made[0].spread = lowest_spread(raw.bid, asks, raw.decimals)
        made[0].mended[SPREADS] += crossed
        made.append(piece(Side.ASK, asks))
        made[0].mended = +made[0].mended
    return made


def _of_ticks(file: DataFile, clock: str, raw: RawTicks) -> list[Piece]:
    """Minutes of the ticks, both sides."""
    utc_ms = ServerClock.parse(clock).to_utc(raw.time_ms // 1000) * 1000 + raw.time_ms % 1000
    time, bid, ask = utc_ms, raw.bid, raw.ask
    mended: Counter[str] = Counter()
    back = int((np.diff(time) < 0).sum())
    if back:
        mended[SORTED] = back
        order = np.argsort(time, kind="stable")
        time, bid, ask = time[order], bid[order], ask[order]
    minutes = time // 60_000
    starts = np.flatnonzero(np.diff(minutes, prepend=-1)) if len(time) else np.empty(0, dtype=np.int64)
    counts = np.diff(np.append(starts, len(time))).astype(np.int64)
    sides = [_minutes(side, starts) for side in (bid, ask)]
    wide = np.minimum.reduceat(ask - bid, starts) if len(starts) else np.empty(0)
    spread = np.rint(wide * 10.0**raw.decimals).astype(np.int64)
    opens = minutes[starts] * _MINUTE
    return [
        Piece(
            file, clock, Timeframe.M1, side, opens, prices, counts, spread, raw.decimals, len(time),
            mended.copy(), ["ticks became minutes; the ticks themselves are not kept"],
        )
        for side, prices in zip((Side.BID, Side.ASK), sides, strict=True)
    ]  # fmt: skip


def _minutes(price: Floats, starts: Ints) -> Floats:
    if not len(starts):
        return np.empty((4, 0))
    ends = np.append(starts[1:], len(price)) - 1
    high, low = np.maximum.reduceat(price, starts), np.minimum.reduceat(price, starts)
    return np.stack([price[starts], high, low, price[ends]])


def lowest_spread(bid: Floats, ask: Floats, digits: int) -> Ints:
    """Points between bid and ask bars at the open or the close, whichever is less; shape (n,)."""
    wide = np.minimum(ask[0] - bid[0], ask[3] - bid[3])
    points: Ints = np.rint(wide * 10.0**digits).astype(np.int64)
    return points


def timeframe_of(times: Ints, file: DataFile) -> Timeframe:
    """Of the bars of a file: as its name says where that can be, else the middle step between its bars.

    Raises:
        Invalid: There is no such timeframe, or a single bar and no name tell none.
    """
    steps = np.diff(times)
    if not (steps > 0).all():
        steps = np.diff(np.sort(times))
        steps = steps[steps > 0]
    named = file.timeframe
    if named is not None and (not len(steps) or int(steps.min()) >= min(named.seconds, _MONTH_SECONDS[0])):
        return named
    usual = int(np.median(steps)) if len(steps) else 0
    found = Timeframe.MN1 if usual in _MONTH_SECONDS else _NOMINAL.get(usual)
    if found is None:
        raise Invalid(
            "unknown_timeframe",
            f"{file.path}: its name tells no timeframe and its bars have no usual step; name it like "
            "EURUSD_M1_2024.csv",
            file=str(file.path),
        )
    return found


def joined(pieces: Iterable[Piece]) -> tuple[Ints, Floats, Ints, Ints, Counter[str]]:
    """Times, prices, volumes and spreads of pieces of one side, sorted, each bar once; and what was mended.

    Raises:
        Invalid: Two bars of one time differ, with how many there are and the first.
    """
    some = list(pieces)
    mended = sum((piece.mended for piece in some), Counter[str]())
    time = np.concatenate([piece.time for piece in some])
    prices = np.concatenate([piece.prices for piece in some], axis=1)
    volume = np.concatenate([piece.volume for piece in some])
    spread = np.concatenate([piece.spread for piece in some])
    if (np.diff(time) > 0).all():
        return time, prices, volume, spread, mended
    order = np.argsort(time, kind="stable")
    time, prices, volume, spread = time[order], prices[:, order], volume[order], spread[order]
    again = np.diff(time, prepend=time[:1] - 1) == 0
    other = again & ((prices != np.roll(prices, 1, axis=1)).any(axis=0) | (volume != np.roll(volume, 1)))
    if other.any():
        first = from_epoch(int(time[np.argmax(other)]))
        raise Invalid(
            "contradicting_bars",
            f"{some[0].file.path}: {int(other.sum()):,} bars stand twice with other values, the first at "
            f"{first:%Y-%m-%d %H:%M} UTC; take one of the files out, or state the right time zone if that is "
            "where a clock was put back",
            file=str(some[0].file.path),
            count=int(other.sum()),
            time=int(time[np.argmax(other)]),
        )
    if again.any():
        mended[DOUBLED] += int(again.sum())
    keep = ~again
    return time[keep], prices[:, keep], volume[keep], spread[keep], mended
