"""Trades of backtesting.py on a case whose rules are ours: see `tests.benchmarks.bench_oracle_backtesting`.

``python -m tests.benchmarks.peers.backtesting_oracle DATA BARS WARM_UP``; prints one line of JSON.
"""

import json
import math
import sys
from pathlib import Path

import talib
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

from tests.benchmarks.peers import work
from tests.benchmarks.peers.backtesting_peer import frame_of


class Cross(Strategy):
    warm_up = 0

    def init(self) -> None:
        close = self.data.Close
        self.fast = self.I(talib.EMA, close, work.FAST)
        self.slow = self.I(talib.EMA, close, work.SLOW)
        self.rsi = self.I(talib.RSI, close, work.RSI)
        self.atr = self.I(talib.ATR, self.data.High, self.data.Low, close, work.ATR)

    def next(self) -> None:
        if len(self.data) < self.warm_up:
            return
        if self.position:
            if self.rsi[-1] > work.RSI_EXIT:
                self.position.close()
        elif work.RSI_LOW <= self.rsi[-1] <= work.RSI_HIGH and crossover(self.fast, self.slow):
            # whole points, away from the entry, which is the smallest spread of a point above the bid
            entry = round(self.data.Close[-1] / work.POINT) + 1
            stop = math.ceil(work.STOP_ATR * self.atr[-1] / work.POINT - 1e-6)
            target = entry + work.REWARD * stop
            self.buy(size=1000, sl=round((entry - stop) * work.POINT, 5), tp=round(target * work.POINT, 5))


def main() -> None:
    data, bars, warm_up = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    trades = (
        Backtest(
            frame_of(work.load(data, bars)),
            Cross,
            cash=work.CASH,
            spread=0.0,
            commission=0.0,
            margin=1.0,
            trade_on_close=False,
            hedging=False,
            exclusive_orders=False,
            finalize_trades=False,
        )
        .run(warm_up=warm_up)["_trades"]
        .sort_values("ExitBar")
    )
    names = ("EntryBar", "EntryPrice", "ExitBar", "ExitPrice", "SL", "TP")
    print(json.dumps({name: trades[name].tolist() for name in names}))


if __name__ == "__main__":
    main()
