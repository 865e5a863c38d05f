"""/api/market: prices and bars of one symbol."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.bars import COLUMNS
from backend.core.clock import age_seconds, iso
from backend.core.timeframes import Timeframe
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals, to_json
from backend.routes.lookup import require_symbol

router = APIRouter(prefix="/api/market", tags=["market"], route_class=DeskRoute)


class QuoteAnswer(BaseModel):
    """The latest price. Prices are text, exact to the symbol's digits."""

    symbol: str
    time: datetime
    bid: str
    ask: str
    spread: str
    volume: int | None
    age_seconds: float = Field(
        description="From the tick to the desk's time; large while the market is closed"
    )


class BarsAnswer(BaseModel):
    """Closed bars as columns of the same length, ascending; null with a reason where none is stored."""

    symbol: str
    timeframe: Timeframe
    count: int
    age_seconds: float | None = Field(description="From the end of the last bar to the desk's time")
    reason: str | None
    time: list[int] | None = Field(description="UTC epoch seconds of each open")
    server_time: list[int] | None = Field(description="The same on the broker's clock")
    open: list[float] | None
    high: list[float] | None
    low: list[float] | None
    close: list[float] | None
    volume: list[int] | None
    spread: list[int] | None = Field(description="Points; 0 is unknown")


@router.get("/{symbol}/quote", response_model=QuoteAnswer, responses=refusals(404, 503))
def quote(request: Request, symbol: str) -> Response:
    """Bid and ask as the terminal has them now; 503 where it does not answer."""
    services = desk(request)
    require_symbol(services, symbol)
    tick = services.terminal.quote(symbol, with_volume=True)
    answer = {
        "symbol": tick.symbol,
        "time": iso(tick.time),
        "bid": str(tick.bid),
        "ask": str(tick.ask),
        "spread": str(tick.spread),
        "volume": tick.volume,
        "age_seconds": round(age_seconds(tick.time, services.clock.now()), 3),
    }
    return Response(to_json(answer), media_type="application/json")


@router.get("/{symbol}/bars", response_model=BarsAnswer, responses=refusals(404, 422))
def bars(
    request: Request,
    symbol: str,
    *,
    timeframe: Timeframe = Timeframe.H1,
    count: Annotated[int, Query(ge=1, le=5000)] = 300,
    until: Annotated[AwareDatetime | None, Query(description="Bars closed by then, with an offset")] = None,
) -> Response:
    """Closed bars from the market store, also while the terminal is away; they carry their age."""
    services = desk(request)
    require_symbol(services, symbol)
    found = services.market.bars(symbol, timeframe, count=count, until=until)
    columns = {name: getattr(found, name).tolist() if len(found) else None for name in COLUMNS}
    age, reason = None, None
    if len(found):
        end = found.opened(len(found) - 1) + timedelta(seconds=timeframe.seconds)
        age = round(age_seconds(end, services.clock.now()), 3)
    else:
        reason = f"no closed bars of {symbol} {timeframe} are stored for that time"
    answer = {
        "symbol": symbol,
        "timeframe": str(timeframe),
        "count": len(found),
        "age_seconds": age,
        "reason": reason,
        **columns,
    }
    return Response(to_json(answer), media_type="application/json")
