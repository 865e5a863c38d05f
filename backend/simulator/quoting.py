"""Symbols, prices, profit and margin as the simulated broker states them."""

from decimal import Decimal
from typing import Any

import numpy as np

from backend.core.errors import Unavailable
from backend.core.instruments import Instrument
from backend.core.timeframes import Timeframe, open_of
from backend.mt5 import constants as mt5
from backend.mt5.api import CallFailed
from backend.mt5.structures import SymbolInfo, Tick
from backend.simulator.ports import Market
from backend.simulator.symbols import SymbolSpec
from backend.trading.conversion import Conversion, Rates, conversion
from backend.trading.margin import margin
from backend.trading.profit import profit, tick_value, to_cents
from backend.trading.sides import Side

_EXPIRATION = (
    mt5.SYMBOL_EXPIRATION_GTC
    | mt5.SYMBOL_EXPIRATION_DAY
    | mt5.SYMBOL_EXPIRATION_SPECIFIED
    | mt5.SYMBOL_EXPIRATION_SPECIFIED_DAY
)
_ORDERS = 127  # market, limit, stop, stop limit, stop loss, take profit, close by
FILLINGS = mt5.SYMBOL_FILLING_FOK | mt5.SYMBOL_FILLING_IOC


def last_tick(market: Market, spec: SymbolSpec, at_ms: int) -> Tick | None:
    """The latest tick; None before the first."""
    rows = market.quote(spec.name, at_ms)
    if not len(rows):
        return None
    row = rows[-1]
    return Tick(
        time=int(row["time"]),
        bid=float(row["bid"]),
        ask=float(row["ask"]),
        last=0.0,
        volume=0,
        time_msc=int(row["time_msc"]),
        flags=int(row["flags"]),
        volume_real=0.0,
    )


def instrument_of(spec: SymbolSpec) -> Instrument:
    """The specification in the desk's vocabulary; its tick values are those of a price of 1."""
    point = Decimal(1).scaleb(-spec.digits)
    contract = Decimal(str(spec.contract))
    return Instrument(
        symbol=spec.name,
        broker_symbol=spec.name,
        description=spec.description,
        digits=spec.digits,
        point=point,
        tick_size=point,
        tick_value=point * contract,
        tick_value_loss=point * contract,
        contract_size=contract,
        volume_min=Decimal(str(spec.volume_min)),
        volume_step=Decimal(str(spec.volume_min)),
        volume_max=Decimal(str(spec.volume_max)),
        currency_base=spec.base,
        currency_profit=spec.profit,
        currency_margin=spec.margin,
        calc_mode=spec.calc_mode,
    )


def rates_now(market: Market, at_ms: int) -> Rates:
    """Quotes of every currency pair."""
    quotes = {}
    for spec in market.symbols():
        if spec.calc_mode == mt5.SYMBOL_CALC_MODE_FOREX:
            tick = last_tick(market, spec, at_ms)
            if tick is not None:
                quotes[spec.base, spec.profit] = (Decimal(str(tick.bid)), Decimal(str(tick.ask)))
    return Rates(quotes=quotes)


def _needs_rates(spec: SymbolSpec, currency: str) -> bool:
    return currency not in {spec.base, spec.profit}


def _conversion(market: Market, spec: SymbolSpec, currency: str, at_ms: int) -> Conversion:
    rates = rates_now(market, at_ms) if _needs_rates(spec, currency) else None
    return conversion(instrument_of(spec), currency, rates)


def profit_of(
    market: Market,
    spec: SymbolSpec,
    side: Side,
    lots: float,
    prices: tuple[float, float],
    currency: str,
    at_ms: int,
) -> float:
    """Profit from an opening to a closing price in account currency, to the cent."""
    opened, closed = (Decimal(str(price)) for price in prices)
    try:
        how = _conversion(market, spec, currency, at_ms)
    except Unavailable as missing:
        raise CallFailed(mt5.RES_E_FAIL, f"Terminal: Call failed, {missing.message}") from None
    return float(to_cents(profit(instrument_of(spec), side, Decimal(str(lots)), opened, closed, how)))


