"""/api/symbols: what the desk watches, what the broker calls it, and how it is traded."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from backend.market.specifications import as_values
from backend.market.symbols import SymbolRow
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals
from backend.routes.ports import Desk
from backend.routes.tagging import IfMatch, tag

router = APIRouter(prefix="/api/symbols", tags=["settings"], route_class=DeskRoute)

Lots = Annotated[Decimal, Field(gt=0, le=100_000, max_digits=12, decimal_places=6)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+&-]{0,28}$", description="The desk's name")]


class Watched(BaseModel):
    """A row of the symbol map, and the specification that is stored."""

    canonical: str
    broker_symbol: str
    enabled: bool = Field(description="Whether the desk collects and evaluates it")
    min_vol: Decimal | None = Field(description="Least lots that you want; null leaves it to the broker")
    vol_step: Decimal | None = Field(description="Likewise, between volumes")
    comment: str
    specification: dict[str, Any] | None = Field(
        description="As the terminal stated it last; exact numbers as text"
    )
    stated_at: datetime | None = Field(description="When it did, desk time")
    why_none: str | None = Field(description="Why there is no specification")


class RowProblem(BaseModel):
    """A row that is left out."""

    line: int
    key: str
    reason: str


class SymbolList(BaseModel):
    """Every row, in the file's order."""

    symbols: list[Watched]
    problems: list[RowProblem]


class NewSymbol(BaseModel):
    """A row to add."""

    model_config = ConfigDict(extra="forbid")

    canonical: Name
    broker_symbol: str = Field(min_length=1, max_length=29)
    enabled: StrictBool = True
    min_vol: Lots | None = None
    vol_step: Lots | None = None
    comment: str = Field("", max_length=200)


class SymbolChange(BaseModel):
    """What changes of a row; a volume of null leaves it to the broker."""

    model_config = ConfigDict(extra="forbid")

    broker_symbol: str = Field("", min_length=1, max_length=29, description="Stays, if absent; so the others")
    enabled: StrictBool = True
    min_vol: Lots | None = None
    vol_step: Lots | None = None
    comment: str = Field("", max_length=200)


@router.get("", responses=refusals(422))
def list_symbols(request: Request, response: Response) -> SymbolList:
    """The symbols of the map, with their stored specifications."""
    services = desk(request)
    symbols = services.settings_desks.symbols
    tag(response, symbols.etag())
    found = symbols.map()
    return SymbolList(
        symbols=[_row(services, row) for row in found.rows],
        problems=[RowProblem(**{key: one[key] for key in RowProblem.model_fields}) for one in found.problems],
    )


@router.post("", responses=refusals(404, 409, 413, 415, 422, 503))
def add_symbol(request: Request, response: Response, body: NewSymbol, if_match: IfMatch = None) -> Watched:
    """Add a symbol to the map; every process follows at its next look."""
    symbols = desk(request).settings_desks.symbols
    symbols.add(SymbolRow(**body.model_dump()), actor=actor(request), if_match=if_match or "*")
    return _one(request, response, body.canonical)


@router.patch("/{symbol}", responses=refusals(404, 409, 413, 415, 422, 503))
def change_symbol(
    request: Request, response: Response, symbol: str, body: SymbolChange, if_match: IfMatch = None
) -> Watched:
    """Switch a symbol on or off, or change what the broker calls it."""
    patch = body.model_dump(exclude_unset=True)
    symbols = desk(request).settings_desks.symbols
    symbols.edit(symbol, patch, actor=actor(request), if_match=if_match or "*")
    return _one(request, response, symbol)


def _one(request: Request, response: Response, symbol: str) -> Watched:
    services = desk(request)
    tag(response, services.settings_desks.symbols.etag())
    return _row(services, services.settings_desks.symbols.map().row(symbol))


def _row(services: Desk, row: SymbolRow) -> Watched:
    stated, why = services.settings_desks.symbols.specification(row.canonical)
    return Watched(
        canonical=row.canonical,
        broker_symbol=row.broker_symbol,
        enabled=row.enabled,
        min_vol=row.min_vol,
        vol_step=row.vol_step,
        comment=row.comment,
        specification=None if stated is None else as_values(stated.instrument),
        stated_at=None if stated is None else stated.as_of,
        why_none=why or None,
    )
