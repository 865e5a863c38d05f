"""When an order fills inside a bar, and at what price: the rules of fills, and nothing else.

Everything is in whole ticks. Both sides are one by mirroring: prices of a short are taken at the ask
and negated, so that up is always towards the target.
"""

from dataclasses import dataclass

from backend.backtest.model import Reading
from backend.strategies.model import OrderType
from backend.trading.reasons import Reason
from backend.trading.sides import Side
from tests.reference.prices import Prices


@dataclass(frozen=True, slots=True)
class Quotes:
    """One bar as a side sees it, mirrored for a short.

    Attributes:
        open: Price at which the position would close at the open (bid of a long, −ask of a short).
        worst: The same at the bar's worst.
        best: At the bar's best.
        close: At the close.
        spread: Ticks between bid and ask.
    """

    open: int
    worst: int
    best: int
    close: int
    spread: int


def quotes(prices: Prices, index: int, side: Side) -> Quotes:
    """The bar at `index` from the side of a position."""
    spread = int(prices.spread[index])
    if side is Side.BUY:
        return Quotes(
            int(prices.open[index]),
            int(prices.low[index]),
            int(prices.high[index]),
            int(prices.close[index]),
            spread,
        )
    return Quotes(
        -(int(prices.open[index]) + spread),
        -(int(prices.high[index]) + spread),
        -(int(prices.low[index]) + spread),
        -(int(prices.close[index]) + spread),
        spread,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a position ends, in mirrored ticks.

    Attributes:
        level: Price without gap and slippage.
        gap: Ticks lost because the open lay beyond the level.
        slippage: Ticks lost to slippage.
        reason: Why.
        ambiguous: Whether the bar leaves another reading open.
    """

    level: int
    gap: int = 0
    slippage: int = 0
    reason: Reason
    ambiguous: bool = False

    @property
    def fill(self) -> int:
        """Price of the deal."""
        return self.level - self.gap - self.slippage


def exit_at_open(bar: Quotes, *, stop: int, target: int, slippage: int) -> Exit | None:
    """Stop or target that the open already lies beyond.

    The stop is filled at the open, worse by slippage; the target at its own price, without improvement.
    """
    if bar.open <= stop:
        return Exit(level=stop, gap=stop - bar.open, slippage=slippage, reason=Reason.GAP_STOP)
    if bar.open >= target:
        return Exit(level=target, reason=Reason.TARGET)
    return None


def exit_in_bar(
    bar: Quotes, *, stop: int, target: int, slippage: int, stop_reason: Reason, reading: Reading
) -> Exit | None:
    """Stop or target reached after the open; both in one bar is ambiguous: the stop in the worst reading."""
    stopped, reached = bar.worst <= stop, bar.best >= target
    both = stopped and reached
    if stopped and not (both and reading is Reading.BEST):
        return Exit(level=stop, slippage=slippage, reason=stop_reason, ambiguous=both)
    if reached:
        return Exit(level=target, reason=Reason.TARGET, ambiguous=both)
    return None


def exit_after_entry_in_bar(
    bar: Quotes, *, stop: int, target: int, slippage: int, kind: OrderType, reading: Reading
) -> tuple[Exit | None, bool]:
    """Stop or target on the bar inside which the entry itself was filled, and whether that is ambiguous.

    The stop counts if it is possible, the target only if it is provable. After a limit the price that
    filled it was falling towards the stop, so a low at the stop came after the fill, and a target is
    proved by a close beyond it. After a stop entry the price was rising towards the target, so a high at
    the target came after the fill, and the stop is proved by a close beyond it.
    """
    can_stop, can_reach = bar.worst <= stop, bar.best >= target
    sure_stop = can_stop and (kind is OrderType.LIMIT or bar.close <= stop)
    sure_reach = can_reach and (kind is OrderType.STOP or bar.close >= target)
    if not can_stop and not can_reach:
        return None, False
    stopped = Exit(level=stop, slippage=slippage, reason=Reason.STOP)
    reached = Exit(level=target, reason=Reason.TARGET)
    if can_stop:
        ambiguous = not sure_stop or can_reach
        if reading is Reading.WORST or not ambiguous:
            return stopped, ambiguous
        if can_reach:
            return reached, True
        return None, True
    if sure_reach:
        return reached, False
    return (reached if reading is Reading.BEST else None), True


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a position begins, in mirrored ticks: a higher price is a worse one.

    Attributes:
        level: Price without gap and slippage.
        gap: Ticks paid more because the open lay beyond a stop order's price.
        slippage: Ticks paid more to slippage.
        at_open: Whether it was filled at the bar's open.
    """

    level: int
    gap: int = 0
    slippage: int = 0
    at_open: bool

    @property
    def fill(self) -> int:
        """Price of the deal."""
        return self.level + self.gap + self.slippage


def entry_fill(bar: Quotes, kind: OrderType, level: int, slippage: int) -> Entry | None:
    """The fill of a resting order on this bar, if there is one.

    Args:
        bar: The bar from the side of the position to be (its closing side); entries are a spread worse.
        kind: LIMIT or STOP.
        level: Its price, mirrored.
        slippage: Of a stop order; a limit has none.
    """
    opened, low, high = bar.open + bar.spread, bar.worst + bar.spread, bar.best + bar.spread
    if kind is OrderType.LIMIT:
        if opened <= level:
            return Entry(level=level, at_open=True)
        return Entry(level=level, at_open=False) if low <= level else None
    if opened >= level:
        return Entry(level=level, gap=opened - level, slippage=slippage, at_open=True)
    return Entry(level=level, slippage=slippage, at_open=False) if high >= level else None
