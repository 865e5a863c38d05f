"""/api/trade-ideas: what the desk proposes."""

from itertools import dropwhile, islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from backend.core.errors import Invalid
from backend.routes.access import desk
from backend.routes.errors import refusals, to_json

router = APIRouter(prefix="/api/trade-ideas", tags=["ideas"])

Text = Annotated[str | None, Query(max_length=200)]


class IdeaPage(BaseModel):
    """Trade ideas, newest first."""

    items: list[dict[str, Any]]
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")
    problems: list[dict[str, Any]] = Field(description="Idea files that cannot be read")


@router.get("", response_model=IdeaPage, responses=refusals(422))
def list_ideas(
    request: Request,
    *,
    symbol: Text = None,
    status: Text = None,
    strategy: Annotated[str | None, Query(max_length=200, description="Id of the strategy")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Text = None,
) -> Response:
    """Trade ideas as their files hold them, newest first."""
    ideas, problems = desk(request).ideas.list(), desk(request).ideas.problems()
    if cursor is not None:
        if not any(idea["id"] == cursor for idea in ideas):
            raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
        ideas = list(dropwhile(lambda idea: idea["id"] != cursor, ideas))[1:]
    given = {"symbol": symbol, "status": status, "strategy_id": strategy}
    wanted = {name: value for name, value in given.items() if value is not None}
    found = [idea for idea in ideas if all(idea.get(name) == value for name, value in wanted.items())]
    page = list(islice(found, limit))
    more = len(found) > limit
    answer = {
        "items": page,
        "next_cursor": page[-1]["id"] if more else None,
        "problems": [problem.as_dict() for problem in problems],
    }
    return Response(to_json(answer), media_type="application/json")


@router.get("/{idea_id}", response_model=dict[str, Any], responses=refusals(404))
def get_idea(request: Request, idea_id: str) -> Response:
    """One trade idea."""
    return Response(to_json(desk(request).ideas.get(idea_id)), media_type="application/json")
