"""Brings a book up to date: walks the market from the last instant that was dealt with to the present.

What comes out depends on the market and the requests alone, not on how often somebody asks. Minutes in
which no level and no stop-out can be reached are passed over by their bounds; of the others each tick is
looked at. Server midnights and expiries take their turn in between, also where no price stands.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from backend.mt5 import constants as mt5
from backend.mt5.mapping import exact
from backend.mt5.structures import Records
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import DAY_MS, LIMITS, Book, Position
from backend.simulator.matching import Matcher
from backend.simulator.ports import Market
from backend.simulator.prices import Prices, Quote
from backend.simulator.valuation import Valuation
from backend.simulator.ways import Candle, Move
from backend.trading.conversion import Conversion
from backend.trading.profit import to_cents
from backend.trading.sides import Side
from backend.trading.swap import nights, swap

Floats = npt.NDArray[np.float64]

_EPOCH = date(1970, 1, 1)
_SLACK, _CENT = 1e-9, 0.01  # floats pass over nothing that exact, rounded numbers would stop at


class Calendar:
    """What time alone does: swap at each server midnight, and the expiry of orders.

    Args:
        book: What it is done to.
        account: The account's terms.
        prices: Moved to each midnight.
        valuation: Of the book.
    """

    def __init__(self, book: Book, account: SimulatedAccount, prices: Prices) -> None:
        self._book = book
        self._account = account
        self._prices = prices

    def next(self) -> int:
        """When something is due next, server milliseconds."""
        expiries = (order.expires_ms for order in self._book.orders.values() if order.expires_ms)
        return min([self._book.midnight_ms + DAY_MS, *expiries])

    def run(self, at_ms: int) -> None:
        """Do what is due then; prices are those of just before."""
        for order in list(self._book.orders.values()):
            if 0 < order.expires_ms <= at_ms:
                self._book.end_order(order, mt5.ORDER_STATE_EXPIRED, order.expires_ms)
        if at_ms < self._book.midnight_ms + DAY_MS:
            return
        self._book.midnight_ms = at_ms
        ending = _EPOCH + timedelta(days=at_ms // DAY_MS - 1)
        for position in self._book.positions.values():
            self._overnight(position, ending)

    def _overnight(self, position: Position, ending: date) -> None:
        spec = self._prices.specs[position.symbol]
        count = nights(spec.instrument, ending, trades_weekends=spec.trades_weekends)
        quote = self._prices.quote(position.symbol)
        if not count or quote is None:
            return
        earned = swap(
            spec.instrument,
            position.side,
            position.lots,
            count,
            price=quote.closing(position.side),
            open_price=position.price,
            conversion=self._prices.conversion(position.symbol),
            account_currency=self._account.currency,
        )
        position.swap += to_cents(earned, self._account.digits)


class Walker:
    """Walks one book through one market.

    Args:
        book: What is brought up to date.
        market: Where prices come from.
        prices: Moved along.
        account: The account's terms.
        valuation: Of the book.
        matcher: Applies what is met on the way.
        calendar: What is due on the way.
    """

    def __init__(
        self,
        book: Book,
        market: Market,
        prices: Prices,
        account: SimulatedAccount,
        valuation: Valuation,
        matcher: Matcher,
        calendar: Calendar,
    ) -> None:
        self._book = book
        self._market = market
        self._prices = prices
        self._account = account
        self._valuation = valuation
        self._matcher = matcher
        self._calendar = calendar
        self._day = -1
        self._spans: dict[str, Records] = {}  # of that server day, as is the next
        self._before: dict[str, tuple[Quote, Conversion]] = {}

    def advance(self, to_ms: int) -> None:
        """Everything up to and including `to_ms`; the past stays as it is."""
        book = self._book
        while book.seen_ms < to_ms and not book.idle:
            due = self._calendar.next()
            self._walk(min(to_ms, due - 1))
            if due <= to_ms:
                self._prices.move_to(due - 1)
                self._calendar.run(due)
        if book.seen_ms < to_ms:
            book.seen_ms = to_ms
            book.midnight_ms = to_ms - to_ms % DAY_MS
        self._prices.move_to(max(to_ms, book.seen_ms))

    def _walk(self, end_ms: int) -> None:
        """Every price move up to and including `end_ms`, nothing else being due before."""
        book = self._book
        while book.seen_ms < end_ms and not book.idle:
            stop = min(end_ms, (book.seen_ms + 1) // DAY_MS * DAY_MS + DAY_MS - 1)
            window = self._next_window(book.seen_ms + 1, stop)
            if window is None:
                book.seen_ms = stop
                continue
            first_ms, last_ms, sinking = window
            self._matcher.watch_equity(sinking)
            for move in self._moves(first_ms, last_ms):
                self._prices.move_to(move.time_ms)
                self._matcher.apply(move)
            book.seen_ms = last_ms

    def _moves(self, first_ms: int, last_ms: int) -> Iterator[Move]:
        """Moves of all symbols in play, in the order of time, those of one instant by name."""
        found: list[tuple[int, str, int, np.void]] = []
        for symbol in self._in_play():
            rows = self._market.moves(symbol, first_ms, last_ms)
            found.extend((int(row["time_ms"]), symbol, place, row) for place, row in enumerate(rows))
        found.sort(key=lambda one: one[:3])
        for time_ms, symbol, _, row in found:
            yield Move(symbol=symbol, time_ms=time_ms, bid=_candle(row, "bid"), ask=_candle(row, "ask"))

    def _in_play(self) -> list[str]:
        held = {one.symbol for one in self._book.positions.values()}
        return sorted(held | {one.symbol for one in self._book.orders.values()})

    # Where to look closer.

    def _next_window(self, first_ms: int, last_ms: int) -> tuple[int, int, bool] | None:
        """The first stretch inside [first_ms, last_ms], of one server day, in which something may happen.

        Its ends, and whether the account may be stopped out in it as it stands now.
        """
        if first_ms // DAY_MS != self._day:
            self._day, self._spans, self._before = first_ms // DAY_MS, {}, {}
        spans = {symbol: self._of_day(symbol) for symbol in self._in_play()}
        found: list[tuple[int, int]] = []
        for symbol, rows in spans.items():
            ahead = (rows["first_ms"] <= last_ms) & (rows["last_ms"] >= first_ms)
            places = np.flatnonzero(ahead & self._touched(symbol, rows))
            if len(places):
                row = rows[places[0]]
                found.append((max(first_ms, int(row["first_ms"])), min(last_ms, int(row["last_ms"]))))
        low = self._sinking(spans, first_ms, last_ms)
        window = min((*found, *low), default=None)
        return None if window is None else (*window, any(start <= window[1] for start, _ in low))

    def _of_day(self, symbol: str) -> Records:
        if symbol not in self._spans:
            start = self._day * DAY_MS
            self._spans[symbol] = self._market.spans(symbol, start, start + DAY_MS - 1)
        return self._spans[symbol]

    def _touched(self, symbol: str, rows: Records) -> npt.NDArray[np.bool_]:
        """Which stretches come to a stop, a target or an order's price, or within half a point of it."""
        near = float(self._prices.specs[symbol].instrument.point) / 2
        touched = np.zeros(len(rows), dtype=np.bool_)

        def mark(side: str, level: Decimal, *, falling: bool) -> None:
            if falling:
                np.logical_or(touched, rows[f"{side}_low"] <= float(level) + near, out=touched)
            else:
                np.logical_or(touched, rows[f"{side}_high"] >= float(level) - near, out=touched)

        for one in self._book.positions_of(symbol):
            long = one.side is Side.BUY
            side = "bid" if long else "ask"
            if one.stop is not None:
                mark(side, one.stop, falling=long)
            if one.target is not None:
                mark(side, one.target, falling=not long)
        for order in self._book.orders_of(symbol):
            buy = order.side is Side.BUY
            mark("ask" if buy else "bid", order.price, falling=buy == (order.kind in LIMITS))
        return touched

    def _sinking(self, spans: dict[str, Records], first_ms: int, last_ms: int) -> list[tuple[int, int]]:
        """The first stretch in which the account may be stopped out, by its worst in each symbol, if any."""
        taken = float(self._valuation.margin())
        if not taken:
            return []
        floor = taken * float(self._account.stop_out) / 100
        edges = np.unique(np.concatenate([rows["first_ms"] for rows in spans.values()]))
        edges = edges[(edges <= last_ms) & (edges > first_ms)]
        starts = np.concatenate(([first_ms], edges))
        ends = np.append(edges - 1, last_ms)
        equity = np.full(len(starts), float(self._book.balance))
        for one in self._book.positions.values():
            equity += float(one.swap) + self._worst(one, spans[one.symbol], starts)
        low = np.flatnonzero(equity <= floor + _SLACK * np.abs(equity) + _CENT * len(self._book.positions))
        return [(int(starts[low[0]]), int(ends[low[0]]))] if len(low) else []

    def _worst(self, one: Position, rows: Records, starts: npt.NDArray[np.int64]) -> Floats:
        """Least profit of a position in the stretches that begin there; where no price moves, the last's."""
        worst = rows["bid_low" if one.side is Side.BUY else "ask_high"]
        places = np.searchsorted(rows["first_ms"], starts, side="right") - 1
        before, how = self._at_first_look(one, int(starts[0]) - 1)
        prices = np.where(places < 0, before, worst[places] if len(worst) else before)
        spec = self._prices.specs[one.symbol]
        moved = (prices - float(one.price)) * one.side.sign * float(one.lots) * spec.contract
        result: Floats = moved * _rates(how, prices, moved)
        return result

    def _at_first_look(self, one: Position, at_ms: int) -> tuple[float, Conversion]:
        """Closing price of a position and its conversion when the day was first looked at."""
        if one.symbol not in self._before:
            self._prices.move_to(at_ms)
            quote = self._prices.quote(one.symbol) or Quote(one.price, one.price)
            self._before[one.symbol] = quote, self._prices.conversion(one.symbol)
        quote, how = self._before[one.symbol]
        return float(quote.closing(one.side)), how


def _rates(how: Conversion, price: Floats, moved: Floats) -> Floats:
    """Account currency for profit currency, unfavourably.

    A rate of another symbol is the one of the first look, a tenth worse: as far as it may move in a day.
    """
    if how.by_close:
        return 1 / price
    gain, loss = float(how.gain), float(how.loss)
    if gain == loss == 1:
        return np.ones(len(price))
    return np.where(moved >= 0, gain * 0.9, loss * 1.1)


def _candle(row: np.void, side: str) -> Candle:
    opened = exact(row[f"{side}_open"])
    if row[f"{side}_high"] == row[f"{side}_low"]:
        return Candle.still(opened)
    return Candle(
        open=opened,
        high=exact(row[f"{side}_high"]),
        low=exact(row[f"{side}_low"]),
        close=exact(row[f"{side}_close"]),
    )
