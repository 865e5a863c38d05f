"""A seeded market: the price at an instant depends on seed, symbol and time alone.

Server time → activity (`activity`) → Brownian noise (`noise`) → price. Nothing is stored and nothing is
stepped through, so every process and every restart sees the same history. Minutes come straight from
the noise at both of their ends; ticks are laid inside a minute, longer bars are made of minutes.
"""

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from backend.core.errors import NotFound
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.mt5.structures import TICKS_DTYPE, Records
from backend.simulator.activity import WEEK_ACTIVITY, Activity
from backend.simulator.columns import EMPTY, Columns, aggregate, joined
from backend.simulator.moves import moves_of_ticks, spans
from backend.simulator.noise import Floats, brownian, key_of, sixteenth, value_noise, words
from backend.simulator.symbols import SYMBOLS, WEEK_MINUTES, WEEK_START, SymbolSpec
from backend.simulator.tick_paths import WIDEST_SPREAD, bar_so_far, ticks_of

Ints = npt.NDArray[np.int64]

HISTORY_MONTHS = 36
_KEPT = Timeframe.M15  # bars of its multiples are made of these
_KEPT_WEEKS = 1_600  # of ten symbols for three years, about 27 kB each
_MINUTES_PER_HOUR = 60
_WEEK_SECONDS = WEEK_MINUTES * 60
_MINUTES_PER_ROUND = 40_320  # worked on at once: stays in the processor's cache
_WEEKS_PER_ROUND = 4
_SPAN_SECONDS = 28 * 86_400
_RECENT_MINUTES = 8
_MEAN_TICKS = 16.0
_MOST_TICKS = 60


