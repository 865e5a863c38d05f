"""vectorbt by its documented calls, with its statistics, with its Rust kernels, and tuned by hand."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import talib
import vectorbt as vbt
from vectorbt.portfolio import nb
from vectorbt.portfolio.enums import StopEntryPrice

from tests.benchmarks.peers import work
from tests.benchmarks.peers.serving import Prepared, serve

FEES = work.COMMISSION_SHARE
SLIPPAGE = work.HALF_SPREAD_SHARE
RSI, ATR = vbt.talib("RSI"), vbt.talib("ATR")
"""Smoothed as Wilder did, as everywhere else here; vectorbt's own smooth otherwise."""


def frame_of(columns: work.Columns) -> pd.DataFrame:
    names = ("open", "high", "low", "close", "volume")
    index = pd.to_datetime(columns["time"], unit="s")  # with a time zone its checks take ten times the work
    return pd.DataFrame({name: columns[name] for name in names}, index=index)


def portfolio(frame: pd.DataFrame, engine: str) -> Any:
    vbt.settings["engine"] = engine
    close = frame["close"]
    fast = vbt.MA.run(close, work.FAST, ewm=True)
    slow = vbt.MA.run(close, work.SLOW, ewm=True)
    rsi = RSI.run(close, work.RSI).real
    atr = ATR.run(frame["high"], frame["low"], close, work.ATR).real
    entries = fast.ma_crossed_above(slow) & (rsi >= work.RSI_LOW) & (rsi <= work.RSI_HIGH)
    exits = rsi > work.RSI_EXIT
    stop = (work.STOP_ATR * atr / close).shift(1)
    return vbt.Portfolio.from_signals(
        close,
        entries.vbt.signals.fshift(1),
        exits.vbt.signals.fshift(1),
        price=frame["open"],
        open=frame["open"],
        high=frame["high"],
        low=frame["low"],
        sl_stop=stop,
        tp_stop=work.REWARD * stop,
        stop_entry_price="fillprice",
        size=work.UNITS,
        fees=FEES,
        slippage=SLIPPAGE,
        init_cash=work.CASH,
        freq="1min",
    )


def _told(made: Any) -> dict[str, float]:
    trades = made.trades.records
    return {"trades": len(trades), "end": float(made.value().iloc[-1])}


def plain(columns: work.Columns) -> Prepared:
    frame = frame_of(columns)
    return lambda: _told(portfolio(frame, "numba"))


def with_rust(columns: work.Columns) -> Prepared:
    frame = frame_of(columns)
    return lambda: _told(portfolio(frame, "auto"))


def with_statistics(columns: work.Columns) -> Prepared:
    frame = frame_of(columns)

    def run() -> Mapping[str, Any]:
        made = portfolio(frame, "numba")
        return _told(made) | {"metrics": len(made.stats())}

    return run


def by_hand(columns: work.Columns) -> Prepared:
    """TA-Lib on arrays and vectorbt's own compiled loops called directly, without pandas between them."""
    opens, highs, lows, closes = (columns[name] for name in ("open", "high", "low", "close"))

    def run() -> Mapping[str, Any]:
        fast, slow = talib.EMA(closes, work.FAST), talib.EMA(closes, work.SLOW)
        rsi, atr = talib.RSI(closes, work.RSI), talib.ATR(highs, lows, closes, work.ATR)
        entries = np.zeros(len(closes), dtype=np.bool_)
        above = fast > slow
        entries[2:] = above[1:-1] & ~above[:-2] & (rsi[1:-1] >= work.RSI_LOW) & (rsi[1:-1] <= work.RSI_HIGH)
        entries[: work.SLOW + 1] = False
        exits = np.zeros(len(closes), dtype=np.bool_)
        exits[1:] = rsi[:-1] > work.RSI_EXIT
        stop = np.empty(len(closes))
        stop[0] = np.nan
        np.divide(atr[:-1], closes[:-1], out=stop[1:])
        stop *= work.STOP_ATR
        nothing = np.zeros((1, 1), dtype=np.bool_)
        orders, _ = nb.simulate_from_signal_func_nb(
            (len(closes), 1),
            np.ones(1, dtype=np.int64),
            np.array([work.CASH]),
            np.zeros((len(closes), 1), dtype=np.int64),
            nb.dir_enex_signal_func_nb,
            (entries[:, None], exits[:, None], np.zeros((1, 1), dtype=np.int64)),
            size=np.array([[work.UNITS]]),
            price=opens[:, None],
            size_type=np.zeros((1, 1), dtype=np.int64),
            fees=np.array([[FEES]]),
            slippage=np.array([[SLIPPAGE]]),
            open=opens[:, None],
            high=highs[:, None],
            low=lows[:, None],
            close=closes[:, None],
            sl_stop=stop[:, None],
            sl_trail=nothing,
            tp_stop=(work.REWARD * stop)[:, None],
            stop_entry_price=np.full((1, 1), StopEntryPrice.FillPrice, dtype=np.int64),
            max_orders=len(closes) // 20,
        )
        trades = len(orders) // 2
        assets = np.zeros(len(closes))
        paid = np.zeros(len(closes))
        signed = np.where(orders["side"] == 0, orders["size"], -orders["size"])
        np.add.at(assets, orders["idx"], signed)
        np.add.at(paid, orders["idx"], signed * orders["price"] + orders["fees"])
        equity = work.CASH - np.cumsum(paid) + np.cumsum(assets) * closes
        return {"trades": trades, "end": float(equity[-1])}

    return run


if __name__ == "__main__":
    serve(
        ("vectorbt", "vectorbt-rust", "numba", "numpy", "pandas"),
        {
            "documented": plain,
            "with its Rust kernels": with_rust,
            "with stats": with_statistics,
            "tuned by hand": by_hand,
        },
    )
