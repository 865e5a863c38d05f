"""Evaluation and backtests."""

from decimal import Decimal
from typing import Any

from backend.celery_app import desk_task
from backend.jobs.context import trigger
from backend.services import services


@desk_task(queue="ai_evaluation", deadline=300)
def evaluate_all_strategies() -> dict[str, Any]:
    """Evaluate every enabled strategy of every enabled symbol."""
    return services().ideas.evaluate_all(trigger=trigger())


@desk_task(queue="ai_evaluation", deadline=120)
def evaluate_single_symbol(symbol: str) -> dict[str, Any]:
    """Evaluate every enabled strategy of one symbol."""
    return services().ideas.evaluate_symbol(symbol, trigger=trigger())


@desk_task(queue="ai_evaluation", deadline=120)
def evaluate_on_bar_close() -> dict[str, Any]:
    """Evaluate the strategies whose bar has just closed."""
    return services().ideas.evaluate_on_bar_close()


@desk_task(queue="ai_evaluation", deadline=1800, bounds={"days": (1, 3650)})
def backtest_strategy(
    symbol: str,
    strategy_name: str,
    days: int = 30,
    mode: str | None = None,
    balance: float | None = None,
    risk: float | None = None,
    commission_per_lot: float | None = None,
    slippage_points: float | None = None,
    spread_points: int | None = None,
) -> dict[str, Any]:
    """Backtest one strategy of one symbol over the last days of its history; the rest as `mt5ui backtest`."""
    from backend.backtest.request import Request, parse_costs, parse_mode

    costs = {
        "commission_per_lot": commission_per_lot,
        "slippage_points": slippage_points,
        "spread_points": spread_points,
    }
    request = Request(
        strategy=strategy_name,
        symbols=(symbol,),
        days=days,
        mode=None if mode is None else parse_mode(mode),
        balance=None if balance is None else Decimal(repr(balance)),
        risk=risk,
        costs=parse_costs(f"{name}={value}" for name, value in costs.items() if value is not None),
    )
    return services().backtests.run(request)


@desk_task(queue="research", deadline=1800)
def weigh_refusals() -> dict[str, Any]:
    """Compute what refused ideas would have earned."""
    return services().weigh_refusals()
