"""backtrader by its documented calls."""

import backtrader as bt
import pandas as pd

from tests.benchmarks.peers import work
from tests.benchmarks.peers.serving import Prepared, serve


class Cross(bt.Strategy):
    def __init__(self) -> None:
        fast, slow = bt.ind.EMA(period=work.FAST), bt.ind.EMA(period=work.SLOW)
        self.crossed = bt.ind.CrossUp(fast, slow)
        self.rsi = bt.ind.RSI(period=work.RSI, safediv=True)
        self.atr = bt.ind.ATR(period=work.ATR)
        self.orders: list[bt.Order] = []

    def next(self) -> None:
        rsi = self.rsi[0]
        if self.position:
            if rsi > work.RSI_EXIT:
                for order in self.orders[1:]:
                    self.cancel(order)
                self.close()
        elif self.crossed[0] and work.RSI_LOW <= rsi <= work.RSI_HIGH:
            close, distance = self.data.close[0], work.STOP_ATR * self.atr[0]
            self.orders = self.buy_bracket(
                size=work.UNITS,
                exectype=bt.Order.Market,
                stopprice=close - distance,
                limitprice=close + work.REWARD * distance,
            )


def documented(columns: work.Columns) -> Prepared:
    frame = pd.DataFrame(
        {name: columns[name] for name in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(columns["time"], unit="s"),
    )

    def run() -> dict[str, float]:
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.addstrategy(Cross)
        cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
        cerebro.broker.setcash(work.CASH)
        cerebro.broker.setcommission(commission=work.COMMISSION_SHARE)
        cerebro.broker.set_slippage_perc(work.HALF_SPREAD_SHARE)
        (done,) = cerebro.run()
        return {
            "trades": done.analyzers.trades.get_analysis()["total"]["total"],
            "end": cerebro.broker.getvalue(),
        }

    return run


if __name__ == "__main__":
    serve(("backtrader", "pandas"), {"documented": documented})
