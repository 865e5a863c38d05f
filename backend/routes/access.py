"""How a route reaches the services, and who is asking."""

from typing import Final

from fastapi import Request

from backend.routes.ports import Desk
from backend.routes.submitting import Submitter

LOCAL_ACTOR: Final = "local"


def desk(request: Request) -> Desk:
    """The services of this process."""
    services: Desk = request.app.state.services
    return services


def submitter(request: Request) -> Submitter:
    """What queues the jobs of this process's requests."""
    found: Submitter = request.app.state.submitter
    return found


def actor(request: Request) -> str:
    """Who asks: `local` where there is no sign-in. What a client claims to be is ignored."""
    del request
    return LOCAL_ACTOR
