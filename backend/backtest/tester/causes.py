"""Why a trade of MetaTrader and ours earned differently: exact parts that add up to the difference.

The parts are steps from our trade to theirs, each one change at a time: the volume, then commission, swap
and the two fills. A fill's price difference is split by what stands against it: our bar at that time.

| the fills' prices differ, and | cause |
| --- | --- |
| they are in different bars | signal; data, where our bar never reached the level that filled theirs |
| theirs lies outside our bar | data, as far as it lies outside |
| our slippage and gap, and their fill beside their own level | fill |
| both at a stop, target or pending order, or one of them so | fill |
| both at market, on the ask (a buy's entry, a sell's exit) | spread |
| both at market, on the bid, theirs within the bar's first seconds | data: bars are bid bars |
| both at market, on the bid, later in the bar | fill |
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

from backend.backtest.tester.model import ExitKind, TheirTrade
from backend.backtest.tester.ours import OurTrade
from backend.trading.profit import to_cents
from backend.trading.sides import Side

OPENING_SECONDS: Final = 10
_LEVELS: Final = frozenset({"target", "stop", "gap_stop", "trail", "breakeven", "partial"})
_LIMITS: Final = frozenset({"target", "partial"})
_ROUNDING: Final = Decimal("0.05")
_SURE: Final = Decimal(1)


class Cause(StrEnum):
    """What a part of a difference comes from.

    Conversion and rounding name what no other explains. The last three are those of live trading, where it
    is known when a trade was approved and sent.
    """

    DATA = "data"
    SIGNAL = "signal"
    SPREAD = "spread"
    FILL = "fill"
    SWAP = "swap"
    COMMISSION = "commission"
    VOLUME = "volume"
    CONVERSION = "conversion"
    ROUNDING = "rounding"
    LATENCY = "latency"
    HUMAN_DELAY = "human_delay"
    GATE = "gate"


OF_TESTERS: Final[tuple[Cause, ...]] = tuple(
    cause for cause in Cause if cause not in {Cause.LATENCY, Cause.HUMAN_DELAY, Cause.GATE}
)
"""What the difference to a tester can come from."""

Parts = Mapping[Cause, Decimal]


@dataclass(frozen=True, slots=True)
class Band:
    """Lowest and highest bid of one of our bars."""

    low: Decimal
    high: Decimal


class OurBars(Protocol):
    """Our bars, or what is known without them."""

    def bar_of(self, time: int) -> int:
        """UTC epoch at which the bar that holds a time opened, whether or not there is one."""

    def band(self, symbol: str, time: int) -> Band | None:
        """The bid range of the bar that holds the time; None where there is none, or none are given."""

    def known(self, symbol: str, time: int) -> bool:
        """Whether our bars cover that time, so that no bar there means none in our data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """How a live market order came to its fill: side prices, an ask for a buy.

    Attributes:
        asked: The price when it was sent.
        approved: The price when it was approved; None where it is not known.
        spread: Ask − bid when it was sent; None where it is not known.
        by_person: Whether a person approved it.
    """

    asked: Decimal
    approved: Decimal | None = None
    spread: Decimal | None = None
    by_person: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Leg:
    """One fill of theirs and ours. Prices; `gain` is +1 where a higher price of theirs earns more.

    Attributes:
        level: What filled theirs, if a stop, limit or target did.
        ours: Our fill without slippage and gap.
        slipped: By how much slippage and gap made our fill worse, at least zero.
        ours_at_level: Whether a stop or target filled ours; None where it is not known.
    """

    symbol: str
    gain: int
    on_ask: bool
    fill: Decimal
    level: Decimal | None
    time: int
    ours: Decimal
    our_time: int
    slipped: Decimal
    ours_at_level: bool | None


