"""/api/calendar and /api/news: what the desk knows of events and news, and how old that is."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.errors import NotFound
from backend.routes.access import desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api", tags=["calendar and news"])


Currency = Annotated[str | None, Query(pattern="^[A-Za-z]{3}$")]


class Calendar(BaseModel):
    """The economic calendar as it was known at one moment."""

    as_of: datetime
    known: bool = Field(description="Whether there is a calendar to judge by")
    reason: str | None = Field(description="Why not, where it is not known")
    provider: str | None
    fetched_at: str | None
    age_seconds: float | None
    stale: bool = Field(description="The newest look failed or is overdue")
    covered_from: str | None
    covered_to: str | None
    events: list[dict[str, Any]] | None = Field(description="Null where nothing is known")


class News(BaseModel):
    """The newest articles; null with a reason while nothing has been collected."""

    articles: list[dict[str, Any]] | None
    fetched_at: str | None
    age_seconds: float | None
    reason: str | None


@router.get("/calendar", responses=refusals(422))
def calendar(
    request: Request,
    as_of: Annotated[
        AwareDatetime | None, Query(description="A moment with an offset; now if absent")
    ] = None,
    currency: Currency = None,
) -> Calendar:
    """Events around now, or as they were known at `as_of`."""
    services = desk(request)
    moment = as_of or services.clock.now()
    view = services.calendar.as_of(moment).as_dict()
    nothing = not view["known"] and view["fetched_at"] is None
    events = None if nothing else view["events"]
    if events is not None and currency is not None:
        events = [event for event in events if event["currency"] in {currency.upper(), "ALL"}]
    return Calendar(
        as_of=moment,
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


@router.get("/news", responses=refusals(422))
def news(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    currency: Currency = None,
) -> News:
    """The newest articles with the age of the collection."""
    try:
        document = desk(request).news.latest()
    except NotFound as error:
        return News(articles=None, fetched_at=None, age_seconds=None, reason=error.message)
    articles = document["articles"]
    if currency is not None:
        articles = [article for article in articles if currency.upper() in article.get("currencies", ())]
    return News(
        articles=articles[:limit],
        fetched_at=document["fetched_at"],
        age_seconds=document["age_seconds"],
        reason=None,
    )
