"""What the account is worth: floating profit, equity, margin."""

from collections.abc import Mapping
from decimal import Decimal

from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Book, Position
from backend.simulator.prices import Prices
from backend.trading.margin import hedged_share, margin, netted_margin
from backend.trading.profit import profit, to_cents
from backend.trading.sides import Side

Legs = dict[str, dict[Side, tuple[Decimal, Decimal]]]
"""Lots and margin of each side by symbol."""

_NOTHING = (Decimal(0), Decimal(0))


class Valuation:
    """Values a book at the present prices. Money is in account currency.

    Args:
        book: What there is.
        account: The account's terms.
        prices: The present prices.
    """

    def __init__(self, book: Book, account: SimulatedAccount, prices: Prices) -> None:
        self._book = book
        self._account = account
        self._prices = prices

    def result(self, position: Position, lots: Decimal, price: Decimal) -> Decimal:
        """Profit of closing so many lots at a price, to the cent, without swap."""
        spec = self._prices.specs[position.symbol]
        how = self._prices.conversion(position.symbol)
        earned = profit(spec.instrument, position.side, lots, position.price, price, how)
        return to_cents(earned, self._account.digits)

    def closing_price(self, position: Position) -> Decimal:
        """What the position could be closed at now."""
        quote = self._prices.quote(position.symbol)
        return position.price if quote is None else quote.closing(position.side)

    def floating(self, position: Position) -> Decimal:
        """Profit of the position if it were closed now, without swap."""
        return self.result(position, position.lots, self.closing_price(position))

    def profit(self) -> Decimal:
        """Floating profit of all positions, with swap."""
        return sum((self.floating(one) + one.swap for one in self._book.positions.values()), Decimal(0))

    def equity(self) -> Decimal:
        """Balance and floating profit."""
        return self._book.balance + self.profit()

    def alone(self, symbol: str, lots: Decimal, price: Decimal) -> Decimal:
        """Margin of a volume at a price by itself, not rounded."""
        account = self._account
        instrument = self._prices.specs[symbol].instrument
        return margin(instrument, lots, price, account.leverage, account.currency, self._prices.rates)

    def margin(self) -> Decimal:
        """Margin in use, not rounded."""
        return self._margin_of(self._legs())

    def margin_with(self, symbol: str, side: Side, lots: Decimal, price: Decimal) -> Decimal:
        """Margin in use after a deal, not rounded."""
        legs = self._legs()
        mine = legs.setdefault(symbol, {})
        own, opposite = mine.get(side, _NOTHING), mine.get(side.opposite, _NOTHING)
        if not self._account.hedging and opposite[0]:
            closed = min(lots, opposite[0])
            mine[side.opposite] = (opposite[0] - closed, opposite[1] * (opposite[0] - closed) / opposite[0])
            lots -= closed
        mine[side] = (own[0] + lots, own[1] + self.alone(symbol, lots, price))
        return self._margin_of(legs)

    def margin_without(self, lots: Mapping[int, Decimal]) -> Decimal:
        """Margin in use after so many lots of some positions, by ticket, were closed; not rounded."""
        return self._margin_of(self._legs(lots))

    def _legs(self, closed: Mapping[int, Decimal] | None = None) -> Legs:
        legs: Legs = {}
        for one in self._book.positions.values():
            left = one.lots - (closed or {}).get(one.ticket, Decimal(0))
            mine = legs.setdefault(one.symbol, {})
            lots, taken = mine.get(one.side, _NOTHING)
            mine[one.side] = (lots + left, taken + one.margin * left / one.lots)
        return legs

    def _margin_of(self, legs: Legs) -> Decimal:
        total = sum((order.margin for order in self._book.orders.values()), Decimal(0))
        for symbol, mine in legs.items():
            share = hedged_share(self._prices.specs[symbol].instrument)
            longs, shorts = mine.get(Side.BUY, _NOTHING), mine.get(Side.SELL, _NOTHING)
            total += netted_margin(*longs, *shorts, share)
        return total

    def below_stop_out(self) -> bool:
        """Whether the margin level is at the broker's stop-out or below."""
        taken = self.margin()
        return taken > 0 and self.equity() * 100 <= self._account.stop_out * taken
