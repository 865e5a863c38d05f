"""Celery's result backend as what it is here: a copy for those who ask Celery and not the ledger."""

import logging
from typing import Any

from celery import Celery

log = logging.getLogger(__name__)


class DeskCelery(Celery):
    """A Celery app whose tasks run whether or not the result backend takes what is told of them.

    Celery tells it STARTED before it calls a task. If that fails the task is never called, its message
    neither acknowledged nor handed out again until the visibility timeout, and its slot is not freed:
    a broker that dies in that moment cost a job two minutes and a worker a slot for ever.
    """

    def _get_backend(self) -> Any:
        make: Any = super()
        return _forgiving(make._get_backend())  # noqa: SLF001 - celery has no public name


def _forgiving(backend: Any) -> Any:
    store = backend.store_result

    def store_result(task_id: str, result: Any, state: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return store(task_id, result, state, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - each backend has its own
            log.warning("the result backend was not told that %s is %s: %s", task_id, state, error)
            return result

    backend.store_result = store_result
    return backend
