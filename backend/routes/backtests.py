"""/api/backtests: the reports that are kept; the task `POST /api/celery/tasks/ai/backtest` makes them."""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.errors import Invalid
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals, to_json

if TYPE_CHECKING:
    from backend.backtest.kept import KeptBacktests

router = APIRouter(prefix="/api/backtests", tags=["backtests"], route_class=DeskRoute)

_PAGE_POLICY: Final = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The page's own policy, in a document without origin: it reaches neither the desk's cookies nor its API."""

Text = Annotated[str | None, Query(max_length=200)]

_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}}
}


class Period(BaseModel):
    """What was traded over."""

    begin: str = Field(alias="from")
    end: str = Field(alias="to")
    bars: int
    warm_up_bars: int


class KeyFigures(BaseModel):
    """Null where undefined; `undefined` tells why."""

    trades: int
    win_rate_pct: float | None
    net_profit: float | None
    total_return_pct: float | None
    max_drawdown_pct: float | None
    profit_factor: float | None
    expectancy_r: float | None
    sharpe: float | None


class BacktestRow(BaseModel):
    """A kept backtest in short."""

    id: str = Field(description="A hash of all that the result depends on")
    computed_at: str
    strategies: list[str]
    symbols: list[str]
    timeframe: str
    period: Period
    account: dict[str, Any]
    metrics: KeyFigures
    undefined: dict[str, str]
    provenance: dict[str, Any] = Field(description="Hashes and versions of what it was computed from")
    stale: list[str] = Field(
        description="Why a run made now could give something else: engine, strategy. New bars are not judged"
    )


class DamagedBacktest(BaseModel):
    """A folder whose report cannot be read."""

    id: str
    reason: str


class BacktestPage(BaseModel):
    """Kept backtests, the last computed first."""

    items: list[BacktestRow]
    total: int = Field(description="How many pass the filters, on all pages")
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")
    problems: list[DamagedBacktest]


class Backtest(BaseModel):
    """One backtest."""

    row: BacktestRow
    report: dict[str, Any] = Field(description="report.json as it was written; see docs/backtests.md")


class Equity(BaseModel):
    """Equity at closes as columns of the same length, ascending, in the account's currency."""

    id: str
    count: int = Field(description="Closes of that time, of which these points are a part")
    time: list[int] = Field(description="UTC epoch seconds of each close")
    equity: list[float]
    worst: list[float] = Field(description="The lowest since the close before")


class BacktestTrade(BaseModel):
    """A trade of a backtest; money in the account's currency, times UTC."""

    id: int
    symbol: str
    side: Literal["long", "short"]
    volume: float
    signal_time: str
    entry_time: str
    entry_price: float
    initial_stop: float | None
    initial_target: float | None
    exit_time: str
    exit_price: float
    exit_reason: str
    ambiguous: bool
    gross: float
    spread_cost: float
    slippage_cost: float
    gap_cost: float
    commission: float
    swap: float
    net: float
    r: float | None
    mae: float
    mfe: float
    strategy: str


class TradesPage(BaseModel):
    """Trades in the order of the file."""

    items: list[BacktestTrade]
    total: int
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")


class Removed(BaseModel):
    """A backtest that is not kept any more."""

    id: str
    deleted: bool


@router.get("", response_model=BacktestPage, responses=refusals(422))
def list_backtests(
    request: Request,
    *,
    strategy: Text = None,
    symbol: Text = None,
    since: Annotated[
        AwareDatetime | None, Query(alias="from", description="Computed then or later, with an offset")
    ] = None,
    until: Annotated[
        AwareDatetime | None, Query(alias="to", description="Computed before, with an offset")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Text = None,
) -> Response:
    """Kept backtests with their key figures, and whether they are stale."""
    from backend.backtest.kept import Wanted

    wanted = Wanted(strategy=strategy, symbol=symbol, since=since, until=until)
    items, total, following, problems = _kept(request).page(
        wanted, desk(request).strategies.load(), limit=limit, cursor=cursor
    )
    told = {"items": items, "total": total, "next_cursor": following, "problems": problems}
    return Response(to_json(told), media_type="application/json")


@router.get("/{backtest_id}", response_model=Backtest, responses=refusals(404, 422))
def get_backtest(request: Request, backtest_id: str) -> Response:
    """One backtest with its whole report."""
    row, report = _kept(request).one(backtest_id, desk(request).strategies.load())
    return Response(to_json({"row": row, "report": report}), media_type="application/json")


@router.get("/{backtest_id}/equity", response_model=Equity, responses=refusals(404, 422))
def get_equity(
    request: Request,
    backtest_id: str,
    *,
    points: Annotated[int, Query(ge=5, le=20_000, description="At most so many")] = 2000,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="With an offset")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="With an offset")] = None,
) -> Response:
    """The equity curve; thinned so that the highest, lowest and worst of each part stay."""
    told = _kept(request).equity(backtest_id, most=points, since=since, until=until)
    return Response(to_json({"id": backtest_id, **told}), media_type="application/json")


@router.get("/{backtest_id}/trades", responses=refusals(404, 422))
def get_trades(
    request: Request,
    backtest_id: str,
    *,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: Annotated[str | None, Query(max_length=12)] = None,
) -> TradesPage:
    """Its trades."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
        raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
    start = int(cursor or 0)
    rows, total = _kept(request).trades(backtest_id, start=start, limit=limit)
    following = start + len(rows)
    return TradesPage(
        items=[
            BacktestTrade.model_validate({name: cell or None for name, cell in row.items()}) for row in rows
        ],
        total=total,
        next_cursor=str(following) if rows and following < total else None,
    )


@router.get("/{backtest_id}/report.html", response_class=Response, responses=_PAGE | refusals(404, 422))
def get_page(request: Request, backtest_id: str) -> Response:
    """The report as one page to look at, shut in: it may draw, and reaches nothing."""
    return Response(
        _kept(request).page_html(backtest_id),
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _PAGE_POLICY},
    )


@router.delete("/{backtest_id}", responses=refusals(404, 422, 503))
def delete_backtest(request: Request, backtest_id: str) -> Removed:
    """Keep it no longer; its files are removed."""
    _kept(request).remove(backtest_id)
    return Removed(id=backtest_id, deleted=True)


def _kept(request: Request) -> "KeptBacktests":
    """What this process remembers of the reports; the tester's code is loaded with the first question."""
    from backend.backtest.kept import KeptBacktests

    state = request.app.state
    if not hasattr(state, "backtests"):
        state.backtests = KeptBacktests(desk(request).storage)
    found: KeptBacktests = state.backtests
    return found
