"""/api/strategies, writing: create, replace, switch, duplicate, delete, and the versions before."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from backend.core.errors import Invalid, NotFound
from backend.evaluation.conditions import compile_strategy
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals, to_json
from backend.routes.ports import Desk
from backend.strategies.model import Strategy, dumped
from backend.strategies.repository import Saved

router = APIRouter(prefix="/api/strategies", tags=["strategies"], route_class=DeskRoute)

_REFUSALS: Final = refusals(404, 409, 413, 415, 422, 503)
_DOCUMENT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A strategy file; /api/strategies/schema is its JSON Schema with the named facts",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Strategy"}}},
    }
}

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        description="The ETag of the content that was read; * for whatever is there",
    ),
]


async def _body(request: Request) -> bytes:
    return await request.body()


Document = Annotated[bytes, Depends(_body)]


class SavedStrategy(BaseModel):
    """A strategy as it stands in its file now; the next evaluation uses it."""

    id: str
    etag: str = Field(description="Also in the ETag header; give it in If-Match with the next change")
    strategy: Strategy


class Deleted(BaseModel):
    """A strategy that is no more; its versions stay."""

    id: str
    deleted: bool


class ProblemAt(BaseModel):
    """What is wrong at one place of a document."""

    pointer: str = Field(description="JSON pointer; empty for the document as a whole")
    reason: str
    column: int | None = Field(None, description="Of a condition: where in its text, from 1")


class NeededBars(BaseModel):
    """Bars of a timeframe without which nothing is decided, and after which the beginning is forgotten."""

    timeframe: str
    needed: int
    settled: int


class Validation(BaseModel):
    """Whether a document could be saved."""

    valid: bool
    problems: list[ProblemAt]
    warnings: list[ProblemAt] = Field(description="What does not keep it from being saved")
    needs: list[NeededBars] | None = Field(description="null where it is not valid")


class Toggle(BaseModel):
    """On or off; without it, the other of both."""

    model_config = ConfigDict(extra="forbid")

    enabled: StrictBool | None = None


class Duplicate(BaseModel):
    """How the copy differs."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=200, description="Id of the copy")
    name: str | None = Field(None, max_length=200, description="Its name; the original's if absent")
    enabled: StrictBool = Field(False, description="A copy is switched off unless this says otherwise")


class Source(BaseModel):
    """A file as it is, valid or not."""

    id: str
    etag: str
    text: str


class VersionRow(BaseModel):
    """One content that the file had."""

    version: int
    at: str = Field(description="When it was saved or, for an edit by hand, found")
    by: str = Field(description="Who saved it; file for an edit by hand")
    action: str = Field(description="create, replace, enable, disable, duplicate, edit (by hand) or delete")
    etag: str | None = Field(description="Of the content; null for a deletion")


class VersionList(BaseModel):
    """Every version, the newest first."""

    id: str
    versions: list[VersionRow]


class VersionContent(VersionRow):
    """One version and what stood in the file."""

    text: str


@router.post("", response_model=SavedStrategy, responses=_REFUSALS, openapi_extra=_DOCUMENT)
def create(request: Request, document: Document) -> Response:
    """Save a new strategy."""
    return _saved(desk(request).strategy_repository.create(document, actor=actor(request)))


@router.post("/validate", responses=refusals(413, 415, 422), openapi_extra=_DOCUMENT)
def validate(request: Request, document: Document) -> Validation:
    """What would be refused, without saving anything."""
    services = desk(request)
    try:
        strategy = services.strategy_repository.validate(document)
    except Invalid as error:
        found = error.details["problems"]
        return Validation(valid=False, problems=[ProblemAt(**one) for one in found], warnings=[], needs=None)
    compiled = compile_strategy(strategy)
    return Validation(
        valid=True,
        problems=[],
        warnings=_warnings(services, strategy),
        needs=[
            NeededBars(timeframe=str(timeframe), needed=bars, settled=compiled.history[timeframe])
            for timeframe, bars in compiled.requirements.items()
        ],
    )


