"""/api/events: changes as they happen, resumable, for as long as somebody watches."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from backend.core.errors import DeskError
from backend.jobs.service import Jobs
from backend.jobs.views import JobEvent, as_json
from backend.routes.access import DeskRoute, desk, somebody
from backend.routes.errors import refusals, to_json
from backend.routes.stream import Changes
from backend.users.model import HERE, Acting, Right
from backend.users.service import Door

log = logging.getLogger(__name__)

router = APIRouter(prefix="/api", tags=["events"], route_class=DeskRoute)

HEARTBEAT: Final = 15.0
LOOK_EVERY: Final = 1.0
"""Seconds between two looks at whether whoever watches still may."""
RETRY_MS: Final = 2000
BATCH: Final = 500

_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events named `job`; `id` is the cursor to resume after, "
        "`data` is JSON with kind, at, job_id, task, state, details. Comments keep the line alive.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/events", response_class=StreamingResponse, responses=_ANSWER | refusals(422, 503))
async def events(
    request: Request,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=200)] = None,
    after: Annotated[str | None, Query(max_length=200, description="As Last-Event-ID")] = None,
) -> StreamingResponse:
    """Every change of a job from now on, or after the event whose id is given."""
    jobs = desk(request).jobs
    changes: Changes = request.app.state.changes
    changed = changes.watch()
    try:
        given = last_event_id or after
        cursor = given if given is not None else await to_thread.run_sync(jobs.cursor)
        first = await to_thread.run_sync(lambda: jobs.events(cursor, limit=BATCH))  # refuses a bad cursor
    except BaseException:
        changes.leave(changed)
        raise
    return StreamingResponse(
        _stream(jobs, changes, changed, cursor, first, _Watcher(desk(request).door, somebody(request))),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


class _Watcher:
    """Whoever watches, for as long as they may."""

    def __init__(self, door: Door, who: Acting) -> None:
        self._door = door
        self._who = who
        self.patience = HEARTBEAT if who is HERE else min(HEARTBEAT, LOOK_EVERY)

    async def may(self) -> bool:
        """Whether their session or token still holds."""
        if self._who is HERE:
            return True
        now = await to_thread.run_sync(self._door.still_in, self._who)
        return now is not None and now.may(Right.READ)


async def _stream(
    jobs: Jobs,
    changes: Changes,
    changed: asyncio.Event,
    cursor: str,
    batch: tuple[JobEvent, ...],
    watcher: _Watcher,
) -> AsyncIterator[bytes]:
    try:
        yield f"retry: {RETRY_MS}\nid: {cursor}\n: the desk is listening\n\n".encode()
        while not changes.stopping and await watcher.may():
            if batch:
                cursor = batch[-1].cursor
                yield b"".join(_written(event) for event in batch)
            elif not await _within(changed, watcher.patience):
                yield b": still here\n\n"
                continue
            changed.clear()
            after = cursor
            batch = await to_thread.run_sync(lambda: jobs.events(after, limit=BATCH))  # noqa: B023
    except DeskError as error:
        log.warning("an event stream ends: %s", error)
    finally:
        changes.leave(changed)


async def _within(changed: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(changed.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _written(event: JobEvent) -> bytes:
    data = to_json({name: value for name, value in as_json(event).items() if name != "cursor"})
    return b"id: %s\nevent: job\ndata: %s\n\n" % (event.cursor.encode(), data)