def split(theirs: TheirTrade, ours: OurTrade, bars: OurBars, sent: Sent | None = None) -> Parts:
    """Parts in account currency that add up to theirs.net − ours.net exactly; none is zero.

    Args:
        theirs: Their trade.
        ours: Our trade.
        bars: Our bars.
        sent: How a live market order of theirs came to its fill; None where that is not known.
    """
    scale = theirs.volume / ours.volume
    profit, commission, swap = (to_cents(part * scale) for part in (ours.profit, ours.commission, ours.swap))
    parts = defaultdict(Decimal)
    parts[Cause.VOLUME] = profit - commission + swap - ours.net
    parts[Cause.COMMISSION] = commission - theirs.commission
    parts[Cause.SWAP] = theirs.swap - swap
    left = theirs.profit - profit
    worths = _worths(theirs, ours)
    if worths:
        worth, our_worth = worths
        prices: defaultdict[Cause, Decimal] = defaultdict(Decimal)
        unit = our_worth * ours.volume
        entry, leave = _legs(theirs, ours, unit)
        spread = ours.spread_cost / unit
        if sent is None or entry.level is not None:
            _split_leg(entry, spread, bars, prices)
        else:
            _split_sent(entry, spread, bars, sent, prices)
            leave = _moved_with_entry(entry, leave, sent, prices)
        _split_leg(leave, spread, bars, prices)
        for cause, price in prices.items():
            money = to_cents(price * worth * theirs.volume)
            parts[cause] += money
            left -= money
    rounded = abs(left) <= _ROUNDING * max(scale, Decimal(1))
    parts[Cause.ROUNDING if rounded else Cause.CONVERSION] += left
    return {cause: parts[cause] for cause in Cause if parts[cause]}


def _worths(theirs: TheirTrade, ours: OurTrade) -> tuple[Decimal, Decimal] | None:
    """Account currency for one lot and one unit of price: of the trade that moved more, and of ours.

    None where neither moved. Ours speaks for itself only where a cent of rounding is little in it.
    """
    told = [(abs(_move(one)), worth) for one in (ours, theirs) if (worth := _worth(one)) is not None]
    if not told:
        return None
    surest = max(told)[1]
    own = _worth(ours) if abs(ours.profit) >= _SURE else None
    return surest, own or surest


def _move(trade: TheirTrade | OurTrade) -> Decimal:
    """Price gained times lots."""
    return trade.side.sign * (trade.exit_price - trade.entry_price) * trade.volume


def _worth(trade: TheirTrade | OurTrade) -> Decimal | None:
    """What a unit of price earned a lot; None where price did not move, or money moved the other way."""
    move = _move(trade)
    return trade.profit / move if move and trade.profit * move > 0 else None


def _legs(theirs: TheirTrade, ours: OurTrade, unit: Decimal) -> tuple[_Leg, _Leg]:
    """Both fills; `unit` is what one unit of price earned us."""
    sign = theirs.side.sign
    entry_slips = not theirs.entry_limit
    exit_slips = ours.exit_reason not in _LIMITS
    slippage = ours.slippage_cost / unit / max(entry_slips + exit_slips, 1)
    gap = ours.gap_cost / unit
    gap_at_exit = ours.exit_reason == "gap_stop"
    at_entry = slippage * (entry_slips or not exit_slips) + gap * (not gap_at_exit)
    at_exit = slippage * exit_slips + gap * gap_at_exit
    entry = _Leg(
        symbol=ours.symbol,
        gain=-sign,
        on_ask=theirs.side is Side.BUY,
        fill=theirs.entry_price,
        level=theirs.entry_level,
        time=theirs.entry_time,
        ours=ours.entry_price - sign * at_entry,
        our_time=ours.entry_time,
        slipped=at_entry,
        ours_at_level=None,
    )
    leave = _Leg(
        symbol=ours.symbol,
        gain=sign,
        on_ask=theirs.side is Side.SELL,
        fill=theirs.exit_price,
        level=theirs.exit_level,
        time=theirs.exit_time,
        ours=ours.exit_price + sign * at_exit,
        # an end of the data is a close, which is already the next bar's time
        our_time=ours.exit_time - (ours.exit_reason == "end"),
        slipped=at_exit,
        ours_at_level=ours.exit_reason in _LEVELS or theirs.exit_kind is ExitKind.STOP_OUT,
    )
    return entry, leave


