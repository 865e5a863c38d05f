"""What an evaluation held goes at once: a backtest of a million bars cannot wait for the collector."""

import gc
import weakref

from backend.evaluation.conditions import compile_strategy
from backend.strategies.validation import parse_strategy
from tests.fakes.backtests import QUIET, Row, rows_to_bars

ENTRY = ["crosses_above(ema(5), ema(9)) and not (rsi(14) > 70)", "30 <= rsi(14) <= 70"]
EXIT = ["rising(close, 3) or close[1] > ema(5)"]
STRONG = ["macd_hist_gt_0", "divergence_bullish"]


def test_the_arrays_of_an_evaluation_go_with_its_result() -> None:
    rows: list[Row] = [(10_000, 10_050, 9_950, 9_950 + 37 * at % 100, QUIET) for at in range(110)]
    compiled = compile_strategy(
        parse_strategy(
            {
                "id": "HELD",
                "symbol": "EURUSD",
                "timeframe": "H1",
                "conditions": {"entry": ENTRY, "exit": EXIT, "strong": STRONG},
                "strategy": {"direction": "long"},
            }
        )
    )
    gc.disable()
    try:
        arrays = compiled.evaluate(rows_to_bars(rows))
        held = weakref.ref(arrays._interpreter.base)
        del arrays
        assert held() is None
    finally:
        gc.enable()
