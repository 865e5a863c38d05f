"""/api/events: changes as they happen, resumable, for as long as somebody watches."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from backend.core.errors import DeskError
from backend.routes.access import DeskRoute, desk, somebody
from backend.routes.errors import refusals, to_json
from backend.routes.event_feed import Cursor, Told
from backend.routes.stream import Changes
from backend.users.model import HERE, Acting, Right
from backend.users.service import Door

log = logging.getLogger(__name__)

router = APIRouter(prefix="/api", tags=["events"], route_class=DeskRoute)

HEARTBEAT: Final = 15.0
LOOK_EVERY: Final = 1.0
"""Seconds between two looks at whether whoever watches still may."""
RETRY_MS: Final = 2000

_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events; `id` is the cursor to resume after, `data` is JSON. "
        "`job`: kind, at, job_id, task, state, details. "
        "`journal`, a record that was appended: seq, kind, at (desk time), at_wall, and what it is about: "
        "decision_id, idea_id, symbol, strategy, each null where it is about none; those of kind "
        "`security` are told to owners only. "
        "`reset`: what came after the given cursor is not known (it is of another desk, or too old): "
        "read everything again. Comments keep the line alive.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/events", response_class=StreamingResponse, responses=_ANSWER | refusals(422, 503))
async def events(
    request: Request,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=200)] = None,
    after: Annotated[str | None, Query(max_length=200, description="As Last-Event-ID")] = None,
) -> StreamingResponse:
    """Every change of a job and every record of the journal from now on, or after the given event."""
    services = desk(request)
    changes: Changes = request.app.state.changes
    changed = changes.watch()
    given = last_event_id or after
    try:
        cursor, first = await to_thread.run_sync(changes.feed.resume, given)
    except BaseException:
        changes.leave(changed)
        raise
    changed.set()  # what is there already is read before anything is waited for
    return StreamingResponse(
        _stream(changes, changed, cursor, first, _Watcher(services.door, somebody(request))),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


class _Watcher:
    """Whoever watches, for as long as they may."""

    def __init__(self, door: Door, who: Acting) -> None:
        self._door = door
        self._who = who
        self.patience = HEARTBEAT if who is HERE else min(HEARTBEAT, LOOK_EVERY)

    async def still(self) -> Acting | None:
        """They as they are now; None where their session or token does not hold, or they may not read."""
        if self._who is HERE:
            return self._who
        now = await to_thread.run_sync(self._door.still_in, self._who)
        return now if now is not None and now.may(Right.READ) else None


async def _stream(
    changes: Changes, changed: asyncio.Event, cursor: Cursor, told: list[Told], watcher: _Watcher
) -> AsyncIterator[bytes]:
    try:
        yield f"retry: {RETRY_MS}\nid: {cursor}\n: the desk is listening\n\n".encode()
        if told:
            yield _written(told)
        while not changes.stopping:
            woken = await _within(changed, watcher.patience)
            before = cursor
            if woken:
                changed.clear()
                cursor, told = await to_thread.run_sync(changes.feed.after, before)
            # After the reading: who was demoted before it was written is not told of it.
            who = await watcher.still()
            if who is None:
                return
            if not woken:
                yield b": still here\n\n"
            elif shown := [each for each in told if not each.to_owners or who.may(Right.OWN)]:
                yield _written(shown)
            if cursor != before:
                changed.set()  # there may be more than a batch
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


def _written(told: list[Told]) -> bytes:
    return b"".join(
        b"id: %s\nevent: %s\ndata: %s\n\n"
        % (str(each.cursor).encode(), each.event.encode(), to_json(each.data))
        for each in told
    )
