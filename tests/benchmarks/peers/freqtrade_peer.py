"""freqtrade's backtest of one strategy on a frame, with a market told to it instead of asked of an exchange.

Stop and target are callbacks, as its documentation has it; spread goes into the fee.
"""

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting

from tests.benchmarks.peers import work
from tests.benchmarks.peers.serving import Prepared, serve

PAIR = "EUR/USDT"
MARKET = {
    "id": "EURUSDT",
    "symbol": PAIR,
    "base": "EUR",
    "quote": "USDT",
    "active": True,
    "spot": True,
    "type": "spot",
    "precision": {"price": 1e-5, "amount": 1.0},
    "limits": {"amount": {"min": 1, "max": None}, "cost": {"min": None, "max": None}},
    "contractSize": None,
}


def configuration(folder: Path) -> dict[str, Any]:
    return {
        "runmode": RunMode.BACKTEST,
        "strategy": "Cross",
        "strategy_path": str(Path(__file__).parent / "freqtrade_strategies"),
        "timeframe": "1m",
        "stake_currency": "USDT",
        "stake_amount": work.UNITS * work.PRICE,
        "dry_run": True,
        "dry_run_wallet": work.CASH,
        "tradable_balance_ratio": 0.99,
        "max_open_trades": 1,
        "fee": work.COMMISSION_SHARE + work.HALF_SPREAD_SHARE,
        "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "same"},
        "exit_pricing": {"price_side": "same"},
        "trading_mode": "spot",
        "margin_mode": "",
        "candle_type_def": CandleType.SPOT,
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "user_data_dir": folder,
        "datadir": folder,
        "export": "none",
        "internals": {},
    }


def documented(columns: work.Columns) -> Prepared:
    moved = work.without_gaps(columns)
    frame = pd.DataFrame({name: moved[name] for name in ("open", "high", "low", "close", "volume")})
    frame.insert(0, "date", pd.to_datetime(moved["time"], unit="s", utc=True))
    frame["volume"] = frame["volume"].astype(float)
    config = configuration(Path(tempfile.gettempdir()))
    exchange = Exchange(config, validate=False)
    exchange._markets = {PAIR: MARKET}
    backtesting = Backtesting(config, exchange)
    (strategy,) = backtesting.strategylist

    def run() -> dict[str, float]:
        backtesting.backtest_one_strategy(strategy, {PAIR: frame}, TimeRange())
        content = backtesting.all_bt_content["Cross"]
        return {"trades": len(content["results"]), "end": float(content["final_balance"])}

    return run


if __name__ == "__main__":
    serve(("freqtrade", "numpy", "pandas"), {"documented": documented})
