"""The Celery application: ``celery -A backend.celery_app worker`` and ``... beat`` work as they stand.

Queues, routing, limits and policies stand in `backend.jobs.app`; this module binds them to the desk.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from backend.config import settings
from backend.core.clock import Clock, SystemClock
from backend.jobs.app import desk_app, desk_runtimes
from backend.jobs.clock_control import ClockControl
from backend.jobs.lifecycle import install
from backend.jobs.spec import RetryPolicy
from backend.jobs.task import register

_NO_BOUNDS: Mapping[str, tuple[int, int]] = MappingProxyType({})


def _clock() -> Clock:
    """Desk time: wall time, unless a replay runs, whose connector keeps it."""
    if settings().replay is None:
        return SystemClock()
    from backend.services import services

    return services().clock


def _clock_control() -> ClockControl | None:
    """What moves the clock of a replayed desk."""
    from backend.services import services

    return services().clock_control


app = desk_app()
runtimes = desk_runtimes()
runtimes.clock_source = _clock
runtimes.control_source = _clock_control
lifecycle = install(app, runtimes)


def desk_task(
    *,
    queue: str,
    deadline: float = 300.0,
    retry: RetryPolicy | None = None,
    bounds: Mapping[str, tuple[int, int]] = _NO_BOUNDS,
    once: bool = False,
) -> Callable[[Callable[..., Any]], Any]:
    """Make a task of a function: ledger, lease, deadline, cancel flag and retries come with it.

    Args:
        queue: Where it runs by default.
        deadline: Seconds of run time; `backend.jobs.context.check` between steps holds it to that.
        retry: What happens after `Unavailable`; three tries by default.
        bounds: Smallest and largest value of its integers.
        once: For what nobody can take back, such as sending an order: acknowledged before it runs, begun
            at most once, never retried.
    """

    def decorate(work: Callable[..., Any]) -> Any:
        return register(
            app,
            runtimes,
            work,
            queue=queue,
            deadline=deadline,
            retry=retry or RetryPolicy(),
            bounds=bounds,
            once=once,
        )

    return decorate
