"""/api/strategies, reading: the strategy files as they load, what is wrong with them, and their language."""

from dataclasses import asdict
from itertools import dropwhile
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from backend.core.timeframes import Timeframe
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals, to_json
from backend.routes.ports import Desk
from backend.strategies.files import LoadedStrategies
from backend.strategies.model import Strategy, dumped
from backend.strategies.schema import strategy_schema
from backend.strategies.sessions import SESSIONS
from backend.strategies.validation import facts_table, functions_table, series_table

router = APIRouter(prefix="/api/strategies", tags=["strategies"], route_class=DeskRoute)

Text = Annotated[str | None, Query(max_length=200)]


class Problem(BaseModel):
    """An entry of a file that is not used, and why."""

    file: str
    pointer: str = Field(description="JSON pointer; empty for the file as a whole")
    reason: str
    column: int | None = Field(None, description="Of a condition: where in its text, from 1")


class Strategies(BaseModel):
    """Valid strategies, disabled ones too, in the order of their ids."""

    strategies: list[dict[str, Any]] = Field(description="Each as its file states it, defaults written out")
    total: int = Field(description="How many pass the filters, on all pages")
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")
    problems: list[Problem] = Field(description="Files that are not used, whatever the filters")


class Problems(BaseModel):
    """What is wrong in strategy and profile files; empty where all is well."""

    problems: list[Problem]


class Fact(BaseModel):
    """A named fact that conditions may use."""

    name: str
    formula: str
    meaning: str


class Facts(BaseModel):
    """Every named fact."""

    facts: list[Fact]


class Word(BaseModel):
    """A function or series of expressions."""

    name: str
    usage: str = Field(description="How it is written; what has a default may be left out")
    gives: str = Field(description="number or condition")
    meaning: str


class SessionHours(BaseModel):
    """When a session is on: whole hours of a city's own clock."""

    name: str
    zone: str = Field(description="Whose clock, such as Europe/London")
    start: int = Field(description="Its first hour")
    end: int = Field(description="The hour at which it is over")


class Language(BaseModel):
    """What expressions are made of, for completion in an editor."""

    series: list[Word]
    functions: list[Word]
    sessions: list[SessionHours]


@router.get("", responses=refusals(422))
def list_strategies(
    request: Request,
    *,
    symbol: Text = None,
    timeframe: Timeframe | None = None,
    enabled: bool | None = None,
    text: Annotated[
        str | None, Query(max_length=200, description="Part of id, name or description, in any case")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Text = None,
) -> Strategies:
    """Every valid strategy that passes the filters, in the order of ids."""
    loaded = desk(request).strategies.load()
    words = (text or "").casefold()
    found = sorted(
        (
            one
            for one in loaded.strategies
            if (symbol is None or symbol in one.traded_symbols)
            and (timeframe is None or one.timeframe is timeframe)
            and (enabled is None or one.enabled is enabled)
            and words in f"{one.id}\n{one.name}\n{one.description}".casefold()
        ),
        key=lambda one: one.id,
    )
    rest = found
    if cursor is not None:
        rest = list(dropwhile(lambda one: one.id <= cursor, found))
    page = rest[:limit]
    return Strategies(
        strategies=[dumped(strategy) for strategy in page],
        total=len(found),
        next_cursor=page[-1].id if len(rest) > limit else None,
        problems=_problems(desk(request), loaded),
    )


@router.get("/problems", responses=refusals())
def problems(request: Request) -> Problems:
    """File, JSON pointer and reason of each entry that is left out; the others go on."""
    return Problems(problems=_problems(desk(request), desk(request).strategies.load()))


@router.get("/schema", response_model=dict[str, Any], responses=refusals())
def schema() -> Response:
    """JSON Schema of a strategy file, for editors."""
    return Response(to_json(strategy_schema()), media_type="application/json")


@router.get("/facts", responses=refusals())
def facts() -> Facts:
    """The named facts with formula and meaning."""
    return Facts(facts=[Fact(**fact) for fact in facts_table()])


@router.get("/language", responses=refusals())
def language() -> Language:
    """The series and functions of expressions with usage and meaning, and the hours of the sessions."""
    return Language(
        series=[Word(**word) for word in series_table()],
        functions=[Word(**word) for word in functions_table()],
        sessions=[SessionHours(name=name, **asdict(hours)) for name, hours in SESSIONS.items()],
    )


@router.get("/{strategy_id}", response_model=Strategy, responses=refusals(404, 422))
def get_strategy(request: Request, strategy_id: str) -> Response:
    """One strategy, with the tag of its file in ETag; 422 with the problems where it cannot be used."""
    services = desk(request)
    _, etag = services.strategy_repository.source(strategy_id)  # before: an older tag only costs a retry
    strategy = services.strategies.load().get(strategy_id)
    return Response(to_json(dumped(strategy)), media_type="application/json", headers={"ETag": f'"{etag}"'})


def _problems(services: Desk, loaded: LoadedStrategies) -> list[Problem]:
    """What keeps files from being used: mistakes, and enabled strategies that could never act."""
    found = [Problem(**problem.as_dict()) for problem in loaded.problems]
    never = [
        Problem(file=f"strategies/{strategy.id}.json", **problem)
        for strategy in loaded.strategies
        if strategy.enabled
        for problem in services.strategy_repository.problems_of(strategy)
    ]
    return found + never
