"""/api/session: signing in and out, and who one is."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.config import is_loopback
from backend.routes.access import ACCESS, DEVICE, REFRESH, DeskRoute, acting, cookie, desk, peer, somebody
from backend.routes.errors import refusals
from backend.routes.refusing import Refused
from backend.users.model import Acting, Refusal, Role, Way
from backend.users.service import ACCESS_LASTS, DEVICE_LASTS, SignedIn

router = APIRouter(prefix="/api", tags=["sign-in"], route_class=DeskRoute)

_REFRESH_PATH: Final = "/api/session/refresh"
_TOO_MANY: Final = "too_many_attempts"

Password = Annotated[str, Field(max_length=256, json_schema_extra={"format": "password"})]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class SignIn(_Body):
    """Who wants in."""

    name: str = Field(max_length=64)
    password: Password


class NewPassword(_Body):
    """Another password for oneself."""

    present: Password = Field(description="The one that holds now")
    password: Password


class Me(BaseModel):
    """Who is asking, as the desk sees it."""

    sign_in: str = Field(description="`needed` or `not needed`")
    why: str = Field(description="Why it is needed, or who everybody is where it is not")
    name: str | None = Field(description="null where nobody is signed in")
    role: Role | None
    way: Way | None = Field(description="local: this machine, without sign-in, or its own token")


class SessionView(BaseModel):
    """One browser that is signed in."""

    id: str
    user: str
    made_at: datetime
    renewed_at: datetime
    expires_at: datetime
    address: str = Field(description="Where they signed in from")
    agent: str = Field(description="What the browser called itself")
    this: bool = Field(description="Whether it is the one that asks")


class SessionList(BaseModel):
    """The sessions that live."""

    sessions: list[SessionView]


class Ended(BaseModel):
    """How many sessions ended."""

    ended: int


@router.get("/session", responses=refusals())
def show_session(request: Request) -> Me:
    """Who is asking, and whether this desk asks for sign-in."""
    return _me(request, acting(request))


@router.post("/session", responses=refusals(413, 415, 422, 429, 503))
def sign_in(request: Request, response: Response, body: SignIn) -> Me:
    """Sign in with name and password; what proves it is in cookies that no script can read."""
    came = desk(request).door.sign_in(
        body.name,
        body.password,
        address=peer(request).address,
        agent=request.headers.get("user-agent", ""),
        device=request.cookies.get(cookie(request, DEVICE), ""),
    )
    return _let_in(request, response, came)


@router.post("/session/refresh", responses=refusals(413, 415, 422, 503))
def refresh_session(request: Request, response: Response) -> Me:
    """A new access cookie for a session that lives. One that was renewed before ends the session."""
    secret = request.cookies.get(cookie(request, REFRESH), "")
    return _let_in(request, response, desk(request).door.renew(secret, address=peer(request).address))


@router.delete("/session", responses=refusals(503))
def sign_out(request: Request, response: Response) -> Me:
    """Sign out here."""
    desk(request).door.sign_out(somebody(request))
    for what, path in ((ACCESS, "/"), (REFRESH, _REFRESH_PATH)):
        response.delete_cookie(cookie(request, what), path=path)
    return _me(request, None)


@router.put("/session/password", responses=refusals(413, 415, 422, 429, 503))
def change_own_password(request: Request, body: NewPassword) -> Me:
    """Change one's own password. Every other session of one's own ends."""
    me = with_session(request)
    if me.way is Way.LOCAL:
        raise Refused(403, "no_password", "`local` has no password: sign in as the user whose it is")
    refusal = desk(request).management.change_own(
        me, body.present, body.password, address=peer(request).address
    )
    if refusal is not None:
        raise refused(refusal, 403)
    return _me(request, me)


@router.get("/sessions", responses=refusals(503))
def list_sessions(request: Request) -> SessionList:
    """One's own sessions, the newest first; an owner sees everybody's."""
    me = somebody(request)
    services = desk(request)
    whose = None if me.role is Role.OWNER else me.name
    found = services.door.sessions.all(services.door.now(), whose)
    return SessionList(
        sessions=[SessionView.model_validate({**one.shown(), "this": one.id == me.id}) for one in found]
    )


@router.delete("/sessions", responses=refusals(503))
def sign_out_everywhere(request: Request) -> Ended:
    """End every session of one's own, this one too."""
    me = somebody(request)
    return Ended(ended=desk(request).door.end_sessions(me.name, actor=me.name))


@router.delete("/sessions/{session_id}", responses=refusals(404, 503))
def end_session(request: Request, session_id: str) -> Ended:
    """End one session: of one's own, or as owner anybody's."""
    me = somebody(request)
    whose = None if me.role is Role.OWNER else me.name
    desk(request).door.end_session(session_id, actor=me.name, user=whose)
    return Ended(ended=1)


def with_session(request: Request) -> Acting:
    """Who asks, where a program's token is not enough: it could make others, and outlive its end."""
    me = somebody(request)
    if me.way is Way.TOKEN:
        raise Refused(403, "not_with_a_token", "This needs a person who signed in, not a program's token")
    return me


def refused(refusal: Refusal, status: int) -> Refused:
    """What was refused, as an answer; too many attempts are always 429."""
    if refusal.wait is None:
        return Refused(status, refusal.code, refusal.message)
    return Refused(429, _TOO_MANY, refusal.message, {"Retry-After": str(max(1, round(refusal.wait)))})


def _let_in(request: Request, response: Response, came: SignedIn | Refusal) -> Me:
    if isinstance(came, Refusal):
        raise refused(came, 401)
    given = {
        ACCESS: (came.access, "/", ACCESS_LASTS),
        REFRESH: (came.refresh, _REFRESH_PATH, came.lasts),
        DEVICE: (came.device, "/api/session", DEVICE_LASTS),
    }
    for what, (value, path, lasts) in given.items():
        if value:
            response.set_cookie(
                cookie(request, what),
                value,
                max_age=int(lasts.total_seconds()),
                path=path,
                httponly=True,
                samesite="strict",
                secure=not is_loopback(request.url.hostname or ""),
            )
    return _me(request, came.acting)


def _me(request: Request, who: Acting | None) -> Me:
    why = desk(request).why_sign_in
    said: dict[str, Any] = {
        "sign_in": "not needed" if why is None else "needed",
        "why": "everybody on this machine is `local`, with an owner's rights; no real money is here"
        if why is None
        else why
        if who is not None
        else "sign in to read it",
        "name": None if who is None else who.name,
        "role": None if who is None else who.role,
        "way": None if who is None else who.way,
    }
    return Me.model_validate(said)
