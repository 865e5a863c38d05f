"""The terminal's deals read back as trades, and the terminal that a job is run on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from backend.backtest.columns import Trade
from backend.backtest.model import Job, Stream
from backend.core.instruments import Instrument
from backend.core.timeframes import close_of
from backend.mt5 import constants as mt5
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Book, Deal
from backend.simulator.driven import DrivenAccount, DrivenBar
from backend.simulator.symbols import SymbolSpec
from backend.simulator.ways import Candle
from backend.trading.profit import to_cents
from backend.trading.reasons import Reason
from backend.trading.sides import Side
from tests.reference.prices import prices
from tests.reference.sending import Asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A closed trade as deals tell it; `of` takes the same out of a backtest's."""

    symbol: str
    side: Side
    volume: Decimal
    signal_time: int
    entry_time: int
    entry_price: Decimal
    initial_stop: Decimal
    initial_target: Decimal
    exit_time: int
    exit_price: Decimal
    exit_reason: Reason
    ambiguous: bool
    commission: Decimal
    swap: Decimal
    net: Decimal

    @classmethod
    def of(cls, trade: Trade) -> "Row":
        return cls(**{name: getattr(trade, name) for name in cls.__slots__})


@dataclass(kw_only=True, slots=True)
class Notes:
    """What deals do not tell: by number of the position's order, of the position, of the deal.

    Attributes:
        sent: What each order was sent for.
        moved: What a touch of a position's stop is called, where the stop was moved.
        stops: Where it stands now, by position.
        at_open: Deals that the first price of a bar brought.
        at_close: Deals that were asked for at a bar's close.
        parts: Orders that take a part of a position at its level, and their positions.
        unclear: Positions that ended on a bar which left open whether their part came first.
    """

    sent: dict[int, Asked] = field(default_factory=dict)
    moved: dict[int, Reason] = field(default_factory=dict)
    stops: dict[int, Decimal] = field(default_factory=dict)
    at_open: set[int] = field(default_factory=set)
    at_close: set[int] = field(default_factory=set)
    parts: dict[int, int] = field(default_factory=dict)
    unclear: set[int] = field(default_factory=set)


class Path:
    """The job's bars as the broker's, and their places in time."""

    def __init__(self, stream: Stream) -> None:
        self.bars, self._instrument, self._asks = stream.bars, stream.instrument, stream.asks
        self._prices = prices(stream.bars, stream.instrument, stream.costs)
        self._places = {int(server): place for place, server in enumerate(stream.bars.server_time)}

    def bar(self, index: int) -> DrivenBar:
        """A bar of both sides; the asks are the bids and the spread where no others are given."""
        rows = self._prices
        bids = [int(column[index]) for column in (rows.open, rows.high, rows.low, rows.close)]
        asks = [bid + int(rows.spread[index]) for bid in bids]
        if self._asks is not None:
            asks = [self._instrument.ticks(float(column[index])) for column in self._asks]
        bid, ask = (_candle([self._instrument.price(price) for price in side]) for side in (bids, asks))
        return DrivenBar(time=int(self.bars.server_time[index]), bid=bid, ask=ask)

    def has(self, server: int) -> bool:
        """Whether a bar opened at a server epoch."""
        return server in self._places

    def place(self, server: int) -> int:
        """Index of the bar that opened at a server epoch."""
        return self._places[server]

    def opened(self, index: int) -> int:
        """UTC epoch of a bar's open."""
        return int(self.bars.time[index])

    def closed(self, index: int) -> int:
        """UTC epoch of a bar's close."""
        server = int(self.bars.server_time[index])
        return self.opened(index) + int(close_of(self.bars.timeframe, server)) - server


def _candle(prices: list[Decimal]) -> Candle:
    opened, high, low, close = prices
    return Candle(open=opened, high=high, low=low, close=close)


def rows(book: Book, paths: Mapping[str, Path], notes: Notes, digits: int) -> list[Row]:
    """Every closed trade in the order of the exits; a position's first commission is shared by volume."""
    entries = {deal.position: deal for deal in book.deals if deal.entry == mt5.DEAL_ENTRY_IN}
    left = {position: (into.lots, -into.commission) for position, into in entries.items()}
    found = []
    for out in book.deals:
        if out.entry != mt5.DEAL_ENTRY_OUT:
            continue
        lots, unpaid = left[out.position]
        paid = unpaid if out.lots == lots else to_cents(unpaid * out.lots / lots, digits)
        left[out.position] = lots - out.lots, unpaid - paid
        found.append(_row(out, entries[out.position], paths[out.symbol], notes, paid))
    return found


def _row(out: Deal, into: Deal, path: Path, notes: Notes, paid: Decimal) -> Row:
    sent, index = notes.sent[out.position], path.place(out.time_ms // 1000)
    reason = _reason(out, notes)
    return Row(
        symbol=out.symbol,
        side=sent.levels.side,
        volume=out.lots,
        signal_time=int(sent.wanted.closed.timestamp()),
        entry_time=path.opened(path.place(into.time_ms // 1000)),
        entry_price=into.price,
        initial_stop=Decimal(repr(sent.order.sl)),
        initial_target=Decimal(repr(sent.order.tp)),
        exit_time=path.closed(index) if out.ticket in notes.at_close else path.opened(index),
        exit_price=out.price,
        exit_reason=reason,
        ambiguous=out.ambiguous or (out.position in notes.unclear and reason is not Reason.PARTIAL),
        commission=paid - out.commission,
        swap=out.swap,
        net=out.profit + out.swap - paid + out.commission,
    )


def _reason(out: Deal, notes: Notes) -> Reason:
    if out.reason == mt5.DEAL_REASON_TP:
        return Reason.TARGET
    if out.reason == mt5.DEAL_REASON_SO:
        return Reason.STOP_OUT
    if out.reason != mt5.DEAL_REASON_SL:
        return Reason(out.comment)
    return Reason.GAP_STOP if out.ticket in notes.at_open else notes.moved.get(out.position, Reason.STOP)


def terminal(job: Job) -> DrivenAccount:
    """The simulated broker on the job's terms, with its symbols; costs are those of the first stream."""
    first = job.streams[0]
    terms = SimulatedAccount(
        currency=job.account.currency,
        digits=job.account.digits,
        balance=job.account.balance,
        leverage=job.account.leverage,
        hedging=job.account.hedging,
        stop_out=Decimal(str(job.account.stop_out)) * 100,
        commission=first.costs.commission_per_lot,
        slippage=int(first.costs.slippage_points),
    )
    given = {stream.instrument.symbol: stream.instrument for stream in job.streams}
    begin = min(int(stream.bars.server_time[stream.first - 1]) for stream in job.streams)
    return DrivenAccount([_spec(one) for one in given.values()], terms, start=begin - 1)


def _spec(given: Instrument) -> SymbolSpec:
    return SymbolSpec(
        name=given.symbol,
        description=given.symbol,
        digits=given.digits,
        contract=float(given.contract_size),
        base=given.currency_base,
        profit=given.currency_profit,
        margin=given.currency_margin,
        calc_mode=given.calc_mode,
        volume_min=float(given.volume_min),
        volume_max=float(given.volume_max),
        stops_level=given.stops_level,
        spread=0,
        swap_mode=given.swap_mode,
        swap_long=float(given.swap_long),
        swap_short=float(given.swap_short),
        triple_day=given.swap_triple_day,
    )
