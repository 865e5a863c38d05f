"""/openapi.json: what the API has, for those who may read."""

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

from backend.routes.access import DeskRoute
from backend.routes.errors import to_json

router = APIRouter(route_class=DeskRoute)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """The description of this API."""
    return Response(to_json(request.app.openapi()), media_type="application/json")


def written(app: FastAPI) -> bytes:
    """The description as `console/openapi.json` holds it, from which the console's types are made."""
    return orjson.dumps(app.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
