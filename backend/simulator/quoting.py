"""Symbols and prices as the simulated broker states them."""

from decimal import Decimal
from typing import Any

import numpy as np

from backend.core.errors import Unavailable
from backend.core.timeframes import Timeframe, open_of
from backend.mt5 import constants as mt5
from backend.mt5.structures import SymbolInfo, Tick
from backend.simulator.ports import Market
from backend.simulator.prices import Prices
from backend.simulator.symbols import SymbolSpec
from backend.trading.profit import tick_value


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


def _tick_values(spec: SymbolSpec, tick: Tick, prices: Prices) -> tuple[float, float]:
    """Account currency per tick and lot, gaining and losing; zeros where nothing converts."""
    try:
        how = prices.conversion(spec.name)
    except Unavailable:
        return 0.0, 0.0
    instrument = spec.instrument
    gain = tick_value(instrument, Decimal(str(tick.ask)), how)
    loss = -how.convert(-instrument.tick_size * instrument.contract_size, Decimal(str(tick.bid)))
    return float(gain), float(loss)


_ZERO: dict[str, Any] = {
    name: "" if kind is str else kind(0) for name, kind in SymbolInfo.__annotations__.items()
}


def symbol_info(
    market: Market, spec: SymbolSpec, prices: Prices, at_ms: int, *, selected: bool
) -> SymbolInfo:
    """All 96 fields; prices are zero before the first tick. `prices` are those of the instant."""
    values = _ZERO | {
        "select": selected,
        "visible": selected,
        "digits": spec.digits,
        "spread_float": True,
        "trade_calc_mode": spec.calc_mode,
        "trade_mode": spec.trade_mode,
        "trade_exemode": spec.execution,
        "swap_mode": spec.swap_mode,
        "swap_rollover3days": spec.triple_day,
        "swap_long": spec.swap_long,
        "swap_short": spec.swap_short,
        "expiration_mode": spec.expirations,
        "filling_mode": spec.fillings,
        "order_mode": spec.orders,
        "order_gtc_mode": mt5.SYMBOL_ORDERS_GTC,
        "point": spec.point,
        "trade_tick_size": spec.point,
        "trade_contract_size": spec.contract,
        "volume_min": spec.volume_min,
        "volume_max": spec.volume_max,
        "volume_step": spec.volume_min,
        "volume_limit": spec.volume_limit,
        "trade_stops_level": spec.stops_level,
        "trade_freeze_level": spec.freeze_level,
        "margin_hedged": spec.contract if spec.margin_hedged is None else spec.margin_hedged,
        "currency_base": spec.base,
        "currency_profit": spec.profit,
        "currency_margin": spec.margin,
        "description": spec.description,
        "name": spec.name,
        "path": f"{spec.path}\\{spec.name}",
    }
    tick = last_tick(market, spec, at_ms)
    return SymbolInfo(**(values | (_prices(market, spec, tick, prices, at_ms) if tick else {})))


def _prices(market: Market, spec: SymbolSpec, tick: Tick, prices: Prices, at_ms: int) -> dict[str, Any]:
    gain, loss = _tick_values(spec, tick, prices)
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
