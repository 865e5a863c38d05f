"""/api/schedules: what is planned, how punctual it was, and pausing it."""

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel

from backend.jobs.views import ScheduleView
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals
from backend.routes.tasks import Queued

router = APIRouter(prefix="/api/schedules", tags=["schedules"], route_class=DeskRoute)


class Schedules(BaseModel):
    """Every schedule, by name."""

    timestamp: datetime
    schedules: list[ScheduleView]


@router.get("", responses=refusals())
def schedules(request: Request) -> Schedules:
    """Last, next, lateness, missed and skipped ticks of each schedule."""
    services = desk(request)
    return Schedules(timestamp=services.clock.wall(), schedules=list(services.jobs.schedules()))


@router.post("/{name}/trigger", responses=refusals(404, 503))
def trigger(request: Request, name: str) -> Queued:
    """Queue now what the schedule would queue."""
    return Queued(task_id=desk(request).jobs.trigger_schedule(name, actor=actor(request)))


@router.post("/{name}/pause", responses=refusals(404))
def pause(request: Request, name: str) -> ScheduleView:
    """Plan nothing more under this name until it is resumed, also after restarts."""
    return desk(request).jobs.pause_schedule(name, actor=actor(request))


@router.post("/{name}/resume", responses=refusals(404))
def resume(request: Request, name: str) -> ScheduleView:
    """Plan again from now on; what was not planned meanwhile is not caught up."""
    return desk(request).jobs.resume_schedule(name, actor=actor(request))
