"""/api/integrations: calendar providers, terminal and broker: settings, keys, and whether they answer."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool

from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals
from backend.routes.tagging import IfMatch, tag

router = APIRouter(prefix="/api/integrations", tags=["settings"], route_class=DeskRoute)


class _Told(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Integration(_Told):
    """One of them as it stands."""

    name: str
    kind: str = Field(description="calendar, terminal or broker")
    title: str
    in_use: bool = Field(description="Whether the desk uses it now; of the calendar providers one is")
    host: str | None = Field(description="Which is asked; null where it is none")
    wants_key: bool
    key: str | None = Field(description="The key that is kept, masked; null without one")
    key_problem: str | None = Field(description="Why it cannot be used")
    settings: dict[str, Any] = Field(description="Defaults written out")
    fetched_at: datetime | None = Field(description="When its answer was last kept")
    checked_at: datetime | None = Field(description="When it was last asked, also in vain")
    failures: int | None = Field(description="In a row, since it answered; null where nobody counts them")
    error: str | None = Field(description="The last failure; null after a success")
    next_at: datetime | None = Field(description="Not asked before")


class IntegrationList(BaseModel):
    """All of them, and how often the calendar is asked."""

    update_minutes: int = Field(description="The calendar's provider is asked at most this often")
    max_age_hours: int = Field(description="Calendar data older than this no longer counts as known")
    integrations: list[Integration]


class IntegrationChange(_Body):
    """A change of a calendar provider."""

    choose: StrictBool = Field(False, description="true puts it in use in place of the present one")
    settings: dict[str, Any] = Field(
        default={}, description="JSON merge patch of its settings; null takes a key back to its default"
    )
    update_minutes: int | None = Field(None, description="Of the calendar, whoever provides it")
    max_age_hours: int | None = Field(None, description="Likewise")


class NewKey(_Body):
    """A key or password; it is never told again."""

    key: SecretStr = Field(min_length=1, max_length=500)


class RequestMade(_Told):
    """One request of a try."""

    address: str = Field(description="Without the values of its query")
    host: str
    status: int | None = Field(description="What HTTP called the answer; null where none came")
    bytes: int | None
    seconds: float
    error: str | None = Field(description="Code of what went wrong")


class Tried(_Told):
    """What a try showed. Nothing of it was kept."""

    ok: bool
    said: str = Field(description="One sentence for a person")
    code: str | None = Field(description="Of what went wrong")
    shape: str | None = Field(description="What the answer was found to be")
    seconds: float
    requests: list[RequestMade] = Field(description="What was asked over HTTP")


@router.get("", responses=refusals(422))
def list_integrations(request: Request, response: Response) -> IntegrationList:
    """What the desk is joined to, and how each does."""
    found = desk(request).settings_desks.integrations
    tag(response, found.etag())
    config = found.config()
    return IntegrationList(
        update_minutes=config.update_minutes,
        max_age_hours=config.max_age_hours,
        integrations=[Integration.model_validate(one) for one in found.listed()],
    )


@router.patch("/{name}", responses=refusals(404, 409, 413, 415, 422, 503))
def change_integration(
    request: Request, response: Response, name: str, body: IntegrationChange, if_match: IfMatch = None
) -> Integration:
    """Put a calendar provider in use, or change its settings; the next update follows, without a restart."""
    found = desk(request).settings_desks.integrations
    found.change(
        name,
        actor=actor(request),
        choose=body.choose,
        settings=body.settings,
        schedule=body.model_dump(include={"update_minutes", "max_age_hours"}, exclude_unset=True),
        if_match=if_match or "*",
    )
    return _one(request, response, name)


@router.put("/{name}/key", responses=refusals(404, 413, 415, 422, 503))
def put_key(request: Request, response: Response, name: str, body: NewKey) -> Integration:
    """Keep a provider's key, or the terminal's password, encrypted."""
    keys = desk(request).settings_desks.integrations
    keys.put_key(name, body.key.get_secret_value(), actor=actor(request))
    return _one(request, response, name)


@router.delete("/{name}/key", responses=refusals(404, 422, 503))
def remove_key(request: Request, response: Response, name: str) -> Integration:
    """Forget it."""
    desk(request).settings_desks.integrations.remove_key(name, actor=actor(request))
    return _one(request, response, name)


@router.post("/{name}/test", responses=refusals(404, 422))
def test_integration(request: Request, name: str) -> Tried:
    """Try the connection once, within 20 seconds; what goes wrong is the answer, not an error."""
    return Tried.model_validate(desk(request).settings_desks.integrations.test(name))


def _one(request: Request, response: Response, name: str) -> Integration:
    found = desk(request).settings_desks.integrations
    tag(response, found.etag())
    return Integration.model_validate(found.get(name))
