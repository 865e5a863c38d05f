"""Who may call what: the one table. A route that is not in it cannot be made.

The table in docs/users_and_rights.md is made from it.
"""

from typing import Final

from backend.users.model import Right

_READ: Final = """
GET /openapi.json
GET /metrics
GET /api/account
GET /api/backtests
GET /api/backtests/{backtest_id}
GET /api/backtests/{backtest_id}/equity
GET /api/backtests/{backtest_id}/report.html
GET /api/backtests/{backtest_id}/trades
GET /api/calendar
GET /api/calendar/embargoes
GET /api/celery/tasks/active
GET /api/celery/tasks/stats
GET /api/celery/tasks/{task_id}/status
GET /api/clocks
GET /api/control
GET /api/dead-letters
GET /api/deals
GET /api/decisions
GET /api/decisions/stats
GET /api/decisions/why-not
GET /api/decisions/{decision_id}
GET /api/decisions/{decision_id}/replay
GET /api/events
GET /api/history
GET /api/history/check
GET /api/history/reports/{name}
GET /api/market/{symbol}
GET /api/market/{symbol}/bars
GET /api/market/{symbol}/quality
GET /api/market/{symbol}/quote
GET /api/market/{symbol}/ticks
GET /api/news
GET /api/orders
GET /api/orders/{ticket}
GET /api/parity
GET /api/parity/{day}
GET /api/positions
GET /api/positions/{ticket}
GET /api/prop/challenge
GET /api/prop/presets
GET /api/prop/rulebook
GET /api/queues
GET /api/risk/checks
GET /api/risk/limits
GET /api/risk/standing
GET /api/schedules
GET /api/status
GET /api/strategies
GET /api/strategies/facts
GET /api/strategies/language
GET /api/strategies/problems
GET /api/strategies/schema
GET /api/strategies/{strategy_id}
GET /api/strategies/{strategy_id}/explain
GET /api/strategies/{strategy_id}/source
GET /api/strategies/{strategy_id}/versions
GET /api/strategies/{strategy_id}/versions/{number}
GET /api/tasks
GET /api/tasks/summary
GET /api/tasks/{task_id}
GET /api/trade-approval/pending
GET /api/trade-ideas
GET /api/trade-ideas/{idea_id}
GET /api/trades
GET /api/workers
"""

_TRADE: Final = """
DELETE /api/backtests/{backtest_id}
POST /api/celery/tasks/ai/backtest
POST /api/celery/tasks/ai/evaluate-all
POST /api/celery/tasks/ai/evaluate-symbol
POST /api/celery/tasks/data/collect-market-data
POST /api/celery/tasks/data/collect-news
POST /api/celery/tasks/data/update-calendar
POST /api/celery/tasks/data/update-symbols
POST /api/celery/tasks/maintenance/archive-trades
POST /api/celery/tasks/maintenance/cleanup-cache
POST /api/celery/tasks/maintenance/cleanup-logs
POST /api/celery/tasks/maintenance/health-check
POST /api/celery/tasks/maintenance/optimize-csv
POST /api/control/halt
POST /api/control/kill
POST /api/dead-letters/{task_id}/requeue
POST /api/history/fetches
POST /api/history/imports
POST /api/history/uploads
POST /api/orders
POST /api/orders/preview
PATCH /api/orders/{ticket}
DELETE /api/orders/{ticket}
POST /api/parity
PATCH /api/positions/{ticket}
POST /api/positions/{ticket}/close
POST /api/prop/simulate
POST /api/schedules/{name}/trigger
POST /api/strategies
POST /api/strategies/validate
PUT /api/strategies/{strategy_id}
DELETE /api/strategies/{strategy_id}
POST /api/strategies/{strategy_id}/duplicate
POST /api/strategies/{strategy_id}/toggle
POST /api/tasks/{task_id}/cancel
POST /api/tasks/{task_id}/retry
POST /api/trade-approval/approve/{idea_id}
POST /api/trade-approval/reject/{idea_id}
PATCH /api/trade-ideas/{idea_id}
POST /api/trade-ideas/{idea_id}/approve
POST /api/trade-ideas/{idea_id}/cancel
POST /api/trade-ideas/{idea_id}/preview
POST /api/trade-ideas/{idea_id}/reject
POST /api/trade-ideas/{idea_id}/resolve
"""

_OWN: Final = """
POST /api/control/mode
POST /api/control/resume
PUT /api/prop/rulebook
DELETE /api/prop/rulebook
PATCH /api/risk/limits
POST /api/schedules/{name}/pause
POST /api/schedules/{name}/resume
GET /api/security/events
GET /api/users
POST /api/users
PATCH /api/users/{name}
PUT /api/users/{name}/password
DELETE /api/users/{name}/sessions
"""

_SELF: Final = """
DELETE /api/session
PUT /api/session/password
GET /api/sessions
DELETE /api/sessions
DELETE /api/sessions/{session_id}
GET /api/tokens
POST /api/tokens
DELETE /api/tokens/{token_id}
"""

_OPEN: Final = """
GET /assets/{name}
HEAD /assets/{name}
GET /{page:page}
HEAD /{page:page}
GET /healthz
GET /readyz
GET /api/session
POST /api/session
POST /api/session/refresh
"""


def _table() -> dict[tuple[str, str], Right]:
    table: dict[tuple[str, str], Right] = {}
    listed = {
        Right.OPEN: _OPEN,
        Right.SELF: _SELF,
        Right.READ: _READ,
        Right.TRADE: _TRADE,
        Right.OWN: _OWN,
    }
    for right, lines in listed.items():
        for line in lines.split("\n"):
            if line:
                method, _, path = line.partition(" ")
                if (method, path) in table:
                    raise ValueError(f"{line} stands twice in the table of rights")
                table[method, path] = right
    return table


RIGHTS: Final = _table()


def right_of(methods: set[str], path: str) -> Right:
    """The right that a route asks for.

    Raises:
        LookupError: It stands nowhere in the table, or its methods ask for different ones.
    """
    found = {RIGHTS.get((method, path)) for method in methods}
    right = found.pop()
    if right is None or found:
        raise LookupError(f"{'/'.join(sorted(methods))} {path} has no right in backend/routes/rights.py")
    return right


def as_markdown() -> str:
    """The table of routes and roles, for the guide."""
    from backend.users.model import Role

    head = ["route", "nobody", *(str(role) for role in Role)]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for (method, path), right in sorted(RIGHTS.items(), key=lambda item: (item[0][1], item[0][0])):
        cells = [
            "yes" if right is Right.OPEN else "",
            *("yes" if right in role.rights else "" for role in Role),
        ]
        lines.append(f"| `{method} {path}` | {' | '.join(cells)} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(as_markdown())
