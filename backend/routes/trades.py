"""/api/trades: what the desk has closed, with the broker's figures."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from backend.orders.trade_list import TradeFilter, trades_page
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals
from backend.storage.files import FileStorage

router = APIRouter(prefix="/api/trades", tags=["trading"], route_class=DeskRoute)

Money = Annotated[float | None, Field(description="Account currency; null where it is not known")]


class TradeRow(BaseModel):
    """A closed trade. What is not known live is null, never 0."""

    id: str = Field(description="Of its trade idea")
    symbol: str
    side: Literal["long", "short"]
    volume: float = Field(description="Lots, all that was closed of it")
    signal_time: datetime | None
    entry_time: datetime
    entry_price: float | None
    initial_stop: float | None
    initial_target: float | None
    exit_time: datetime
    exit_price: float | None = Field(description="Mean of all its exits")
    exit_reason: str
    ambiguous: bool | None
    gross: Money
    spread_cost: Money
    slippage_cost: Money
    gap_cost: Money
    commission: Money = Field(description="Paid; above 0 is a cost")
    swap: Money = Field(description="Below 0 is a cost")
    net: Money
    r: float | None = Field(description="Net ÷ what the first stop would have lost")
    mae: Money
    mfe: Money
    strategy: str | None = Field(description="Null for a person's trade")


class FileFault(BaseModel):
    """A line of a file that is no trade."""

    file: str
    pointer: str = Field(description="Its line; empty for the file as a whole")
    reason: str


class TradeList(BaseModel):
    """Closed trades, the newest first."""

    items: list[TradeRow]
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")
    problems: list[FileFault]


@router.get("", responses=refusals(422))
def list_trades(
    request: Request,
    *,
    since: Annotated[AwareDatetime | None, Query(description="Closed at or after")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Closed before")] = None,
    symbol: str | None = None,
    strategy: Annotated[str | None, Query(description="Its id; empty for trades of persons")] = None,
    side: Literal["long", "short"] | None = None,
    exit_reason: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: str | None = None,
) -> TradeList:
    """Closed trades of the desk, also those that are archived."""
    wanted = TradeFilter(
        since=since, until=until, symbol=symbol, strategy=strategy, side=side, exit_reason=exit_reason
    )
    page = trades_page(FileStorage(desk(request).settings.home), wanted, limit=limit, cursor=cursor)
    return TradeList(
        items=[TradeRow.model_validate(row) for row in page.rows],
        next_cursor=page.cursor,
        problems=[FileFault.model_validate(one.as_dict()) for one in page.problems],
    )