class SyntheticMarket:
    """Ten symbols, made up. Times are the server's; see `backend.simulator.ports.Market`."""

    def __init__(self, seed: int, symbols: tuple[SymbolSpec, ...] = SYMBOLS) -> None:
        self._makers = {spec.name: _Maker(seed, spec) for spec in symbols}
        self._weeks: OrderedDict[tuple[str, int], Columns] = OrderedDict()

    def symbols(self) -> tuple[SymbolSpec, ...]:
        """The ten."""
        return tuple(maker.spec for maker in self._makers.values())

    def history_start(self, symbol: str, timeframe: Timeframe, at_ms: int) -> int:
        """The first day of the month three years before: the first bar of any length is whole."""
        self._maker(symbol)
        month = np.datetime64(at_ms // 1000, "s").astype("datetime64[M]") - np.timedelta64(
            HISTORY_MONTHS, "M"
        )
        start = int(month.astype("datetime64[s]").astype(np.int64))
        first = int(open_of(timeframe, start))
        return first if first >= start else int(close_of(timeframe, first))

    def is_open(self, symbol: str, at_ms: int) -> bool:
        """Whether the symbol's hours say so."""
        return self._maker(symbol).spec.is_open(at_ms // 1000)

    def quote(self, symbol: str, at_ms: int) -> Records:
        """The last tick at or before the present."""
        maker = self._maker(symbol)
        minute = at_ms // 60_000
        for candidate in (maker.last_open_minute(minute), maker.last_open_minute(minute - 1)):
            found = maker.ticks_of_minute(candidate)
            found = found[found["time_msc"] <= at_ms]
            if len(found):
                return found[-1:]
        return np.zeros(0, dtype=TICKS_DTYPE)

    def ticks(self, symbol: str, first_ms: int, last_ms: int, at_ms: int) -> Records:
        """Ticks in [first_ms, last_ms], none after the present."""
        last_ms = min(last_ms, at_ms)
        if first_ms > last_ms:
            return np.zeros(0, dtype=TICKS_DTYPE)
        found = self._maker(symbol).ticks(first_ms // 60_000, last_ms // 60_000)
        return found[(found["time_msc"] >= first_ms) & (found["time_msc"] <= last_ms)]

    def moves(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        """The ticks."""
        return moves_of_ticks(self.ticks(symbol, first_ms, last_ms, last_ms))

    def spans(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        """Minutes: bids between low and high, asks at least and at most a spread above."""
        maker = self._maker(symbol)
        bars = maker.minutes(first_ms // 60_000, last_ms // 60_000 + 1)
        least, most = bars.spread * maker.spec.point, bars.spread * WIDEST_SPREAD * maker.spec.point
        return spans(bars.time * 1000, 60_000, (bars.low, bars.high), (bars.low + least, bars.high + most))

    def rates(self, symbol: str, timeframe: Timeframe, first: int, last: int, at_ms: int) -> Columns:
        """Bars whose open lies in [first, last], the forming one as far as it has come."""
        maker = self._maker(symbol)
        present = at_ms // 1000
        first = max(first, self.history_start(symbol, timeframe, at_ms))
        last = min(last, present)
        start = int(open_of(timeframe, first))
        if start < first:
            start = int(close_of(timeframe, start))
        end = int(close_of(timeframe, open_of(timeframe, last)))  # exclusive
        if start >= end:
            return EMPTY
        if timeframe.seconds % _KEPT.seconds == 0:
            # Whole quarters from memory, the present one from its minutes.
            turn = min(end, int(open_of(_KEPT, present)))
            parts = [self._whole_quarters(maker, start, turn)] if start < turn else []
            parts.append(aggregate(self._minutes(maker, max(start, turn), end, at_ms), _KEPT))
            return aggregate(joined(parts), timeframe)
        # A span is whole days, so no bar is cut; minutes of one span are dropped before the next is made.
        spans = [(begin, min(begin + _SPAN_SECONDS, end)) for begin in range(start, end, _SPAN_SECONDS)]
        return joined([aggregate(self._minutes(maker, *span, at_ms), timeframe) for span in spans])

    def _minutes(self, maker: "_Maker", start: int, end: int, at_ms: int) -> Columns:
        """M1 bars that open in [start, end), the one at the present cut there."""
        present = at_ms // 60_000
        whole = maker.minutes(-(-start // 60), min(-(-end // 60), present))
        if not (start <= present * 60 < end):
            return whole
        ticks = maker.ticks_of_minute(present)
        return joined([whole, bar_so_far(ticks[ticks["time_msc"] <= at_ms], maker.spec.point)])

    def _whole_quarters(self, maker: "_Maker", start: int, end: int) -> Columns:
        """M15 bars that open in [start, end), all of them over; remembered by week."""
        week_first = (start + WEEK_START * 60) // _WEEK_SECONDS
        week_last = (end - 1 + WEEK_START * 60) // _WEEK_SECONDS
        self._make_weeks(
            maker, [w for w in range(week_first, week_last + 1) if (maker.spec.name, w) not in self._weeks]
        )
        parts = []
        for week in range(week_first, week_last + 1):
            key = (maker.spec.name, week)
            self._weeks.move_to_end(key)
            parts.append(self._weeks[key])
        while len(self._weeks) > _KEPT_WEEKS:
            self._weeks.popitem(last=False)
        return joined(parts).between(start, end - 1)

    def _make_weeks(self, maker: "_Maker", weeks: list[int]) -> None:
        """Remember the M15 bars of these weeks, made a few weeks at a time."""
        for at in range(0, len(weeks), _WEEKS_PER_ROUND):
            some = weeks[at : at + _WEEKS_PER_ROUND]
            minutes = joined([maker.minutes(*_week_minutes(first, last)) for first, last in _runs(some)])
            quarters = aggregate(minutes, _KEPT)
            for week in some:
                first, end = _week_minutes(week, week)
                self._weeks[maker.spec.name, week] = quarters.between(first * 60, end * 60 - 1).copy()

    def _maker(self, symbol: str) -> "_Maker":
        try:
            return self._makers[symbol]
        except KeyError:
            raise NotFound("unknown_symbol", f"the simulated market has no symbol {symbol!r}") from None


def _week_minutes(first: int, last: int) -> tuple[int, int]:
    """Minutes since 1970 of whole weeks, half-open."""
    return first * WEEK_MINUTES - WEEK_START, (last + 1) * WEEK_MINUTES - WEEK_START


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of consecutive numbers."""
    starts = [n for i, n in enumerate(numbers) if i == 0 or numbers[i - 1] != n - 1]
    ends = [n for i, n in enumerate(numbers) if i == len(numbers) - 1 or numbers[i + 1] != n + 1]
    return list(zip(starts, ends, strict=True))


class _Maker:
    """Makes the prices of one symbol."""

    def __init__(self, seed: int, spec: SymbolSpec) -> None:
        self.spec = spec
        self._activity = Activity(seed, spec)
        self._price_key = key_of(seed, spec.name, "price")
        self._minute_key = key_of(seed, spec.name, "minute")
        self._spread_key = key_of(seed, spec.name, "spread")
        self._tick_key = key_of(seed, spec.name, "tick")
        self._recent: dict[int, Records] = {}
        self._hour: tuple[int, Columns] | None = None
        self._scale = spec.volatility / (52 * WEEK_ACTIVITY) ** 0.5  # of log price, per √activity
        self._level = spec.price * 10**spec.digits  # in points
        places = np.arange(WEEK_MINUTES)
        last = np.maximum.accumulate(np.where(spec.open_minutes, places, -1))
        # Before the week's first open minute it was the week before's last.
        self._last_open = np.where(last >= 0, last, last[-1] - WEEK_MINUTES)

    def last_open_minute(self, minute: int) -> int:
        """The latest open minute at or before a minute."""
        inside = (minute + WEEK_START) % WEEK_MINUTES
        return minute - inside + int(self._last_open[inside])

    def minutes(self, first: int, end: int) -> Columns:
        """M1 bars of the minutes [first, end) since 1970 on the server's clock."""
        hour = first // _MINUTES_PER_HOUR
        if first < end <= (hour + 1) * _MINUTES_PER_HOUR:
            return self._of_hour(hour).between(first * 60, end * 60 - 1)
        return joined(
            [
                self._round(at, min(at + _MINUTES_PER_ROUND, end))
                for at in range(first, end, _MINUTES_PER_ROUND)
            ]
        )

    def _of_hour(self, hour: int) -> Columns:
        """M1 bars of an hour, which cost little more than one; the last is remembered, being the present."""
        known = self._hour
        if known is None or known[0] != hour:
            first = hour * _MINUTES_PER_HOUR
            known = self._hour = hour, self._round(first, first + _MINUTES_PER_HOUR)
        return known[1]

    def ticks(self, first: int, last: int) -> Records:
        """Ticks of the minutes [first, last] since 1970 on the server's clock."""
        return ticks_of(self.minutes(first, last + 1), self._tick_key, self.spec.digits)

    def ticks_of_minute(self, minute: int) -> Records:
        """Ticks of one minute; the last few are remembered, since everybody asks for the present one."""
        if minute not in self._recent:
            if len(self._recent) >= _RECENT_MINUTES:
                self._recent.pop(next(iter(self._recent)))
            self._recent[minute] = self.ticks(minute, minute)
        return self._recent[minute]

    def _points(self, activity: Floats) -> Floats:
        points: Floats = self._level * np.exp(self._scale * brownian(self._price_key, activity))
        return points

    def _round(self, first: int, end: int) -> Columns:
        minutes = np.arange(first, end)
        minutes = minutes[self.spec.open_minutes[(minutes + WEEK_START) % WEEK_MINUTES]]
        if not len(minutes):
            return EMPTY
        # A minute ends where the next begins; only before a gap the end is looked up itself.
        gaps = np.flatnonzero(np.append(np.diff(minutes) != 1, True))
        activity = self._activity.at(np.concatenate((minutes, minutes[gaps] + 1)))
        points = self._points(activity)
        count = len(minutes)
        opens, spent = points[:count], activity[:count]
        closes, after = np.append(opens[1:], 0.0), np.append(spent[1:], 0.0)
        closes[gaps], after[gaps] = points[count:], activity[count:]
        rate = after - spent

        bits = words(self._minute_key, minutes)
        nudge = np.floor(sixteenth(bits, 2) * 4) % 3 - 1  # now and then a bar opens a point off
        open_points = np.rint(opens) + np.where(nudge == 1, 1, np.where(nudge == 0, 0, nudge))
        close_points = np.rint(closes)
        # Extremes of a Brownian bridge between both ends.
        variance = rate * (self._scale * opens) ** 2
        move = (closes - opens) ** 2
        middle = (opens + closes) / 2
        rise = np.sqrt(move - 2 * variance * np.log(sixteenth(bits, 0))) / 2
        fall = np.sqrt(move - 2 * variance * np.log(sixteenth(bits, 1))) / 2
        high = np.maximum(np.rint(middle + rise), np.maximum(open_points, close_points))
        low = np.minimum(np.rint(middle - fall), np.minimum(open_points, close_points))

        volume = 4 + np.floor(_MEAN_TICKS * np.sqrt(rate / 2) * (0.5 + sixteenth(bits, 3)))
        to_price = 10**self.spec.digits
        return Columns(
            minutes * 60,
            open_points / to_price,
            high / to_price,
            low / to_price,
            close_points / to_price,
            np.minimum(volume, _MOST_TICKS).astype(np.int64),
            self._spread(minutes, sixteenth(bits, 3)),
        )

    def _spread(self, minutes: Ints, chance: Floats) -> Ints:
        """Points: slow drift, small chance, ×5–20 around midnight and at news."""
        drift = 0.7 + 0.6 * value_noise(self._spread_key, minutes.astype(np.float64), 150)
        wide, heat = self._activity.unrest(minutes)
        widening = np.where(wide, 5 + 15 * chance**2, 1 + 14 * heat)
        spread = self.spec.spread * drift * (0.85 + 0.3 * chance) * widening
        return np.maximum(np.rint(spread), 1).astype(np.int64)
