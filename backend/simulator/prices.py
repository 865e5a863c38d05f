"""Quotes at one instant, and what they make of other currencies."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from backend.mt5 import constants as mt5
from backend.mt5.mapping import exact
from backend.simulator.ports import Market
from backend.simulator.symbols import SymbolSpec
from backend.trading.conversion import Conversion, Rates, conversion
from backend.trading.sides import Side


class Quote(NamedTuple):
    """Both prices."""

    bid: Decimal
    ask: Decimal

    def opening(self, side: Side) -> Decimal:
        """What a side is dealt at when it opens: buys at the ask."""
        return self.ask if side is Side.BUY else self.bid

    def closing(self, side: Side) -> Decimal:
        """What a position of that side is closed at: longs at the bid."""
        return self.bid if side is Side.BUY else self.ask


class Prices:
    """The last quote of each symbol, as somebody sets them.

    Args:
        specs: Every symbol by name.
        currency: Of the account.
    """

    def __init__(self, specs: Mapping[str, SymbolSpec], currency: str) -> None:
        self.specs = specs
        self._currency = currency
        self._quotes: dict[str, Quote | None] = {}
        self._rates = Rates(quotes=_Pairs(self))
        self._conversions: dict[str, Conversion] = {
            name: conversion(spec.instrument, currency)
            for name, spec in specs.items()
            if currency in {spec.base, spec.profit}
        }

    def set(self, symbol: str, quote: Quote) -> None:
        """A symbol's price has moved."""
        self._quotes[symbol] = quote

    def move_to(self, at_ms: int) -> None:
        """Time has gone on."""

    def quote(self, symbol: str) -> Quote | None:
        """Its last quote; None before the first."""
        return self._quotes.get(symbol)

    def is_open(self, symbol: str) -> bool:
        """Whether it trades now."""
        return self.quote(symbol) is not None

    @property
    def rates(self) -> Rates:
        """Every currency pair's quote, looked up when it is needed."""
        return self._rates

    def conversion(self, symbol: str) -> Conversion:
        """From the symbol's profit currency to the account's.

        Raises:
            Unavailable: No quote converts.
        """
        fixed = self._conversions.get(symbol)
        if fixed is not None:
            return fixed
        return conversion(self.specs[symbol].instrument, self._currency, self._rates)


class MarketPrices(Prices):
    """Quotes of a market at the instant that `move_to` named last.

    Args:
        market: Where they come from.
        specs: Every symbol by name.
        currency: Of the account.
    """

    def __init__(self, market: Market, specs: Mapping[str, SymbolSpec], currency: str) -> None:
        super().__init__(specs, currency)
        self._market = market
        self._at_ms = 0

    def move_to(self, at_ms: int) -> None:
        """Go to another instant."""
        if at_ms != self._at_ms:
            self._at_ms = at_ms
            self._quotes.clear()

    def quote(self, symbol: str) -> Quote | None:
        """Its last quote at that instant."""
        if symbol not in self._quotes:
            rows = self._market.quote(symbol, self._at_ms)
            self._quotes[symbol] = (
                Quote(exact(rows["bid"][-1]), exact(rows["ask"][-1])) if len(rows) else None
            )
        return self._quotes[symbol]

    def is_open(self, symbol: str) -> bool:
        """Whether the market has it open then."""
        return self._market.is_open(symbol, self._at_ms)


class _Pairs(Mapping[tuple[str, str], tuple[Decimal, Decimal]]):
    """Quotes of the currency pairs by base and profit currency."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._names = {
            (spec.base, spec.profit): name
            for name, spec in prices.specs.items()
            if spec.calc_mode == mt5.SYMBOL_CALC_MODE_FOREX
        }

    def __getitem__(self, pair: tuple[str, str]) -> tuple[Decimal, Decimal]:
        quote = self._prices.quote(self._names[pair])
        if quote is None:
            raise KeyError(pair)
        return quote

    def __contains__(self, pair: object) -> bool:
        return pair in self._names and self._prices.quote(self._names[pair]) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
