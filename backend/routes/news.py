"""/api/news: the articles that the desk collected, of any time, and how its feeds do."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from backend.core.clock import require_utc
from backend.core.errors import Invalid
from backend.news.listing import Wanted
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api/news", tags=["calendar and news"], route_class=DeskRoute)


class _FromDesk(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Article(_FromDesk):
    """One article, as text without markup."""

    id: str
    feed: str = Field(description="Where it was first seen")
    category: str
    title: str
    summary: str
    link: str | None
    guid: str | None
    published: datetime
    date_is_estimated: bool = Field(description="Published is not the feed's own date")
    date_note: str = Field(
        description="missing, unreadable, future, no_zone, repaired; empty for a good date"
    )
    fetched_at: datetime = Field(description="When the desk first saw it")
    currencies: list[str]
    symbols: list[str]


class Feed(_FromDesk):
    """How a feed does."""

    name: str
    category: str
    currencies: list[str]
    enabled: bool
    status: Literal["off", "never", "ok", "failed", "waiting"] = Field(
        description="never: not asked yet; waiting: its server asked to wait"
    )
    answered_at: datetime | None = Field(description="Last answer, also that nothing had changed")
    age_seconds: float | None = Field(description="Seconds since then")
    newest_at: datetime | None = Field(description="Date of the newest article when it was last read")
    failures: int = Field(description="Failures since the last answer")
    failed_at: datetime | None = Field(description="The last failure, however long ago")
    reason: str | None = Field(description="Why it failed then")
    waiting_until: datetime | None


class News(_FromDesk):
    """Articles, the newest first; null with a reason while nothing has been collected."""

    articles: list[Article] | None
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")
    reason: str | None
    fetched_at: datetime | None = Field(description="When a feed last answered")
    checked_at: datetime | None = Field(description="When the feeds were last asked, also in vain")
    age_seconds: float | None = Field(description="Seconds since a feed last answered")
    stale: bool = Field(description="The last look failed for every feed, or none answered for an hour")
    error: str | None = Field(description="Why the last look failed")
    feeds: list[Feed] | None = Field(description="Null where config/rss_feeds.json cannot be used")
    problems: list[str] = Field(description="What is wrong with the list of feeds and the files")


@router.get("", responses=refusals(422, 503))
def news(
    request: Request,
    *,
    currency: Annotated[str | None, Query(pattern="^[A-Za-z]{3}$")] = None,
    symbol: Annotated[str | None, Query(max_length=64, description="Canonical symbol")] = None,
    feed: Annotated[str | None, Query(max_length=80, description="Its name")] = None,
    category: Annotated[str | None, Query(max_length=40, description="Such as central_bank")] = None,
    text: Annotated[str, Query(max_length=200, description="Words that all stand in title or summary")] = "",
    begin: Annotated[
        AwareDatetime | None, Query(alias="from", description="Published then or later; with an offset")
    ] = None,
    end: Annotated[
        AwareDatetime | None, Query(alias="to", description="Published then or earlier; with an offset")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(max_length=80)] = None,
) -> News:
    """Articles of the cache and of the whole archive, and how each feed does."""
    if begin is not None and end is not None and begin > end:
        raise Invalid("bad_period", f"from {begin} to {end}: a period begins before it ends")
    wanted = Wanted(
        currency=None if currency is None else currency.upper(),
        symbol=symbol,
        feed=feed,
        category=category,
        text=text,
        begin=None if begin is None else require_utc(begin),
        end=None if end is None else require_utc(end),
    )
    return News.model_validate(desk(request).news_reader.page(wanted, cursor=cursor, limit=limit))
