"""The view over closed trades."""

from typing import Final

from backend.maintenance.retention import ARCHIVE, LOGS
from backend.queries.model import EXACT, REAL, TEXT, TIME, YES_NO, Column, Form, View
from backend.trading.trade_table import TRADE_COLUMNS

_PRICE: Final = "price"
_MONEY: Final = "account currency"
_LOTS: Final = "lots"
_TIMES: Final = ("signal_time", "entry_time", "exit_time")
_MONEYS: Final = ("gross", "spread_cost", "slippage_cost", "gap_cost", "commission", "swap", "net")
_PRICES: Final = ("entry_price", "initial_stop", "initial_target", "exit_price")
_TRADE_WORDS: Final = {
    "id": "Of its idea",
    "symbol": "Canonical symbol",
    "side": "long or short",
    "volume": "Closed",
    "signal_time": "End of the bar that gave the signal",
    "exit_reason": "stop, target, person …",
    "ambiguous": "Known of backtests only",
    "net": "gross − commission + swap",
    "commission": "A cost is positive",
    "r": "net by what the first stop would have lost",
    "mae": "Worst on the way; known of backtests only",
    "mfe": "Best on the way; known of backtests only",
    "strategy": "Id; null for a person's ticket",
}


def _trade(name: str) -> Column:
    kind, unit = TEXT, ""
    if name in _TIMES:
        kind = TIME
    elif name in _MONEYS:
        kind, unit = EXACT, _MONEY
    elif name in _PRICES:
        kind, unit = EXACT, _PRICE
    elif name == "volume":
        kind, unit = EXACT, _LOTS
    elif name in {"r", "mae", "mfe"}:
        kind, unit = REAL, "risks"
    elif name == "ambiguous":
        kind = YES_NO
    return Column(name=name, type=kind, unit=unit, meaning=_TRADE_WORDS.get(name, name.replace("_", " ")))


TRADES_VIEW: Final = View(
    name="trades",
    meaning="Closed trades by the broker's figures, archived ones too",
    files=(f"{LOGS}/trades_*.csv", f"{ARCHIVE}/trades_*.csv"),
    form=Form.CSV,
    heads=TRADE_COLUMNS,
    columns=tuple(_trade(name) for name in TRADE_COLUMNS),
)
