"""From approved ideas to orders and positions."""

from typing import Any

from backend.celery_app import desk_task
from backend.jobs.context import trigger
from backend.services import services


@desk_task(queue="orders", deadline=60)
def expire_ideas() -> dict[str, Any]:
    """Expire ideas that nobody approved in time, and give approved ones that wait to the sender again."""
    return services().idea_desk.expire()


@desk_task(queue="orders", deadline=30, once=True)
def send_idea(idea_id: str) -> dict[str, Any]:
    """Send one approved idea: judged again at current prices, and once."""
    return services().orders.sender.send(idea_id, actor=trigger())


@desk_task(queue="orders", deadline=55, once=True)
def reconcile_orders() -> dict[str, Any]:
    """Find out what became of unknown orders, follow those that wait, send what was forgotten."""
    return services().orders.recovery.run()


@desk_task(queue="orders", deadline=30, once=True)
def watch_account() -> dict[str, Any]:
    """Halt where the day's loss or the drawdown reached its limit, and end what the limits say."""
    return services().watch.look()


@desk_task(queue="orders", deadline=55, once=True)
def manage_positions() -> dict[str, Any]:
    """Keep positions and waiting orders by their strategies' rules, on closed bars; log closed trades."""
    return services().manager.run()


@desk_task(queue="orders", deadline=30, once=True, bounds={"close": (0, 1), "everyones": (0, 1)})
def kill_switch(reason: str = "kill switch", close: int = 0, everyones: int = 0) -> dict[str, Any]:
    """Halt, cancel every pending order and, with close=1, close the positions; everyones=1 means all."""
    return services().orders.kill.pull(
        close=bool(close), all_=bool(everyones), actor=trigger(), reason=reason
    )


@desk_task(queue="research", deadline=1800)
def audit_parity(day: str = "last") -> dict[str, Any]:
    """Run a live day again as a backtest and split the gap; ``last`` is the broker's last whole day."""
    from backend.backtest.parity.kept import in_short

    return in_short(services().parity.audit(None if day == "last" else day))
