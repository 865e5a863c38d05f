"""/api/strategies/{id}, over stored bars: what its conditions say at one, and what it computes at many."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.bars import Bars
from backend.core.clock import require_utc
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.ideas.explained import explain_strategy, series_of_strategy
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals, to_json
from backend.routes.lookup import require_symbol
from backend.routes.ports import Desk

router = APIRouter(prefix="/api/strategies", tags=["strategies"], route_class=DeskRoute)

MOST_BARS: Final = 5000

At = Annotated[
    AwareDatetime | None,
    Query(description="The newest bar closed by then, with an offset; now if absent"),
]
Symbol = Annotated[str | None, Query(max_length=64, description="The strategy's first symbol if absent")]


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


class IndicatorSeries(BaseModel):
    """An indicator that a condition uses."""

    text: str
    values: list[float | None] = Field(description="null where it is undefined")


class ConditionSeries(BaseModel):
    """A condition of the file."""

    role: str
    pointer: str = Field(description="JSON pointer to it in the file")
    condition: str
    meaning: str
    holds: list[bool | None] = Field(description="null where it is undefined")


class SideSeries(BaseModel):
    """One direction."""

    direction: str
    signal: list[bool]
    conditions: list[ConditionSeries]


class StrategySeries(BaseModel):
    """What a strategy computes; every list has one entry a bar, the oldest first."""

    strategy: str
    symbol: str
    timeframe: str
    times: list[int] = Field(description="When each bar opened, seconds since 1970 UTC")
    indicators: list[IndicatorSeries]
    in_session: list[bool]
    sides: list[SideSeries]


@router.get("/{strategy_id}/explain", response_model=Explanation, responses=refusals(404, 422))
def explain(request: Request, strategy_id: str, *, at: At = None, symbol: Symbol = None) -> Response:
    """Each condition's truth and operands at one stored bar."""
    services = desk(request)
    loaded = services.strategies.load()
    strategy = loaded.get(strategy_id)
    symbol = strategy.traded_symbols[0] if symbol is None else symbol
    require_symbol(services, symbol)
    profile = loaded.profile(symbol)
    told = explain_strategy(strategy, profile, symbol, _stored(services), at=_moment(services, at))
    return Response(to_json(told), media_type="application/json")


@router.get("/{strategy_id}/series", response_model=StrategySeries, responses=refusals(404, 422))
def series(
    request: Request,
    strategy_id: str,
    *,
    until: At = None,
    symbol: Symbol = None,
    bars: Annotated[int, Query(ge=1, le=MOST_BARS, description="How many bars")] = 500,
) -> Response:
    """Its indicators, and the truth of each condition, at the newest stored bars: what a chart shows."""
    services = desk(request)
    loaded = services.strategies.load()
    strategy = loaded.get(strategy_id)
    symbol = strategy.traded_symbols[0] if symbol is None else symbol
    require_symbol(services, symbol)
    told = series_of_strategy(
        strategy,
        loaded.profile(symbol),
        symbol,
        _stored(services),
        until=_moment(services, until),
        count=bars,
    )
    return Response(to_json(told), media_type="application/json")


def _moment(services: Desk, at: datetime | None) -> datetime | None:
    moment = None if at is None else require_utc(at)
    if moment is not None and moment > services.clock.now():
        raise Invalid("in_the_future", f"{at} is later than the desk's time; no bar has closed by then")
    return moment


def _stored(services: Desk) -> Callable[[str, Timeframe, int, datetime | None], Bars]:
    def bars(symbol: str, timeframe: Timeframe, count: int, until: datetime | None) -> Bars:
        return services.market.bars(symbol, timeframe, count=count, until=until)

    return bars
