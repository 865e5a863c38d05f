"""One open position, its running result, and the closed trade that it becomes."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from backend.backtest.columns import COLUMNS
from backend.backtest.model import Job
from backend.core.instruments import Instrument
from backend.trading.conversion import Conversion
from backend.trading.profit import loss_per_lot, profit, to_cents
from backend.trading.reasons import REASONS, Reason
from backend.trading.sides import Side
from backend.trading.swap import nights, swap
from tests.reference.fills import Entry, Exit, Quotes

_EPOCH = date(1970, 1, 1)
_DAY = 86_400
NET = COLUMNS.index("net")


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """What ticks are worth for one symbol and account."""

    instrument: Instrument
    conversion: Conversion
    currency: str

    def price(self, side: Side, ticks: int) -> Decimal:
        """The real price of mirrored ticks."""
        return self.instrument.price(side.sign * ticks)

    def result(self, side: Side, lots: Decimal, opened: int, closed: int) -> Decimal:
        """Profit between two mirrored prices, not rounded."""
        return profit(
            self.instrument,
            side,
            lots,
            self.price(side, opened),
            self.price(side, closed),
            self.conversion,
        )

    def tick(self, side: Side, ticks: int) -> Decimal:
        """What one tick of one lot is worth at a mirrored price, not rounded."""
        return self.result(side, Decimal(1), ticks, ticks + 1)

    def cost(self, lots: Decimal, ticks: Decimal, price: Decimal) -> Decimal:
        """What losing so many ticks costs at a price, to the cent, at least zero."""
        lost = self.instrument.tick_size * ticks
        return -to_cents(profit(self.instrument, Side.BUY, lots, price + lost, price, self.conversion))


@dataclass(kw_only=True, slots=True)
class Position:
    """An open position; prices are mirrored ticks (see `tests.reference.fills`).

    Attributes:
        index: Bar on which it was opened.
        entry: Its fill.
        spread: Spread of that bar.
        stop: Where the stop stands now.
        stop_reason: What a touch of the stop is called now: stop, breakeven or trail.
        leave: Reason to close at the next open, once there is one.
        ambiguous: Whether some bar so far left another reading open.
        low: Worst price so far.
        high: Best price so far.
    """

    side: Side
    lots: Decimal
    index: int
    entry: Entry
    spread: int
    signal_time: int
    entry_time: int
    stop: int
    target: int
    first_stop: int
    commission: Decimal
    swap: Decimal = Decimal(0)
    stop_reason: Reason = Reason.STOP
    leave: Reason | None = None
    ambiguous: bool = False
    low: int
    high: int

    def seen(self, bar: Quotes, *, inside: bool) -> None:
        """Take a bar that the position outlived into its extremes; only the close if entered inside it."""
        self.low = min(self.low, bar.close if inside else bar.worst)
        self.high = max(self.high, bar.close if inside else bar.best)

    @property
    def risk_ticks(self) -> int:
        """Ticks from the fill to the first stop."""
        return self.entry.fill - self.first_stop

    def accrue(self, money: Money, before: int, until: int, price: int, *, trades_weekends: bool) -> None:
        """Book the swap of every server midnight after `before`, up to and including `until`.

        Args:
            money: What ticks are worth.
            before: Server epoch up to which it is booked.
            until: Server epoch reached now.
            price: Mirrored price at which the position could last be closed.
            trades_weekends: Whether weekend nights count.
        """
        for day in range(before // _DAY + 1, until // _DAY + 1):
            ending = _EPOCH + timedelta(days=day - 1)
            count = nights(money.instrument, ending, trades_weekends=trades_weekends)
            self.swap += to_cents(
                swap(
                    money.instrument,
                    self.side,
                    self.lots,
                    count,
                    price=money.price(self.side, price),
                    open_price=money.price(self.side, self.entry.fill),
                    conversion=money.conversion,
                    account_currency=money.currency,
                )
            )

    def floating(self, money: Money, price: int) -> Decimal:
        """Unrealised result at a mirrored price, with accrued swap."""
        return money.result(self.side, self.lots, self.entry.fill, price) + self.swap

    def closed(self, job: Job, money: Money, leave: Exit, *, spread: int, time: int, index: int) -> list[int]:
        """The trade that this position becomes, as a row of `COLUMNS`.

        The costs are rounded to the cent one by one and the gross result is what then closes the sum,
        so that the waterfall holds to the cent.
        """
        entry, side, lots = self.entry, self.side, self.lots
        exit_price = money.price(side, leave.fill)
        booked = to_cents(money.result(side, lots, entry.fill, leave.fill))
        spread_cost = money.cost(lots, Decimal(self.spread + spread) / 2, exit_price)
        slippage_cost = money.cost(lots, Decimal(entry.slippage + leave.slippage), exit_price)
        gap_cost = money.cost(lots, Decimal(entry.gap + leave.gap), exit_price)
        commission = self.commission + to_cents(job.streams[0].costs.commission_per_lot * lots)
        net = booked - commission + self.swap
        entry_price = money.price(side, entry.fill)
        first_stop = money.price(side, self.first_stop)
        risk = to_cents(
            lots * loss_per_lot(money.instrument, side, entry_price, first_stop, money.conversion)
        )
        low, high = min(self.low, leave.fill), max(self.high, leave.fill)
        amounts = {
            "gross": booked + spread_cost + slippage_cost + gap_cost,
            "spread_cost": spread_cost,
            "slippage_cost": slippage_cost,
            "gap_cost": gap_cost,
            "commission": commission,
            "swap": self.swap,
            "net": net,
            "risk": risk,
            "mae": min(to_cents(money.result(side, lots, entry.fill, low)), Decimal(0)),
            "mfe": max(to_cents(money.result(side, lots, entry.fill, high)), Decimal(0)),
        }
        cells = {
            "stream": 0,
            "side": side.sign,
            "steps": int(lots / money.instrument.volume_step),
            "signal_time": self.signal_time,
            "entry_time": self.entry_time,
            "entry_price": side.sign * entry.fill,
            "initial_stop": side.sign * self.first_stop,
            "initial_target": side.sign * self.target,
            "exit_time": time,
            "exit_price": side.sign * leave.fill,
            "reason": REASONS.index(leave.reason),
            "ambiguous": int(self.ambiguous or leave.ambiguous),
            "bars_held": index - self.index + 1,
            **{name: int(amount.scaleb(job.account.digits)) for name, amount in amounts.items()},
        }
        return [cells[name] for name in COLUMNS]
