"""/api/schedules: what is planned, how punctual it was, pausing it, and editing it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from backend.jobs.schedules import DEFAULT_OF, Schedule
from backend.jobs.ticks import Cron, Every
from backend.jobs.views import ScheduleView
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals
from backend.routes.tagging import IfMatch, tag
from backend.routes.tasks import Queued

router = APIRouter(prefix="/api/schedules", tags=["schedules"], route_class=DeskRoute)


class Schedules(BaseModel):
    """Every schedule, by name."""

    timestamp: datetime
    schedules: list[ScheduleView]


class Timing(BaseModel):
    """When something is done."""

    crontab: dict[str, str] | None = Field(description="minute, hour ... in UTC; null where it is `every`")
    every: int | None = Field(description="Seconds between ticks; null where it is `crontab`")
    offset: int | None = Field(description="Seconds after the multiples of `every`")
    enabled: bool
    overlap: str = Field(description="skip a tick while the one before still runs, or queue it")
    catch_up: int | None = Field(description="Seconds a late tick is worth running; null is an interval")
    at_start: bool = Field(description="Also when the desk starts")


class Definition(BaseModel):
    """A schedule as it is configured, to be edited."""

    name: str
    task: str
    now: Timing
    default: Timing | None = Field(description="null for a schedule of your own")


CronField = Annotated[str, Field(min_length=1, max_length=100)]


class TimingChange(BaseModel):
    """What changes; null takes a key back to its default. Crontab and every replace each other."""

    model_config = ConfigDict(extra="forbid")

    crontab: dict[str, CronField | StrictInt] | None = Field(
        None,
        min_length=1,
        max_length=5,
        description="minute, hour, day_of_month, month_of_year, day_of_week; the rest is *",
    )
    every: StrictInt | None = None
    offset: StrictInt | None = None
    enabled: StrictBool | None = None
    overlap: str | None = Field(None, max_length=20)
    catch_up: StrictInt | None = None
    at_start: StrictBool | None = None


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


@router.get("/{name}", responses=refusals(404))
def show_schedule(request: Request, response: Response, name: str) -> Definition:
    """When it is done, and what the default is."""
    return _definition(request, response, name)


@router.patch("/{name}", responses=refusals(404, 409, 413, 415, 422, 503))
def change_schedule(
    request: Request, response: Response, name: str, body: TimingChange, if_match: IfMatch = None
) -> Definition:
    """Change when it is done, or switch it on or off; beat follows within seconds.

    It begins anew with the change: ticks that it would have had before are neither run nor missed.
    """
    patch = body.model_dump(exclude_unset=True)
    schedules = desk(request).settings_desks.schedules
    schedules.edit(name, patch, actor=actor(request), if_match=if_match or "*")
    return _definition(request, response, name)


@router.post("/{name}/reset", responses=refusals(404, 409, 422, 503))
def reset_schedule(request: Request, response: Response, name: str, if_match: IfMatch = None) -> Definition:
    """Back to the default in everything."""
    schedules = desk(request).settings_desks.schedules
    schedules.reset(name, actor=actor(request), if_match=if_match or "*")
    return _definition(request, response, name)


def _definition(request: Request, response: Response, name: str) -> Definition:
    schedules = desk(request).settings_desks.schedules
    tag(response, schedules.etag())
    found, default = schedules.get(name), DEFAULT_OF.get(name)
    return Definition(
        name=name,
        task=found.task,
        now=_timing(found),
        default=None if default is None else _timing(default),
    )


def _timing(schedule: Schedule) -> Timing:
    when = schedule.when
    return Timing(
        crontab=when.fields if isinstance(when, Cron) else None,
        every=when.seconds if isinstance(when, Every) else None,
        offset=when.offset if isinstance(when, Every) else None,
        enabled=schedule.enabled,
        overlap=schedule.overlap,
        catch_up=schedule.catch_up,
        at_start=schedule.at_start,
    )
