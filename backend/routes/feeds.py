"""/api/feeds: the news feeds: listed with how each does, added, edited, removed, tried."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from backend.control.feeds import id_of
from backend.core.errors import NotFound
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals
from backend.routes.integrations import Tried
from backend.routes.tagging import IfMatch, tag

router = APIRouter(prefix="/api/feeds", tags=["settings"], route_class=DeskRoute)

Currencies = Annotated[list[str], Field(max_length=20, description="What every article of it concerns")]


class FeedRow(BaseModel):
    """A feed and how it did when the news were last collected."""

    id: str = Field(description="Its own as long as it keeps its name")
    name: str
    url: str
    enabled: bool
    timeout: float = Field(description="Seconds for the whole of a fetch")
    max_bytes: int = Field(description="Larger answers are refused")
    category: str
    currencies: list[str]
    status: str = Field(description="off, never (not asked yet), ok, failed or waiting (as its server asked)")
    answered_at: datetime | None
    newest_at: datetime | None = Field(description="The latest good date of its articles")
    failures: int = Field(description="Since it last answered")
    failed_at: datetime | None
    reason: str | None = Field(description="Why it failed then")
    waiting_until: datetime | None


class FeedList(BaseModel):
    """Every feed that can be used, in the file's order."""

    feeds: list[FeedRow]
    problems: list[str] = Field(description="Entries of config/rss_feeds.json that are left out, and why")


class NewFeed(BaseModel):
    """A feed to add."""

    model_config = ConfigDict(extra="forbid")

    name: str
    url: str
    enabled: StrictBool = True
    timeout: float = 15.0
    max_bytes: int = 10_000_000
    category: str = ""
    currencies: Currencies = []


class FeedChange(BaseModel):
    """What changes of a feed; null takes a field back to its default."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    url: str | None = None
    enabled: StrictBool | None = None
    timeout: float | None = None
    max_bytes: int | None = None
    category: str | None = None
    currencies: Currencies | None = None


class FeedRemoved(BaseModel):
    """A feed that is no more; its articles stay."""

    id: str
    removed: bool


@router.get("", responses=refusals(422))
def list_feeds(request: Request, response: Response) -> FeedList:
    """The feeds, with their state from the last collection."""
    return _listed(request, response)


@router.post("", responses=refusals(409, 413, 415, 422, 503))
def add_feed(request: Request, response: Response, body: NewFeed, if_match: IfMatch = None) -> FeedRow:
    """Add a feed; the next collection asks it."""
    feeds = desk(request).settings_desks.feeds
    feeds.add(body.model_dump(), actor=actor(request), if_match=if_match or "*")
    return _one(request, response, id_of(body.name))


@router.patch("/{feed_id}", responses=refusals(404, 409, 413, 415, 422, 503))
def change_feed(
    request: Request, response: Response, feed_id: str, body: FeedChange, if_match: IfMatch = None
) -> FeedRow:
    """Change a feed or switch it; the next collection follows."""
    patch = body.model_dump(exclude_unset=True)
    feeds = desk(request).settings_desks.feeds
    return _one(
        request,
        response,
        feeds.edit(feed_id, patch, actor=actor(request), if_match=if_match or "*"),
    )


@router.delete("/{feed_id}", responses=refusals(404, 409, 422, 503))
def remove_feed(request: Request, response: Response, feed_id: str, if_match: IfMatch = None) -> FeedRemoved:
    """Take a feed off the list."""
    feeds = desk(request).settings_desks.feeds
    feeds.remove(feed_id, actor=actor(request), if_match=if_match or "*")
    tag(response, feeds.etag())
    return FeedRemoved(id=feed_id, removed=True)


@router.post("/{feed_id}/test", responses=refusals(404, 422))
def test_feed(request: Request, feed_id: str) -> Tried:
    """Fetch and read a feed once, within 20 seconds; what goes wrong is the answer, not an error."""
    return Tried.model_validate(desk(request).settings_desks.feeds.test(feed_id))


def _listed(request: Request, response: Response) -> FeedList:
    feeds = desk(request).settings_desks.feeds
    tag(response, feeds.etag())
    found, problems = feeds.listed()
    rows = [
        FeedRow(
            id=id_of(feed.name),
            **feed.model_dump(),
            status=state.status,
            answered_at=state.answered_at,
            newest_at=state.newest_at,
            failures=state.failures,
            failed_at=state.failed_at,
            reason=state.reason,
            waiting_until=state.waiting_until,
        )
        for feed, state in found
    ]
    return FeedList(feeds=rows, problems=problems)


def _one(request: Request, response: Response, feed_id: str) -> FeedRow:
    for row in _listed(request, response).feeds:
        if row.id == feed_id:
            return row
    raise NotFound("unknown_feed", f"the feed {feed_id} was removed meanwhile", id=feed_id)
