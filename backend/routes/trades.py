"""/api/trades: what the desk has closed, with the broker's figures, tags, notes and statistics."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from backend.backtest.measures import Measures
from backend.backtest.trade_statistics import By, by_day, figures, grouped
from backend.mt5.server_time import ServerClock
from backend.orders.trade_list import TradeFilter, TradePage, trades_page
from backend.orders.trade_notes import Note, TradeNotes
from backend.orders.trades_table import table
from backend.routes.access import DeskRoute, actor, desk
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
    tags: list[str]
    note: str


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


class NoteView(BaseModel):
    """What somebody said of a trade."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Of the trade")
    tags: list[str]
    note: str
    by: str
    at: datetime


class NoteHistory(BaseModel):
    """All that was ever said of a trade, the newest first; the first is in force."""

    items: list[NoteView]


class NewNote(BaseModel):
    """What to say of a trade, in place of what was said before."""

    model_config = ConfigDict(extra="forbid")

    tags: list[str] = Field(default=[], max_length=100, description="Each once, whatever its case")
    note: str = ""


class Figures(BaseModel):
    """Figures as a backtest's report defines them; null has its reason in `undefined`."""

    values: dict[str, float | int | None] = Field(
        description="net, trades, wins, win_rate_pct, profit_factor, expectancy, expectancy_r, average_win, "
        "average_loss, max_drawdown_of_closed (below the highest sum of closed results) ...; unknown counts "
        "trades whose result is not known, which are in no other figure"
    )
    undefined: dict[str, str]


class Group(Figures):
    """The figures of one group."""

    name: str = Field(description="Empty for trades of persons, without a tag, or without a time of entry")


class Statistics(BaseModel):
    """Closed trades by group."""

    by: By
    total: Figures
    groups: list[Group] = Field(description="A trade with several tags stands in the group of each")
    problems: list[FileFault]


class Day(BaseModel):
    """One of the broker's days on which trades were closed."""

    day: str = Field(description="YYYY-MM-DD on the broker's clock")
    trades: int
    unknown: int = Field(description="Trades whose result is not known")
    net: float | None = Field(description="Of the others; null where there are none")


class Days(BaseModel):
    """For a calendar; days without a closed trade are left out."""

    clock: str = Field(description="The rule of the broker's clock")
    days: list[Day]
    problems: list[FileFault]


MOST: Final = 200_000
_TABLE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "One row a trade"}
}


def _notes(request: Request) -> TradeNotes:
    services = desk(request)
    return TradeNotes(FileStorage(services.settings.home), services.storage, services.clock)


def _wanted(
    request: Request,
    *,
    since: Annotated[AwareDatetime | None, Query(description="Closed at or after")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Closed before")] = None,
    symbol: str | None = None,
    strategy: Annotated[str | None, Query(description="Its id; empty for trades of persons")] = None,
    side: Literal["long", "short"] | None = None,
    exit_reason: str | None = None,
    tag: Annotated[str | None, Query(description="In any case; empty for trades without one")] = None,
) -> "_Asked":
    notes = _notes(request).all()
    wanted = TradeFilter(
        since=since, until=until, symbol=symbol, strategy=strategy, side=side, exit_reason=exit_reason
    )
    if tag is not None:
        with_tag = {one.id for one in notes.values() if tag.casefold() in map(str.casefold, one.tags)}
        tagged = {one.id for one in notes.values() if one.tags}
        wanted = replace(wanted, ids=frozenset(with_tag)) if tag else replace(wanted, but=frozenset(tagged))
    return _Asked(home=FileStorage(desk(request).settings.home), wanted=wanted, notes=notes)


class _Asked:
    """What a request asks for, with all notes."""

    def __init__(self, *, home: FileStorage, wanted: TradeFilter, notes: dict[str, Note]) -> None:
        self.notes = notes
        self._home = home
        self._wanted = wanted

    def page(self, limit: int, cursor: str | None = None) -> TradePage:
        """Trades that are wanted, the newest first."""
        return trades_page(self._home, self._wanted, limit=limit, cursor=cursor)

    def noted(self, row: dict[str, Any]) -> TradeRow:
        """A row with what was said of it."""
        note = self.notes.get(row["id"])
        said = {"tags": [], "note": ""} if note is None else {"tags": note.tags, "note": note.note}
        return TradeRow.model_validate({**row, **said})


Asked = Annotated[_Asked, Depends(_wanted)]


@router.get("", responses=refusals(422))
def list_trades(
    asked: Asked, *, limit: Annotated[int, Query(ge=1, le=500)] = 100, cursor: str | None = None
) -> TradeList:
    """Closed trades of the desk, also those that are archived."""
    page = asked.page(limit, cursor)
    return TradeList(
        items=[asked.noted(row) for row in page.rows], next_cursor=page.cursor, problems=_faults(page)
    )


@router.get("/statistics", responses=refusals(422))
def statistics(asked: Asked, *, by: By = By.SYMBOL) -> Statistics:
    """What closed trades earned, all together and by group."""
    page = asked.page(MOST)
    tags = {one.id: one.tags for one in asked.notes.values()}
    return Statistics(
        by=by,
        total=Figures(**_told(figures(page.rows))),
        groups=[Group(name=name, **_told(found)) for name, found in grouped(page.rows, by, tags)],
        problems=_faults(page),
    )


@router.get("/days", responses=refusals(422))
def days(request: Request, asked: Asked) -> Days:
    """The net result of each of the broker's days."""
    clock = ServerClock.parse(desk(request).settings.server_clock)
    page = asked.page(MOST)
    return Days(
        clock=clock.rule,
        days=[Day(**day) for day in by_day(page.rows, clock)],
        problems=_faults(page),
    )


@router.get("/csv", response_class=Response, responses=_TABLE | refusals(422))
def as_csv(asked: Asked) -> Response:
    """Closed trades with tags and notes, for a spreadsheet; a text that it would compute begins with '."""
    text = table(asked.page(MOST).rows, asked.notes)
    headers = {"Content-Disposition": 'attachment; filename="trades.csv"'}
    return Response(text, media_type="text/csv", headers=headers)


@router.get("/{trade_id}/notes", responses=refusals(404))
def show_notes(request: Request, trade_id: str) -> NoteHistory:
    """What was said of a trade."""
    return NoteHistory(items=[NoteView.model_validate(one) for one in _notes(request).of(trade_id)])


@router.put("/{trade_id}/notes", responses=refusals(404, 413, 415, 422, 503))
def put_note(request: Request, trade_id: str, body: NewNote) -> NoteView:
    """Tag a closed trade and note something on it; what was said before stays on record."""
    kept = _notes(request).put(trade_id, tags=body.tags, note=body.note, actor=actor(request))
    return NoteView.model_validate(kept)


def _faults(page: TradePage) -> list[FileFault]:
    return [FileFault.model_validate(one.as_dict()) for one in page.problems]


def _told(measures: Measures) -> dict[str, Any]:
    return {"values": measures.values, "undefined": measures.undefined}
