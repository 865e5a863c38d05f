"""/api/settings/changes: who changed which setting, when and why, from the journal."""

from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from backend.journal.record import Kind
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api/settings", tags=["settings"], route_class=DeskRoute)


class SettingsChange(BaseModel):
    """One change of a file of settings."""

    seq: int = Field(description="Its place in the journal")
    at: datetime = Field(description="Wall time")
    by: str = Field(description="`file` is an edit by hand")
    file: str
    reason: str
    changes: dict[str, list[Any]] = Field(description="By key: before and after; null is absent")


class SettingsChanges(BaseModel):
    """Changes, the newest first."""

    items: list[SettingsChange]


@router.get("/changes", responses=refusals(422))
def list_changes(
    request: Request,
    file: Annotated[str | None, Query(max_length=100, description="Such as config/risk.json")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> SettingsChanges:
    """Who changed what in the files of settings."""
    journal = desk(request).journal
    kinds = (journal.newest(kind=kind) for kind in (Kind.SETTINGS_CHANGE, Kind.MODE_CHANGE))
    changes = (
        SettingsChange(
            seq=record.seq,
            at=record.at_wall,
            by=record.payload["by"],
            file=record.payload["file"],
            reason=record.payload["reason"],
            changes=record.payload["changes"],
        )
        for record in merge(*kinds, key=lambda record: -record.seq)
        if "file" in record.payload and file in {None, record.payload["file"]}
    )
    return SettingsChanges(items=list(islice(changes, limit)))
