"""From the currency in which profit arises to the account's: one rule for every user of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeVar

from backend.core.errors import Unavailable
from backend.core.instruments import Instrument

Price = Literal["bid", "ask", "mid"]
Number = TypeVar("Number", float, Decimal)
_BRIDGE = "USD"  # every broker quotes majors against it, so two hops reach any currency


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Quotes of currency pairs at one instant.

    Attributes:
        quotes: (base, profit currency) → (bid, ask).
    """

    quotes: Mapping[tuple[str, str], tuple[Decimal, Decimal]] = field(default_factory=dict)

    def rate(self, currency: str, into: str, price: Price = "mid") -> Decimal:
        """Units of `into` for one unit of `currency`.

        Args:
            currency: What one has; with ``bid`` it is sold, with ``ask`` it is bought back.
            into: What it is counted in.
            price: ``bid`` for gains, ``ask`` for losses, ``mid`` for exposure.

        Raises:
            Unavailable: If no quoted pair, nor two of them through the US dollar, joins the two.
        """
        direct = self._pair(currency, into, price)
        if direct is not None:
            return direct
        first, second = self._pair(currency, _BRIDGE, price), self._pair(_BRIDGE, into, price)
        if first is not None and second is not None:
            return first * second
        raise Unavailable(
            "no_rate", f"no quote converts {currency} into {into}", currency=currency, into=into
        )

    def _pair(self, currency: str, into: str, price: Price) -> Decimal | None:
        if currency == into:
            return Decimal(1)
        if (currency, into) in self.quotes:
            return _at(self.quotes[currency, into], price)
        if (into, currency) in self.quotes:
            # Selling `currency` is buying `into`: the other side of the inverse pair.
            other: Price = "ask" if price == "bid" else "bid" if price == "ask" else "mid"
            return 1 / _at(self.quotes[into, currency], other)
        return None


def _at(quote: tuple[Decimal, Decimal], price: Price) -> Decimal:
    bid, ask = quote
    return bid if price == "bid" else ask if price == "ask" else (bid + ask) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """How the profit of one symbol becomes account currency.

    Attributes:
        by_close: The symbol itself converts (its base is the account's currency, as USDJPY for
            a USD account): profit is divided by the closing price.
        gain: Otherwise account currency for one unit of profit currency, for gains.
        loss: The same for losses, a little dearer.
    """

    by_close: bool = False
    gain: Decimal = Decimal(1)
    loss: Decimal = Decimal(1)

    def convert(self, amount: Decimal, close_price: Decimal) -> Decimal:
        """An amount of profit currency in account currency, not rounded."""
        return converted(amount, close_price, self.by_close, self.gain, self.loss)


def converted(
    amount: Number,
    close_price: Number,
    by_close: bool,  # noqa: FBT001 - compiled functions take no keywords
    gain: Number,
    loss: Number,
) -> Number:
    """The rule of `Conversion`, for exact numbers and for the backtest's kernel, which compiles it."""
    if by_close:
        return amount / close_price
    return amount * (gain if amount >= 0 else loss)


def conversion(instrument: Instrument, account_currency: str, rates: Rates | None = None) -> Conversion:
    """The conversion for a symbol.

    Same currency: 1. Base equal to the account's currency: by the closing price. Else by `rates`;
    without rates by what the broker states as the value of a tick, on its gaining and losing side.

    Raises:
        Unavailable: If rates are given and none converts.
    """
    if instrument.currency_profit == account_currency:
        return Conversion()
    if instrument.currency_base == account_currency:
        return Conversion(by_close=True)
    if rates is not None:
        return Conversion(
            gain=rates.rate(instrument.currency_profit, account_currency, "bid"),
            loss=rates.rate(instrument.currency_profit, account_currency, "ask"),
        )
    per_tick = instrument.tick_size * instrument.contract_size
    return Conversion(
        gain=instrument.tick_value / per_tick,
        loss=(instrument.tick_value_loss or instrument.tick_value) / per_tick,
    )
