"""The columns of every table of closed trades, the backtest's and the desk's."""

from typing import Final

TRADE_COLUMNS: Final = (
    "id",
    "symbol",
    "side",
    "volume",
    "signal_time",
    "entry_time",
    "entry_price",
    "initial_stop",
    "initial_target",
    "exit_time",
    "exit_price",
    "exit_reason",
    "ambiguous",
    "gross",
    "spread_cost",
    "slippage_cost",
    "gap_cost",
    "commission",
    "swap",
    "net",
    "r",
    "mae",
    "mfe",
    "strategy",
)
