"""/api/strategies, reading: the strategy files as they load, what is wrong with them, and their language."""

from collections.abc import Callable
from datetime import datetime
from itertools import dropwhile
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.bars import Bars
from backend.core.clock import require_utc
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.ideas.explained import explain_strategy
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals, to_json
from backend.routes.lookup import require_symbol
from backend.routes.ports import Desk
from backend.strategies.files import LoadedStrategies
from backend.strategies.model import Strategy, dumped
from backend.strategies.schema import strategy_schema
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


class Language(BaseModel):
    """What expressions are made of, for completion in an editor."""

    series: list[Word]
    functions: list[Word]


class Operand(BaseModel):
    """A value that a condition compares."""

    text: str
    value: float | None = Field(description="null where it is undefined")
    timeframe: str
    bar: str | None = Field(description="Open of the bar at which it was read")


class Part(BaseModel):
    """A condition inside a condition."""

    text: str
    holds: bool | None = Field(description="null where it is undefined")
    operands: list[Operand]
    parts: list["Part"]


class ExplainedCondition(BaseModel):
    """A condition of the file at the bar."""

    role: str
    pointer: str = Field(description="JSON pointer to it in the file")
    condition: str
    meaning: str
    formula: str = Field(description="Of a fact: its expression with the file's numbers")
    needs: dict[str, int] = Field(description="Bars of each timeframe that it needs")
    holds: bool | None
    operands: list[Operand]
    parts: list[Part]


class ExplainedSide(BaseModel):
    """One direction at the bar."""

    direction: str
    signal: bool
    entry: bool
    exit: bool
    invalidation: bool
    strong: float = Field(description="Fraction of strong conditions that hold")
    weak: float
    conditions: list[ExplainedCondition]


class ExplainedBar(BaseModel):
    """A bar; spread in points, null where unknown."""

    timeframe: str
    opened: str
    closed: str
    open: float
    high: float
    low: float
    close: float
    volume: int
    spread: int | None


class Warmth(BaseModel):
    """How many bars of a timeframe are needed, are there, and make the beginning forgotten."""

    timeframe: str
    needed: int
    available: int
    settled: int


class Explanation(BaseModel):
    """What every condition of a strategy says at one bar."""

    strategy: str
    symbol: str
    timeframe: str
    at: str | None = Field(description="The time asked for")
    note: str | None = Field(description="Where a newer bar should be there")
    bar: ExplainedBar
    longer_bars: list[ExplainedBar] = Field(description="The newest of each longer timeframe that it sees")
    needs: list[Warmth]
    sessions: list[str]
    in_session: bool
    conflict: bool
    atr: float | None
    target: float | None
    sides: list[ExplainedSide]


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
    """The series and functions of expressions with usage and meaning."""
    return Language(
        series=[Word(**word) for word in series_table()],
        functions=[Word(**word) for word in functions_table()],
    )


@router.get("/{strategy_id}", response_model=Strategy, responses=refusals(404, 422))
def get_strategy(request: Request, strategy_id: str) -> Response:
    """One strategy, with the tag of its file in ETag; 422 with the problems where it cannot be used."""
    services = desk(request)
    _, etag = services.strategy_repository.source(strategy_id)  # before: an older tag only costs a retry
    strategy = services.strategies.load().get(strategy_id)
    return Response(to_json(dumped(strategy)), media_type="application/json", headers={"ETag": f'"{etag}"'})


@router.get("/{strategy_id}/explain", response_model=Explanation, responses=refusals(404, 422))
def explain(
    request: Request,
    strategy_id: str,
    *,
    at: Annotated[
        AwareDatetime | None,
        Query(description="The newest bar closed by then, with an offset; now if absent"),
    ] = None,
    symbol: Annotated[
        str | None, Query(max_length=64, description="The strategy's first symbol if absent")
    ] = None,
) -> Response:
    """Each condition's truth and operands at one stored bar."""
    services = desk(request)
    loaded = services.strategies.load()
    strategy = loaded.get(strategy_id)
    symbol = strategy.traded_symbols[0] if symbol is None else symbol
    require_symbol(services, symbol)
    moment = None if at is None else require_utc(at)
    if moment is not None and moment > services.clock.now():
        raise Invalid("in_the_future", f"{at} is later than the desk's time; no bar has closed by then")
    told = explain_strategy(strategy, loaded.profile(symbol), symbol, _stored(services), at=moment)
    return Response(to_json(told), media_type="application/json")


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


def _stored(services: Desk) -> Callable[[str, Timeframe, int, datetime | None], Bars]:
    def bars(symbol: str, timeframe: Timeframe, count: int, until: datetime | None) -> Bars:
        return services.market.bars(symbol, timeframe, count=count, until=until)

    return bars
