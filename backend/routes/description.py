"""/openapi.json: what the API has, for those who may read."""

from fastapi import APIRouter, Request, Response

from backend.routes.access import DeskRoute
from backend.routes.errors import to_json

router = APIRouter(route_class=DeskRoute)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """The description of this API."""
    return Response(to_json(request.app.openapi()), media_type="application/json")
