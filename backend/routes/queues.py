"""/api/queues and /api/workers: where work waits, and who does it."""

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from backend.jobs.views import QueueView, WorkerView
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api", tags=["tasks"], route_class=DeskRoute)


class Queues(BaseModel):
    """Every queue, by name. A broker_depth of null means that the broker did not answer."""

    timestamp: datetime
    queues: list[QueueView]


class Workers(BaseModel):
    """Every worker that reported within the last hour, by name, with the age of its report."""

    timestamp: datetime
    workers: list[WorkerView]
    reason: str | None = Field(description="Why none is known, where none is")


@router.get("/queues", responses=refusals())
def queues(request: Request) -> Queues:
    """Length and age of the oldest of each queue, from the ledger."""
    services = desk(request)
    return Queues(timestamp=services.clock.wall(), queues=list(services.jobs.queues()))


@router.get("/workers", responses=refusals())
def workers(request: Request) -> Workers:
    """What each worker is and does, from the file that it keeps."""
    services = desk(request)
    known = list(services.jobs.workers())
    return Workers(
        timestamp=services.clock.wall(),
        workers=known,
        reason=None if known else "no worker has reported within the last hour",
    )