@router.put("/{strategy_id}", response_model=SavedStrategy, responses=_REFUSALS, openapi_extra=_DOCUMENT)
def replace(request: Request, strategy_id: str, document: Document, if_match: IfMatch = None) -> Response:
    """Save another content; 409 if somebody changed the file since the content in If-Match."""
    if not if_match:
        raise Invalid(
            "if_match_missing",
            "Say in If-Match which content you change: the ETag that you read, or * for whatever is there",
        )
    repository = desk(request).strategy_repository
    return _saved(repository.replace(strategy_id, document, if_match=if_match, actor=actor(request)))


@router.delete("/{strategy_id}", responses=refusals(404, 409, 422, 503))
def delete(request: Request, strategy_id: str, if_match: IfMatch = None) -> Deleted:
    """Remove a strategy. What it proposed stays, and so do its versions."""
    repository = desk(request).strategy_repository
    repository.delete(strategy_id, if_match=if_match or "*", actor=actor(request))
    return Deleted(id=strategy_id, deleted=True)


@router.post("/{strategy_id}/toggle", response_model=SavedStrategy, responses=_REFUSALS)
def toggle(
    request: Request, strategy_id: str, body: Toggle | None = None, if_match: IfMatch = None
) -> Response:
    """Switch a strategy on or off."""
    saved = desk(request).strategy_repository.set_enabled(
        strategy_id,
        enabled=None if body is None else body.enabled,
        if_match=if_match or "*",
        actor=actor(request),
    )
    return _saved(saved)


@router.post("/{strategy_id}/duplicate", response_model=SavedStrategy, responses=_REFUSALS)
def duplicate(request: Request, strategy_id: str, body: Duplicate) -> Response:
    """Copy a strategy under another id."""
    saved = desk(request).strategy_repository.duplicate(
        strategy_id, body.id, name=body.name, enabled=body.enabled, actor=actor(request)
    )
    return _saved(saved)


@router.get("/{strategy_id}/source", response_model=Source, responses=refusals(404))
def source(request: Request, strategy_id: str) -> Response:
    """The file as it is, also where it is broken, so that it can be mended."""
    data, etag = desk(request).strategy_repository.source(strategy_id)
    return _tagged({"id": strategy_id, "etag": etag, "text": data.decode(errors="replace")}, etag)


@router.get("/{strategy_id}/versions", responses=refusals(404))
def versions(request: Request, strategy_id: str) -> VersionList:
    """Every content that the file had; a deleted strategy's too."""
    found = desk(request).strategy_repository.versions(strategy_id)
    return VersionList(
        id=strategy_id, versions=[VersionRow.model_validate(one, from_attributes=True) for one in found]
    )


@router.get("/{strategy_id}/versions/{number}", responses=refusals(404))
def version(request: Request, strategy_id: str, number: int) -> VersionContent:
    """What stood in the file, to look at or to save again."""
    found, data = desk(request).strategy_repository.version(strategy_id, number)
    row = VersionRow.model_validate(found, from_attributes=True)
    return VersionContent(**row.model_dump(), text=data.decode(errors="replace"))


def _warnings(services: Desk, strategy: Strategy) -> list[ProblemAt]:
    found = []
    for index, symbol in enumerate(strategy.traded_symbols):
        pointer = "/symbol" if strategy.symbol is not None and index == 0 else "/symbols"
        try:
            row = services.symbols.row(symbol)
        except NotFound as error:
            found.append(ProblemAt(pointer=pointer, reason=error.message))
            continue
        if not row.enabled:
            reason = f"{symbol} is switched off in config/symbol_map.csv, so nothing is evaluated on it"
            found.append(ProblemAt(pointer=pointer, reason=reason))
    return found


def _saved(saved: Saved) -> Response:
    strategy = saved.strategy
    return _tagged({"id": strategy.id, "etag": saved.etag, "strategy": dumped(strategy)}, saved.etag)


def _tagged(answer: dict[str, Any], etag: str) -> Response:
    return Response(to_json(answer), media_type="application/json", headers={"ETag": f'"{etag}"'})
