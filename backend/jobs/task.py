"""A task of the desk: a function, its policy, and everything that a run of it has to go through."""

import inspect
import typing
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any

from celery import Celery, Task, states

from backend.core.errors import DeskError
from backend.jobs.runner import Delivery, Passed, deliver
from backend.jobs.runtime import Runtimes
from backend.jobs.spec import CATALOGUE, NO_RETRY, REQUIRED, Parameter, RetryPolicy, TaskSpec
from backend.jobs.views import JobState

KILL_AFTER = 30.0  # seconds after the deadline at which prefork kills the process; nothing else can

_RESULT_STATES = {
    JobState.CANCELLED: states.REVOKED,
    JobState.EXPIRED: states.REVOKED,
    JobState.RETRYING: states.RETRY,
    JobState.DEAD: states.FAILURE,
}


class DeskTask(Task):  # type: ignore[type-arg]
    """Runs its function through the ledger when a worker calls it; called directly, it is the function."""

    abstract = True
    spec: TaskSpec
    runtimes: Runtimes

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Called by a worker: one delivery. Called directly: the function itself."""
        request = self.request
        if request.called_directly or request.id is None:
            return self.run(*args, **kwargs)
        names = list(self.spec.parameters)
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        info = request.delivery_info or {}
        eager = bool(request.is_eager)
        delivery = Delivery(
            job_id=str(request.id),
            kwargs=given,
            worker=str(request.hostname),
            queue=None if eager else info.get("routing_key"),
            redelivered=bool(info.get("redelivered")),
            eager=eager,
        )
        try:
            return deliver(self.runtimes.get(), self.spec, self.run, delivery)
        except Passed as passed:
            self._tell(delivery, passed)
            raise

    def _tell(self, delivery: Delivery, passed: Passed) -> None:
        """Leave a word with the result backend for those who ask Celery and not the ledger."""
        state = _RESULT_STATES.get(passed.state)
        if state is None or delivery.eager:
            return
        if state == states.REVOKED:
            self.backend.mark_as_revoked(
                delivery.job_id, str(passed), request=self.request, store_result=True
            )
        else:
            cause = passed.__cause__
            told = cause if isinstance(cause, DeskError) else passed
            self.backend.store_result(delivery.job_id, told, state, request=self.request)


def register(
    app: Celery,
    runtimes: Runtimes,
    work: Callable[..., Any],
    *,
    queue: str,
    deadline: float,
    retry: RetryPolicy,
    bounds: Mapping[str, tuple[int, int]],
    once: bool = False,
) -> Any:
    """Make a task of a function and put it in the catalogue.

    Args:
        app: The Celery app.
        runtimes: Where the task finds its ledger.
        work: The function: plain values in, a small dict out. Its module and name name the task.
        queue: Where it runs by default.
        deadline: Seconds of run time after which its next step stops it.
        retry: What happens after `Unavailable`.
        bounds: Smallest and largest value of its integers.
        once: See `TaskSpec`; then `retry` does not count.
    """
    name = f"{work.__module__}.{work.__name__}"
    spec = TaskSpec(
        name=name,
        queue=queue,
        summary=(inspect.getdoc(work) or name).partition("\n")[0],
        parameters=_parameters(work, bounds),
        deadline=deadline,
        retry=NO_RETRY if once else retry,
        once=once,
    )
    CATALOGUE.add(spec)
    make: Any = app.task  # its stubs know neither our attributes nor fractions of seconds
    return make(
        work,
        name=name,
        base=DeskTask,
        spec=spec,
        runtimes=runtimes,
        soft_time_limit=deadline,
        time_limit=deadline + KILL_AFTER,
        acks_late=not once,
        reject_on_worker_lost=not once,
        throws=(DeskError,),
    )


def _parameters(work: Callable[..., Any], bounds: Mapping[str, tuple[int, int]]) -> dict[str, Parameter]:
    hints = typing.get_type_hints(work)
    found = {}
    for name, parameter in inspect.signature(work).parameters.items():
        hint = hints.get(name)
        kinds = set(typing.get_args(hint)) - {NoneType} or {hint}
        if len(kinds) > 1 or not kinds <= {int, float, str, bool}:
            raise TypeError(f"{work.__qualname__}: {name} is {hint}; tasks take texts, numbers and booleans")
        (kind,) = kinds
        low, high = bounds.get(name, (None, None))
        default = REQUIRED if parameter.default is inspect.Parameter.empty else parameter.default
        found[name] = Parameter(kind=kind, default=default, minimum=low, maximum=high)
    return found
