"""Jesse by its documented `research.backtest`, on one-minute candles; spread goes into the fee."""

import jesse.indicators as ta
import numpy as np
from jesse.research import backtest
from jesse.strategies import Strategy

from tests.benchmarks.peers import work
from tests.benchmarks.peers.serving import Prepared, serve

EXCHANGE, PAIR = "Binance Perpetual Futures", "EUR-USDT"
WARM_UP = 240
"""Its default, and as many candles as its indicators then look at."""
CONFIG = {
    "starting_balance": work.CASH,
    "fee": work.COMMISSION_SHARE + work.HALF_SPREAD_SHARE,
    "type": "futures",
    "futures_leverage": 10,
    "futures_leverage_mode": "cross",
    "exchange": EXCHANGE,
    "warm_up_candles": WARM_UP,
}


class Cross(Strategy):
    was_above = True
    crossed = False

    def before(self) -> None:
        above = bool(ta.ema(self.candles, work.FAST) > ta.ema(self.candles, work.SLOW))
        self.crossed, self.was_above = above and not self.was_above, above

    def should_long(self) -> bool:
        return self.crossed and work.RSI_LOW <= ta.rsi(self.candles, work.RSI) <= work.RSI_HIGH

    def go_long(self) -> None:
        distance = work.STOP_ATR * ta.atr(self.candles, work.ATR)
        self.buy = work.UNITS, self.price
        self.stop_loss = work.UNITS, self.price - distance
        self.take_profit = work.UNITS, self.price + work.REWARD * distance

    def update_position(self) -> None:
        if ta.rsi(self.candles, work.RSI) > work.RSI_EXIT:
            self.liquidate()

    def should_cancel_entry(self) -> bool:
        return True


def documented(columns: work.Columns) -> Prepared:
    moved = work.without_gaps(columns)
    rows = [moved["time"] * 1000.0, *(moved[name] for name in ("open", "close", "high", "low", "volume"))]
    table = np.column_stack(rows).astype(np.float64)

    def of(part: slice) -> dict[str, dict[str, object]]:
        return {f"{EXCHANGE}-{PAIR}": {"exchange": EXCHANGE, "symbol": PAIR, "candles": table[part]}}

    warm, candles = of(slice(0, WARM_UP)), of(slice(WARM_UP, None))
    routes = [{"exchange": EXCHANGE, "strategy": Cross, "symbol": PAIR, "timeframe": "1m"}]

    def run() -> dict[str, float]:
        told = backtest(CONFIG, routes, [], candles, warm, generate_equity_curve=True, fast_mode=True)
        metrics = told["metrics"]
        return {"trades": metrics["total"], "end": metrics.get("finishing_balance", work.CASH)}

    return run


if __name__ == "__main__":
    serve(("jesse", "jesse-rust", "numpy"), {"documented": documented})
