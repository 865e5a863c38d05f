"""The tasks of the desk, importable from here by name."""

from backend.tasks.ai_tasks import (
    backtest_strategy,
    evaluate_all_strategies,
    evaluate_on_bar_close,
    evaluate_single_symbol,
    weigh_refusals,
)
from backend.tasks.data_tasks import (
    collect_market_data,
    collect_rss_news,
    fetch_history,
    import_history,
    update_economic_calendar,
    update_symbol_info,
)
from backend.tasks.maintenance_tasks import (
    archive_old_trades,
    cleanup_cache,
    cleanup_old_logs,
    optimize_csv_files,
    system_health_check,
)
from backend.tasks.trading_tasks import (
    audit_parity,
    expire_ideas,
    kill_switch,
    manage_positions,
    reconcile_orders,
    send_idea,
    watch_account,
)

__all__ = [
    "archive_old_trades",
    "audit_parity",
    "backtest_strategy",
    "cleanup_cache",
    "cleanup_old_logs",
    "collect_market_data",
    "collect_rss_news",
    "evaluate_all_strategies",
    "evaluate_on_bar_close",
    "evaluate_single_symbol",
    "expire_ideas",
    "fetch_history",
    "import_history",
    "kill_switch",
    "manage_positions",
    "optimize_csv_files",
    "reconcile_orders",
    "send_idea",
    "system_health_check",
    "update_economic_calendar",
    "update_symbol_info",
    "watch_account",
    "weigh_refusals",
]
