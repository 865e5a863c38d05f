"""/api/calendar: what the desk knows of events, and how old that is."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.clock import iso
from backend.core.errors import Invalid
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api", tags=["calendar and news"], route_class=DeskRoute)


MOST_DAYS = timedelta(days=370)

Currency = Annotated[str | None, Query(pattern="^[A-Za-z]{3}$")]


class Calendar(BaseModel):
    """The economic calendar as it was known at one moment."""

    as_of: datetime
    begin: datetime | None = Field(description="Of the events, where one was asked for")
    end: datetime | None
    known: bool = Field(description="Whether there is a calendar to judge by")
    reason: str | None = Field(description="Why not, where it is not known")
    provider: str | None
    fetched_at: str | None
    age_seconds: float | None
    stale: bool = Field(description="The newest look failed or is overdue")
    covered_from: str | None
    covered_to: str | None
    events: list[dict[str, Any]] | None = Field(description="Null where nothing is known")


class Embargoes(BaseModel):
    """The pauses around news that are on or ahead."""

    as_of: datetime
    until: datetime
    known: bool = Field(description="Whether there is a calendar to judge by; if not, windows may be missing")
    reason: str | None
    windows: list[dict[str, Any]]
    shown: list[dict[str, Any]] = Field(description="Events without a clock time, which pause nothing")
    problems: list[dict[str, str]] = Field(description="Symbols whose currencies are not known")


@router.get("/calendar", responses=refusals(422, 503))
def calendar(
    request: Request,
    as_of: Annotated[
        AwareDatetime | None, Query(description="A moment with an offset; now if absent")
    ] = None,
    begin: Annotated[
        AwareDatetime | None, Query(alias="from", description="Of the events; with `to` any time on record")
    ] = None,
    end: Annotated[
        AwareDatetime | None, Query(alias="to", description="Of the events, itself included")
    ] = None,
    currency: Currency = None,
) -> Calendar:
    """Events around now, or of a time of one's own, as they were known at `as_of`."""
    services = desk(request)
    moment = as_of or services.clock.now()
    span = _span(begin, end, moment)
    view = services.calendar.as_of(moment).as_dict()
    nothing = not view["known"] and view["fetched_at"] is None
    events: list[dict[str, Any]] | None = None if nothing else view["events"]
    if span is not None:
        events = [event.as_dict() for event in services.calendar.between(*span, moment)]
        events = None if nothing and not events else events
    if events is not None and currency is not None:
        events = [event for event in events if event["currency"] in {currency.upper(), "ALL"}]
    return Calendar(
        as_of=moment,
        begin=span[0] if span else None,
        end=span[1] if span else None,
        known=view["known"],
        reason=view["reason"] or None,
        provider=view["provider"] or None,
        fetched_at=view["fetched_at"],
        age_seconds=view["age_seconds"],
        stale=view["stale"],
        covered_from=view["covered_from"],
        covered_to=view["covered_to"],
        events=events,
    )


@router.get("/calendar/embargoes", responses=refusals(404, 422, 503))
def embargoes(
    request: Request,
    symbol: Annotated[str | None, Query(description="Canonical symbol; every enabled one if absent")] = None,
    hours: Annotated[float, Query(gt=0, le=168, description="How far ahead to look")] = 48,
) -> Embargoes:
    """When news will pause entries, by symbol and strategy."""
    services = desk(request)
    if symbol is not None:
        services.symbols.row(symbol)
    return Embargoes.model_validate(
        services.embargoes.ahead(services.clock.now(), symbol=symbol, reach=timedelta(hours=hours))
    )


def _span(begin: datetime | None, end: datetime | None, moment: datetime) -> tuple[datetime, datetime] | None:
    if begin is None and end is None:
        return None
    start, last = begin or moment - MOST_DAYS, end or moment + MOST_DAYS
    if not start <= last <= start + MOST_DAYS:
        raise Invalid(
            "bad_period",
            f"from {iso(start)} to {iso(last)}: a period begins before it ends and is at most "
            f"{MOST_DAYS.days} days long; give both ends",
        )
    return start, last
