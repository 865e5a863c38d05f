"""Requests that arrive together are queued together: one sync of the disk, one exchange with the broker.

A thread for each request would spend most of its time waiting for the disk and the interpreter.
"""

import asyncio
from typing import Final

from anyio import CapacityLimiter, to_thread

from backend.core.errors import DeskError, Unavailable
from backend.jobs.service import JobRequest, Jobs

MOST_WAITING: Final = 500


class Submitter:
    """Queues jobs for the requests of one event loop, without blocking it.

    All but the work on a batch happens in the event loop, so there is nothing to lock.

    Args:
        jobs: Where they are queued.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._waiting: list[tuple[JobRequest, asyncio.Future[str]]] = []
        self._working: asyncio.Task[None] | None = None
        self._closed = False
        self._thread = CapacityLimiter(1)  # of its own: reads that hang do not hold up a submission

    async def submit(self, request: JobRequest) -> str:
        """The id of the new job; raises as `Jobs.submit`, and `Unavailable` when too many wait.

        It is queued also if whoever asked goes away meanwhile.
        """
        if self._closed:
            raise Unavailable("desk_ending", "The desk is ending")
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable(
                "too_many_requests", f"{MOST_WAITING} requests wait to be queued already", limit=MOST_WAITING
            )
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await answer

    async def close(self) -> None:
        """Queue what waits; refuse what comes later."""
        self._closed = True
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            requests = [request for request, _ in batch]
            outcomes: list[str | DeskError] | list[Exception]
            try:
                outcomes = await to_thread.run_sync(self._jobs.submit_many, requests, limiter=self._thread)
            except Exception as error:  # noqa: BLE001 - each request answers it as its own failure
                outcomes = [error] * len(batch)
            for (_, answer), outcome in zip(batch, outcomes, strict=True):
                if answer.done():
                    continue  # its client went away
                if isinstance(outcome, str):
                    answer.set_result(outcome)
                else:
                    answer.set_exception(outcome)
