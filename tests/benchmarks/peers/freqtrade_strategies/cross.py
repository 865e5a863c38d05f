"""The work as a freqtrade strategy: stop and target are callbacks, as its documentation has it."""

from datetime import datetime
from typing import Any, ClassVar

import pandas as pd
import talib
from freqtrade.persistence import Order, Trade
from freqtrade.strategy import IStrategy, stoploss_from_absolute

from tests.benchmarks.peers import work


class Cross(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    stoploss = -0.99
    minimal_roi: ClassVar[dict[str, float]] = {}
    use_custom_stoploss = True
    use_custom_roi = True
    use_exit_signal = True
    startup_candle_count = work.SLOW
    levels: tuple[float, float] | None = None
    """Stop, and gain at the target, of the open trade."""

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        close = dataframe["close"]
        dataframe["fast"] = talib.EMA(close, work.FAST)
        dataframe["slow"] = talib.EMA(close, work.SLOW)
        dataframe["rsi"] = talib.RSI(close, work.RSI)
        dataframe["distance"] = work.STOP_ATR * talib.ATR(
            dataframe["high"], dataframe["low"], close, work.ATR
        )
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        above = dataframe["fast"] > dataframe["slow"]
        wanted = above & ~above.shift(1, fill_value=True)
        wanted &= dataframe["rsi"].between(work.RSI_LOW, work.RSI_HIGH)
        dataframe.loc[wanted, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        dataframe.loc[dataframe["rsi"] > work.RSI_EXIT, "exit_long"] = 1
        return dataframe

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        if order.ft_order_side != trade.entry_side:
            return
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        signal = frame.iloc[-1]
        target = signal["close"] + work.REWARD * signal["distance"]
        self.levels = float(signal["close"] - signal["distance"]), float(target / trade.open_rate - 1)

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs: Any,
    ) -> float | None:
        return None if self.levels is None else stoploss_from_absolute(self.levels[0], current_rate)

    def custom_roi(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        trade_duration: int,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float | None:
        return None if self.levels is None else self.levels[1]
