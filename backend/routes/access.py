"""How a route reaches the services, and who is asking."""

from typing import Final

from fastapi import Request

from backend.routes.ports import Desk

LOCAL_ACTOR: Final = "local"


def desk(request: Request) -> Desk:
    """The services of this process."""
    services: Desk = request.app.state.services
    return services


def actor(request: Request) -> str:
    """Who asks: `local` where there is no sign-in. What a client claims to be is ignored."""
    del request
    return LOCAL_ACTOR
