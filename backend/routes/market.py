"""/api/market: prices, bars, ticks and the specification of one symbol, and what its bars are worth."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.bars import COLUMNS
from backend.core.clock import age_seconds, from_epoch, parse_iso
from backend.core.errors import DeskError, Invalid
from backend.core.timeframes import Timeframe
from backend.history.service import Kept
from backend.market.specifications import as_values
from backend.market.watchlist import seen_ticks
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals, to_json
from backend.routes.history import QualityAnswer
from backend.routes.lookup import require_symbol
from backend.routes.ports import Desk

router = APIRouter(prefix="/api/market", tags=["market"], route_class=DeskRoute)

MOST_BARS: Final = 100_000
MOST_TICKS: Final = 10_000

T = TypeVar("T")

Until = Annotated[AwareDatetime | None, Query(description="Bars closed by then, with an offset")]
Since = Annotated[AwareDatetime | None, Query(description="Opened then or later, with an offset")]


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


class SpecificationAnswer(BaseModel):
    """How the symbol is traded; exact numbers are text."""

    as_of: datetime = Field(description="When the broker stated it")
    age_seconds: float
    live: bool = Field(description="False: the terminal is down, and this is the stored one")
    instrument: dict[str, Any]


class SeriesAnswer(BaseModel):
    """A series of bars that is stored."""

    kept: Kept = Field(description="desk: from its terminal; imported: out of files")
    timeframe: Timeframe


class SymbolAnswer(BaseModel):
    """What the desk knows of a symbol; null with a reason where it does not."""

    symbol: str
    broker_symbol: str
    enabled: bool = Field(description="Collected and evaluated")
    quote: QuoteAnswer | None
    quote_reason: str | None
    specification: SpecificationAnswer | None
    specification_reason: str | None
    series: list[SeriesAnswer]


class BarsAnswer(BaseModel):
    """Closed bars as columns of the same length, ascending; null with a reason where none is stored."""

    symbol: str
    timeframe: Timeframe
    made_of: Timeframe = Field(description="The same, or the stored shorter timeframe that they are made of")
    count: int
    age_seconds: float | None = Field(description="From the end of the last bar to the desk's time")
    reason: str | None
    next_cursor: str | None = Field(
        description="Of the page before, older; after an empty page there is none"
    )
    time: list[int] | None = Field(description="UTC epoch seconds of each open")
    server_time: list[int] | None = Field(description="The same on the broker's clock")
    open: list[float] | None
    high: list[float] | None
    low: list[float] | None
    close: list[float] | None
    volume: list[int] | None
    spread: list[int] | None = Field(description="Points; 0 is unknown")


class TicksAnswer(BaseModel):
    """Ticks that the desk saw when it looked, as columns of the same length, ascending.

    No terminal's stream of ticks is stored: these are those of `collect-market-data`.
    """

    symbol: str
    count: int
    reason: str | None
    next_cursor: str | None = Field(description="Of the page before, older; null at the beginning")
    time: list[str] | None
    bid: list[float] | None
    ask: list[float] | None
    spread: list[int] | None = Field(description="Points")
    volume: list[int | None] | None = Field(description="Ticks of the minute; null where none is told")


class QualityPages(BaseModel):
    """What a backtest may trust, a page a series; see docs/history.md."""

    symbol: str
    series: list[QualityAnswer]


@router.get("/{symbol}", responses=refusals(404))
def symbol_page(request: Request, symbol: str) -> SymbolAnswer:
    """Quote, specification and stored series; also while the terminal is away."""
    services = desk(request)
    row = require_symbol(services, symbol)
    quote, why_no_quote = _or_reason(lambda: _quote(services, symbol))
    dated, why_no_specification = _or_reason(lambda: services.market.dated_instrument(symbol))
    specification = None
    if dated is not None:
        specification = SpecificationAnswer(
            as_of=dated.as_of,
            age_seconds=round(dated.age(services.clock.now()), 3),
            live=dated.live,
            instrument=as_values(dated.instrument),
        )
    return SymbolAnswer(
        symbol=symbol,
        broker_symbol=row.broker_symbol,
        enabled=row.enabled,
        quote=quote,
        quote_reason=why_no_quote,
        specification=specification,
        specification_reason=why_no_specification,
        series=[
            SeriesAnswer(kept=one.kept, timeframe=one.timeframe)
            for one in services.history.series()
            if one.symbol == symbol
        ],
    )


@router.get("/{symbol}/quote", response_model=QuoteAnswer, responses=refusals(404, 503))
def quote(request: Request, symbol: str) -> Response:
    """Bid and ask as the terminal has them now; 503 where it does not answer."""
    services = desk(request)
    require_symbol(services, symbol)
    answer = _quote(services, symbol)
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get("/{symbol}/bars", response_model=BarsAnswer, responses=refusals(404, 422))
def bars(
    request: Request,
    symbol: str,
    *,
    timeframe: Timeframe = Timeframe.H1,
    count: Annotated[int, Query(ge=1, le=MOST_BARS)] = 300,
    until: Until = None,
    since: Since = None,
    cursor: Annotated[
        str | None,
        Query(max_length=20, pattern=r"^\d+$", description="The older page, as the one before said"),
    ] = None,
) -> Response:
    """The newest closed bars of the market store, also while the terminal is away; they carry their age.

    A timeframe that is not stored is made of a shorter one by the desk's rule for that.
    """
    services = desk(request)
    require_symbol(services, symbol)
    end = until if cursor is None else _moment(cursor)
    found, made_of = services.market.chart(symbol, timeframe, count=count, until=end, since=since)
    columns = {name: getattr(found, name) if len(found) else None for name in COLUMNS}
    age, reason, following = None, None, None
    if len(found):
        closed = found.opened(len(found) - 1) + timedelta(seconds=timeframe.seconds)
        age = round(age_seconds(closed, services.clock.now()), 3)
        following = str(int(found.time[0]))
    else:
        reason = f"no closed bars of {symbol} {timeframe} are stored for that time"
    answer = {
        "symbol": symbol,
        "timeframe": str(timeframe),
        "made_of": str(made_of),
        "count": len(found),
        "age_seconds": age,
        "reason": reason,
        "next_cursor": following,
        **columns,
    }
    return Response(to_json(answer), media_type="application/json")


@router.get("/{symbol}/ticks", response_model=TicksAnswer, responses=refusals(404, 422))
def ticks(
    request: Request,
    symbol: str,
    *,
    count: Annotated[int, Query(ge=1, le=MOST_TICKS)] = 1000,
    until: Annotated[AwareDatetime | None, Query(description="Before that moment, with an offset")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Then or later, with an offset")] = None,
    cursor: Annotated[
        str | None, Query(max_length=40, description="The older page, as the one before said")
    ] = None,
) -> Response:
    """The newest ticks that were recorded of a watched symbol."""
    services = desk(request)
    require_symbol(services, symbol)
    end = until if cursor is None else parse_iso(cursor)
    rows, more = seen_ticks(services.storage, symbol, count=count, until=end, since=since)
    keys = {"time": "tick_time", "bid": "bid", "ask": "ask", "spread": "spread", "volume": "volume"}
    answer = {
        "symbol": symbol,
        "count": len(rows),
        "reason": None if rows else f"no ticks of {symbol} are recorded for that time",
        "next_cursor": rows[0]["tick_time"] if more else None,
        **{name: [row.get(key) for row in rows] if rows else None for name, key in keys.items()},
    }
    return Response(to_json(answer), media_type="application/json")


@router.get("/{symbol}/quality", responses=refusals(404, 422))
def quality(
    request: Request,
    symbol: str,
    timeframe: Timeframe | None = None,
    source: Annotated[Kept | None, Query(description="Only of the desk, or only imported")] = None,
) -> QualityPages:
    """Coverage, gaps, outliers, daylight saving and costs of each stored series: as `mt5ui history check`."""
    services = desk(request)
    require_symbol(services, symbol)
    found = services.history.series(symbol, timeframe, source)
    pages = [QualityAnswer.model_validate(services.history.check(one)) for one in found]
    return QualityPages(symbol=symbol, series=pages)


def _or_reason(look: Callable[[], T]) -> tuple[T | None, str | None]:
    """What was found, or why it was not."""
    try:
        return look(), None
    except DeskError as error:
        return None, error.message


def _moment(cursor: str) -> datetime:
    try:
        return from_epoch(int(cursor))
    except (ValueError, OverflowError, OSError):
        raise Invalid("bad_cursor", f"{cursor!r} is no cursor of a page of bars") from None


def _quote(services: Desk, symbol: str) -> QuoteAnswer:
    tick = services.terminal.quote(symbol, with_volume=True)
    return QuoteAnswer(
        symbol=tick.symbol,
        time=tick.time,
        bid=str(tick.bid),
        ask=str(tick.ask),
        spread=str(tick.spread),
        volume=tick.volume,
        age_seconds=round(age_seconds(tick.time, services.clock.now()), 3),
    )