def _split_leg(leg: _Leg, spread: Decimal, bars: OurBars, prices: defaultdict[Cause, Decimal]) -> None:
    """Add the leg's price difference, as gain of theirs, to the causes."""
    asked = leg.fill if leg.level is None else leg.level
    prices[Cause.FILL] += leg.gain * (leg.fill - asked) + leg.slipped
    rest = asked - leg.ours
    if not rest:
        return
    outside = _outside(leg, asked, spread, bars)
    if bars.bar_of(leg.time) != bars.bar_of(leg.our_time):
        missed = outside is None or (outside != 0 and leg.level is not None)
        prices[Cause.DATA if missed else Cause.SIGNAL] += leg.gain * rest
        return
    if outside is None:
        prices[Cause.DATA] += leg.gain * rest
        return
    # only so much of the difference as leads out of the bar: ours may lie outside on the same side
    beyond = min(abs(outside), abs(rest)).copy_sign(outside) if outside * rest > 0 else Decimal(0)
    prices[Cause.DATA] += leg.gain * beyond
    prices[_within(leg, bars)] += leg.gain * (rest - beyond)


def _split_sent(
    leg: _Leg, spread: Decimal, bars: OurBars, sent: Sent, prices: defaultdict[Cause, Decimal]
) -> None:
    """The same of a live entry at market: what the price did until it was approved, and until it was sent."""
    prices[Cause.FILL] += leg.gain * (leg.fill - sent.asked) + leg.slipped
    rest = sent.asked - leg.ours
    if leg.on_ask and sent.spread is not None:
        wider = sent.spread - spread
        prices[Cause.SPREAD] += leg.gain * wider
        rest -= wider
    outside = _outside(leg, sent.asked, spread if sent.spread is None else sent.spread, bars)
    if outside:  # so much of the move is none that our data show
        beyond = min(abs(outside), abs(rest)).copy_sign(outside) if outside * rest > 0 else Decimal(0)
        prices[Cause.DATA] += leg.gain * beyond
        rest -= beyond
    if not sent.by_person:
        prices[Cause.LATENCY] += leg.gain * rest
        return
    late = Decimal(0) if sent.approved is None else sent.asked - sent.approved
    prices[Cause.LATENCY] += leg.gain * late
    prices[Cause.HUMAN_DELAY] += leg.gain * (rest - late)


def _moved_with_entry(entry: _Leg, leave: _Leg, sent: Sent, prices: defaultdict[Cause, Decimal]) -> _Leg:
    """Their exit, with what moved the entry taken out and given back to its causes.

    Stop and target keep their distance from the price that was asked, where both exits are at such a level.
    """
    moved = sent.asked - entry.ours
    if leave.level is None or not leave.ours_at_level or not moved:
        return leave
    apart = leave.level - leave.ours
    common = min(abs(apart), abs(moved)).copy_sign(moved) if apart * moved > 0 else Decimal(0)
    for cause in (Cause.SPREAD, Cause.DATA, Cause.LATENCY, Cause.HUMAN_DELAY):
        prices[cause] -= prices[cause] * common / moved
    return replace(leave, ours=leave.ours + common)


def _within(leg: _Leg, bars: OurBars) -> Cause:
    at_market = leg.level is None and not leg.ours_at_level
    if not at_market:
        return Cause.FILL
    if leg.on_ask:
        return Cause.SPREAD
    first = leg.time - bars.bar_of(leg.time) <= OPENING_SECONDS
    return Cause.DATA if first else Cause.FILL


def _outside(leg: _Leg, price: Decimal, spread: Decimal, bars: OurBars) -> Decimal | None:
    """How far a price of theirs lies outside our bar of that time, signed; None where we have no bar."""
    band = bars.band(leg.symbol, leg.time)
    if band is None:
        return None if bars.known(leg.symbol, leg.time) else Decimal(0)
    raised = spread if leg.on_ask else Decimal(0)
    return price - min(max(price, band.low + raised), band.high + raised)
