"""backtesting.py (AGPL: run beside ours, never a part of it) by its documented calls."""

import pandas as pd
import talib
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

from tests.benchmarks.peers import work
from tests.benchmarks.peers.serving import Prepared, serve


class Cross(Strategy):
    def init(self) -> None:
        close = self.data.Close
        self.fast = self.I(talib.EMA, close, work.FAST)
        self.slow = self.I(talib.EMA, close, work.SLOW)
        self.rsi = self.I(talib.RSI, close, work.RSI)
        self.atr = self.I(talib.ATR, self.data.High, self.data.Low, close, work.ATR)

    def next(self) -> None:
        rsi = self.rsi[-1]
        if self.position:
            if rsi > work.RSI_EXIT:
                self.position.close()
        elif work.RSI_LOW <= rsi <= work.RSI_HIGH and crossover(self.fast, self.slow):
            close, distance = self.data.Close[-1], work.STOP_ATR * self.atr[-1]
            self.buy(size=work.UNITS, sl=close - distance, tp=close + work.REWARD * distance)


def frame_of(columns: work.Columns) -> pd.DataFrame:
    return pd.DataFrame(
        {name.capitalize(): columns[name] for name in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(columns["time"], unit="s"),
    )


def documented(columns: work.Columns) -> Prepared:
    frame = frame_of(columns)

    def run() -> dict[str, float]:
        stats = Backtest(
            frame,
            Cross,
            cash=work.CASH,
            spread=2 * work.HALF_SPREAD_SHARE,
            commission=work.COMMISSION_SHARE,
            finalize_trades=True,
        ).run()
        return {"trades": len(stats["_trades"]), "end": float(stats["_equity_curve"]["Equity"].iloc[-1])}

    return run


if __name__ == "__main__":
    serve(("backtesting", "numpy", "pandas"), {"documented": documented})
