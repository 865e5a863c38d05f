"""Who is asking, whether they may, and how a route reaches the services."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute

from backend.routes.errors import REFUSAL
from backend.routes.peers import Peer, Peers
from backend.routes.ports import Desk
from backend.routes.refusing import not_allowed, not_signed_in
from backend.routes.rights import right_of
from backend.routes.submitting import Submitter
from backend.users.model import HERE, Acting, Right
from backend.users.security_log import Happened
from backend.users.service import NOBODY

ACCESS: Final = "access"
REFRESH: Final = "refresh"
DEVICE: Final = "device"
_BEARER: Final = "bearer "


class DeskRoute(APIRoute):
    """A route that asks first who is there and whether they may, before it reads anything else.

    What it asks for stands in `backend.routes.rights`, and in its description as ``x-right``. An error that
    says no shape of its own has that of all refusals.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        self.right = right_of(set(given.get("methods") or {"GET"}), path)
        extra = given.get("openapi_extra") or {}
        open_ = self.right is Right.OPEN
        given["openapi_extra"] = {**extra, "x-right": str(self.right), **({} if open_ else _SECURITY)}
        super().__init__(path, endpoint, **given)
        shaped = {"model", "content"}
        refused = [s for s, told in self.responses.items() if int(s) >= 400 and not told.keys() & shaped]  # noqa: PLR2004 - errors
        self.response_fields |= dict.fromkeys(refused, REFUSAL)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the question."""
        handle = super().get_route_handler()

        async def admitted(request: Request) -> Response:
            await admit(request, self.right)
            return await handle(request)

        return admitted


_SECURITY: Final[Mapping[str, Any]] = {"security": [{"bearer": []}, {"cookie": []}]}


async def admit(request: Request, right: Right) -> None:
    """Find out who asks, and refuse where they may not. An open route finds out only if it wants to know.

    Raises:
        Refused: 401 where nobody is known to ask, 403 where they have not the right.
    """
    if right is Right.OPEN:
        return
    turns: CapacityLimiter = request.app.state.admissions  # of its own: reads that hang keep nobody out
    await to_thread.run_sync(_admit, request, right, limiter=turns)


def _admit(request: Request, right: Right) -> None:
    known = acting(request)
    if known is None:
        raise not_signed_in()
    if not known.may(right):
        told = {"method": request.method, "path": request.scope["route"].path}
        log = desk(request).door.log
        log.note_once(Happened.ACCESS_REFUSED, actor=known.name, address=peer(request).address, **told)
        raise not_allowed()


def acting(request: Request) -> Acting | None:
    """Who asks, found out once a request; None where nobody is known. It reads files: not for the event loop.

    Raises:
        Refused: They came with a token that is none.
    """
    if "acting" not in request.scope:
        request.scope["acting"] = _known(request)
    found: Acting | None = request.scope["acting"]
    return found


def _known(request: Request) -> Acting | None:
    services = desk(request)
    given = request.headers.get("authorization")
    if given is not None:
        token = given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""
        return _of_token(request, token)
    access = request.cookies.get(cookie(request, ACCESS))
    if access is not None and (found := services.door.by_session(access)) is not None:
        return found
    return HERE if peer(request).here and services.why_sign_in is None else None


def _of_token(request: Request, token: str) -> Acting:
    door, asking = desk(request).door, peer(request)
    found = door.by_token(token, here=asking.here)
    if found is None:
        told = {"address": asking.address, "why": "token"}
        door.log.note_once(Happened.ACCESS_REFUSED, actor=NOBODY, **told)
        raise not_signed_in("This token is not valid, or not any more")
    return found


def desk(request: Request) -> Desk:
    """The services of this process."""
    services: Desk = request.app.state.services
    return services


def submitter(request: Request) -> Submitter:
    """What queues the jobs of this process's requests."""
    found: Submitter = request.app.state.submitter
    return found


def peer(request: Request) -> Peer:
    """Where the request comes from."""
    peers: Peers = request.app.state.peers
    return peers.of(request.scope)


def somebody(request: Request) -> Acting:
    """Who asks, on a route that is not open."""
    found = acting(request)
    if found is None:
        raise not_signed_in()
    return found


def actor(request: Request) -> str:
    """The name under which it goes on record. What a client claims to be is ignored."""
    return somebody(request).name


def cookie(request: Request, what: str) -> str:
    """A cookie's name; desks on one machine have one each, since ports do not part cookies."""
    return f"mt5ui_{desk(request).settings.port}_{what}"
