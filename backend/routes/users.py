"""/api/users, /api/tokens and /api/security: who there is, what programs may, and what happened."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from backend.core.errors import Invalid
from backend.routes.access import DeskRoute, desk, somebody
from backend.routes.errors import refusals
from backend.routes.session import Ended, Password, with_session
from backend.users.directory import User
from backend.users.model import Role
from backend.users.tokens import Token

router = APIRouter(prefix="/api", tags=["users"], route_class=DeskRoute)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewUser(_Body):
    """Somebody who may sign in from now on."""

    name: str = Field(max_length=64)
    role: Role
    password: Password


class UserChange(_Body):
    """What shall be different; what is left out stays."""

    role: Role | None = None
    disabled: StrictBool | None = None


class PasswordOfAnother(_Body):
    """The password of a user, set by an owner."""

    password: Password


class UserView(BaseModel):
    """One user, without what proves them."""

    name: str
    role: Role
    disabled: bool
    made_at: datetime
    password_set_at: datetime


class UserList(BaseModel):
    """Everybody who may sign in, or might again."""

    users: list[UserView]


class NewToken(_Body):
    """A way in for a program that acts as oneself."""

    label: str = Field(min_length=1, max_length=80, description="What it is for")
    scope: Role = Field(Role.VIEWER, description="The most it may; at most one's own role")
    days: StrictInt = Field(90, ge=1, le=365, description="How long it is valid")


class TokenView(BaseModel):
    """One token, without its text."""

    id: str
    user: str
    label: str
    scope: Role
    made_at: datetime
    expires_at: datetime


class MadeToken(TokenView):
    """A token that was just made."""

    token: str = Field(description="Shown this once: the desk keeps only its fingerprint")


class TokenList(BaseModel):
    """The tokens that are valid."""

    tokens: list[TokenView]


class Revoked(BaseModel):
    """The token that ended."""

    revoked: str


class SecurityEvents(BaseModel):
    """From the journal, the newest first."""

    events: list[dict[str, Any]] = Field(
        description="seq, at (wall time), actor, event, and what it is about"
    )


@router.get("/users", responses=refusals(503))
def list_users(request: Request) -> UserList:
    """Every user."""
    return UserList(users=[_user(user) for user in desk(request).door.directory.all()])


@router.post("/users", responses=refusals(409, 413, 415, 422, 503))
def add_user(request: Request, body: NewUser) -> UserView:
    """Add a user."""
    me = with_session(request)
    return _user(desk(request).management.add(body.name, body.role, body.password, actor=me.name))


@router.patch("/users/{name}", responses=refusals(404, 409, 413, 415, 422, 503))
def change_user(request: Request, name: str, body: UserChange) -> UserView:
    """Give a user another role, or keep them out. It holds with their next request."""
    me = with_session(request)
    management = desk(request).management
    if body.role is None and body.disabled is None:
        raise Invalid("nothing_to_change", "say which role, or whether the user is disabled")
    if body.role is not None:
        management.set_role(name, body.role, actor=me.name)
    if body.disabled is not None:
        management.set_disabled(name, disabled=body.disabled, actor=me.name)
    return _user(desk(request).door.directory.get(name))


@router.put("/users/{name}/password", responses=refusals(404, 413, 415, 422, 503))
def set_password(request: Request, name: str, body: PasswordOfAnother) -> UserView:
    """Give a user another password, and end their sessions."""
    me = with_session(request)
    desk(request).management.set_password(name, body.password, actor=me.name)
    return _user(desk(request).door.directory.get(name))


@router.delete("/users/{name}/sessions", responses=refusals(404, 503))
def end_users_sessions(request: Request, name: str) -> Ended:
    """End every session of a user."""
    me = somebody(request)
    user = desk(request).door.directory.get(name)
    return Ended(ended=desk(request).door.end_sessions(user.name, actor=me.name))


@router.get("/tokens", responses=refusals(503))
def list_tokens(request: Request) -> TokenList:
    """One's own tokens, the newest first; an owner sees everybody's."""
    me = somebody(request)
    door = desk(request).door
    whose = None if me.role is Role.OWNER else me.name
    return TokenList(tokens=[_token(token) for token in door.tokens.all(door.now(), whose)])


@router.post("/tokens", responses=refusals(404, 409, 413, 415, 422, 503))
def make_token(request: Request, body: NewToken) -> MadeToken:
    """A token for a program that acts as oneself."""
    me = with_session(request)
    token, text = desk(request).management.make_token(
        me.name, body.scope, label=body.label, lasts=timedelta(days=body.days), actor=me.name
    )
    return MadeToken.model_validate({**token.shown(), "token": text})


@router.delete("/tokens/{token_id}", responses=refusals(404, 503))
def revoke_token(request: Request, token_id: str) -> Revoked:
    """End a token: of one's own, or as owner anybody's."""
    me = somebody(request)
    whose = None if me.role is Role.OWNER else me.name
    desk(request).management.revoke_token(token_id, actor=me.name, user=whose)
    return Revoked(revoked=token_id)


@router.get("/security/events", responses=refusals(422, 503))
def list_security_events(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="`seq` of the last one seen")] = None,
) -> SecurityEvents:
    """Sign-ins, refusals, and changes of users, tokens and secrets."""
    log = desk(request).door.log
    return SecurityEvents(events=[dict(event) for event in log.newest(before=before, limit=limit)])


def _user(user: User) -> UserView:
    return UserView.model_validate(user.shown())


def _token(token: Token) -> TokenView:
    return TokenView.model_validate(token.shown())