def margin_of(
    market: Market, spec: SymbolSpec, lots: float, price: float, leverage: int, currency: str, at_ms: int
) -> float:
    """Margin in account currency, to the cent."""
    rates = rates_now(market, at_ms) if _needs_rates(spec, currency) else None
    try:
        amount = margin(
            instrument_of(spec), Decimal(str(lots)), Decimal(str(price)), leverage, currency, rates
        )
    except Unavailable as missing:
        raise CallFailed(mt5.RES_E_FAIL, f"Terminal: Call failed, {missing.message}") from None
    return float(to_cents(amount))


def _tick_values(
    market: Market, spec: SymbolSpec, tick: Tick, currency: str, at_ms: int
) -> tuple[float, float]:
    """Account currency per tick and lot, gaining and losing; zeros where nothing converts."""
    try:
        how = _conversion(market, spec, currency, at_ms)
    except Unavailable:
        return 0.0, 0.0
    instrument = instrument_of(spec)
    gain = tick_value(instrument, Decimal(str(tick.ask)), how)
    loss = -how.convert(-instrument.tick_size * instrument.contract_size, Decimal(str(tick.bid)))
    return float(gain), float(loss)


_ZERO: dict[str, Any] = {
    name: "" if kind is str else kind(0) for name, kind in SymbolInfo.__annotations__.items()
}


def symbol_info(market: Market, spec: SymbolSpec, currency: str, at_ms: int, *, selected: bool) -> SymbolInfo:
    """All 96 fields; prices are zero before the first tick."""
    values = _ZERO | {
        "select": selected,
        "visible": selected,
        "digits": spec.digits,
        "spread_float": True,
        "trade_calc_mode": spec.calc_mode,
        "trade_mode": mt5.SYMBOL_TRADE_MODE_FULL,
        "trade_exemode": mt5.SYMBOL_TRADE_EXECUTION_MARKET,
        "swap_mode": mt5.SYMBOL_SWAP_MODE_POINTS,
        "swap_rollover3days": spec.triple_day,
        "swap_long": spec.swap_long,
        "swap_short": spec.swap_short,
        "expiration_mode": _EXPIRATION,
        "filling_mode": FILLINGS,
        "order_mode": _ORDERS,
        "order_gtc_mode": mt5.SYMBOL_ORDERS_GTC,
        "point": spec.point,
        "trade_tick_size": spec.point,
        "trade_contract_size": spec.contract,
        "volume_min": spec.volume_min,
        "volume_max": spec.volume_max,
        "volume_step": spec.volume_min,
        "margin_hedged": spec.contract,
        "currency_base": spec.base,
        "currency_profit": spec.profit,
        "currency_margin": spec.margin,
        "description": spec.description,
        "name": spec.name,
        "path": f"{spec.path}\\{spec.name}",
    }
    tick = last_tick(market, spec, at_ms)
    return SymbolInfo(**(values | (_prices(market, spec, tick, currency, at_ms) if tick else {})))


def _prices(market: Market, spec: SymbolSpec, tick: Tick, currency: str, at_ms: int) -> dict[str, Any]:
    gain, loss = _tick_values(market, spec, tick, currency, at_ms)
    values: dict[str, Any] = {
        "time": tick.time,
        "bid": tick.bid,
        "ask": tick.ask,
        "spread": round((tick.ask - tick.bid) / spec.point),
        "trade_tick_value": gain,
        "trade_tick_value_profit": gain,
        "trade_tick_value_loss": loss,
    }
    today = int(open_of(Timeframe.D1, tick.time))
    days = market.rates(spec.name, Timeframe.D1, today, tick.time, at_ms)
    if len(days):
        wide = float(days.spread[-1]) * spec.point
        high, low = float(days.high[-1]), float(days.low[-1])
        values |= {
            "bidhigh": max(high, tick.bid),
            "bidlow": min(low, tick.bid),
            "askhigh": max(round(high + wide, spec.digits), tick.ask),
            "asklow": min(round(low + wide, spec.digits), tick.ask),
            "session_open": float(days.open[-1]),
            "session_close": float(days.close[-1]),
            "price_change": float(np.round((tick.bid / days.open[-1] - 1) * 100, 4)),
        }
    return values
