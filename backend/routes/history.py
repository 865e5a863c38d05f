"""/api/history: bars out of files and from the terminal, with progress, and what they are worth."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Annotated, Any, Final

from anyio import CancelScope, to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt
from starlette.requests import ClientDisconnect

from backend.core.clock import iso
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.history.incoming import Upload
from backend.history.service import Kept
from backend.jobs.views import JobView
from backend.mt5.server_time import ServerClock
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import error_response, refusals, to_json
from backend.routes.guard import MAX_UPLOAD_BYTES
from backend.routes.lookup import require_symbol
from backend.routes.tasks import Queued

router = APIRouter(prefix="/api/history", tags=["history"], route_class=DeskRoute)

IMPORT_TASK: Final = "backend.tasks.data_tasks.import_history"
FETCH_TASK: Final = "backend.tasks.data_tasks.fetch_history"
_LISTED: Final = 50
_WRITTEN_AT_ONCE: Final = 1_000_000
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The bytes of the file",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class SeriesRow(BaseModel):
    """A series of bars that is kept."""

    kept: Kept = Field(description="desk: from its terminal; imported: out of files. Never mixed")
    symbol: str
    timeframe: Timeframe


class Incoming(BaseModel):
    """A file below data/incoming that can be imported."""

    name: str = Field(description="What an import asks for it by")
    size: int = Field(description="Bytes")
    modified_at: datetime


class SideCounts(BaseModel):
    """What an import did to one side of a series."""

    model_config = ConfigDict(extra="allow")

    bars: int
    first: str | None
    last: str | None
    added: int
    already_there: int


class ImportReport(BaseModel):
    """One import of one series, in short."""

    model_config = ConfigDict(extra="allow")

    report: str | None = Field(description="Name of the whole report; null of a dry run")
    symbol: str
    timeframe: str
    made_at: str
    file_count: int
    verdict: str = Field(description="good, usable or doubtful")
    trust: list[str] = Field(description="What a backtest may trust, line by line")
    bid: SideCounts | None = None
    ask: SideCounts | None = None


class WholeReport(BaseModel):
    """One import of one series with its files, and what the bars are worth."""

    model_config = ConfigDict(extra="allow")

    symbol: str
    timeframe: str
    made_at: str
    files: list[dict[str, Any]]
    notes: list[str]
    quality: dict[str, Any]


class HistoryPage(BaseModel):
    """What is kept, what waits to be imported, and the newest imports."""

    folder: str = Field(description="Of the imported history: a backtest reads it with --data")
    series: list[SeriesRow]
    incoming: list[Incoming]
    reports: list[ImportReport] = Field(description="The newest first")
    jobs: list[JobView] = Field(description="Imports and fetches, the newest first, with progress")


class QualityAnswer(BaseModel):
    """What a series is worth; a corrupt file is told under `problem`."""

    model_config = ConfigDict(extra="allow")

    kept: Kept
    symbol: str
    timeframe: str
    verdict: str = Field(description="good, usable or doubtful")
    trust: list[str] = Field(description="What a backtest may trust, line by line")


class QualityList(BaseModel):
    """Every series that was asked for."""

    series: list[QualityAnswer]


class Uploaded(BaseModel):
    """A file that waits to be imported; it is removed after its import, or after a day."""

    name: str = Field(description="What an import asks for it by")
    size: int


class ImportRequest(BaseModel):
    """What to import, and what only a person can know; as `mt5ui history import`."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field(min_length=1, max_length=200, description="File or folder below data/incoming")
    symbol: str | None = Field(None, min_length=1, max_length=64, description="Else as the files are named")
    tz: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Clock of files that do not state it: server, UTC …",
    )
    digits: StrictInt | None = Field(None, ge=0, le=10, description="Decimals; else as they show")
    skip_bad: StrictBool = Field(False, description="Leave out rows that cannot be, else the file is refused")
    replace: StrictBool = Field(False, description="Take these where other bars were imported before")
    dry_run: StrictBool = Field(False, description="Tell everything, store nothing")


class FetchRequest(BaseModel):
    """Which of the terminal's bars to fetch."""

    model_config = ConfigDict(extra="forbid")

    symbol: str = Field(min_length=1, max_length=64, description="Canonical symbol")
    timeframe: Timeframe = Timeframe.H1
    since: AwareDatetime = Field(description="How far back, with an offset")


@router.get("", responses=refusals())
def history(request: Request) -> HistoryPage:
    """What is kept of the past, and how it came."""
    services = desk(request)
    jobs = [
        job
        for task in (IMPORT_TASK, FETCH_TASK)
        for job in services.jobs.list(task=task, limit=_LISTED).items
    ]
    return HistoryPage(
        folder=str(services.history.folder),
        series=[
            SeriesRow(kept=one.kept, symbol=one.symbol, timeframe=one.timeframe)
            for one in services.history.series()
        ],
        incoming=[Incoming.model_validate(one, from_attributes=True) for one in services.incoming.list()],
        reports=[ImportReport.model_validate(page) for page in services.history.reports(_LISTED)],
        jobs=sorted(jobs, key=lambda job: job.queued_at, reverse=True)[:_LISTED],
    )


@router.get("/reports/{name}", response_model=WholeReport, responses=refusals(404))
def report(
    request: Request, name: Annotated[str, InPath(max_length=200, description="As the list has it")]
) -> Response:
    """The whole report of an import."""
    return Response(to_json(desk(request).history.report(name)), media_type="application/json")


@router.get("/check", responses=refusals(404, 422))
def check(
    request: Request,
    symbol: Annotated[str | None, Query(max_length=64)] = None,
    timeframe: Timeframe | None = None,
    source: Annotated[Kept | None, Query(description="Only of the desk, or only imported")] = None,
) -> QualityList:
    """What a backtest may trust, of every series or of some: as `mt5ui history check`."""
    kept = desk(request).history
    found = kept.series(symbol, timeframe, source)
    return QualityList(series=[QualityAnswer.model_validate(kept.check(one)) for one in found])


@router.post(
    "/uploads", response_model=Uploaded, responses=refusals(400, 413, 415, 422, 503), openapi_extra=_BODY
)
async def upload(
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=120, description="Of the file; tells its symbol")],
) -> Response:
    """Take a file in, straight to the disk; `POST /api/history/imports` imports it then."""
    stack = ExitStack()
    taken = await to_thread.run_sync(stack.enter_context, desk(request).incoming.upload(name))
    try:
        if not await _written(request, taken):
            message = f"A file may have at most {MAX_UPLOAD_BYTES} bytes"
            return error_response(413, "body_too_large", message)
        if not taken.size:
            raise Invalid("empty_file", f"{name} has no content")
        await to_thread.run_sync(taken.keep)
    except ClientDisconnect:
        return error_response(400, "upload_cut_off", f"{name} did not come whole; nothing is kept of it")
    finally:
        with CancelScope(shield=True):  # also where the server ends: what is not whole is removed
            await to_thread.run_sync(stack.close)
    return Response(to_json({"name": taken.name, "size": taken.size}), media_type="application/json")


@router.post("/imports", responses=refusals(404, 413, 415, 422, 503))
def start_import(request: Request, body: ImportRequest) -> Queued:
    """Queue an import; all of it is stored or nothing.

    Its status, progress, result and refusal are those of its job; cancelling that stops it.
    """
    services = desk(request)
    services.incoming.path(body.file)
    if body.tz not in {None, "server"}:
        ServerClock.parse(str(body.tz))
    return Queued(task_id=services.jobs.submit(IMPORT_TASK, dict(_arguments(body)), actor=actor(request)))


@router.post("/fetches", responses=refusals(404, 413, 415, 422, 503))
def start_fetch(request: Request, body: FetchRequest) -> Queued:
    """Queue a fetch of the terminal's older bars; one that was cut off goes on where it stopped."""
    services = desk(request)
    require_symbol(services, body.symbol)
    wanted = {"symbol": body.symbol, "timeframe": str(body.timeframe), "since": iso(body.since)}
    return Queued(task_id=services.jobs.submit(FETCH_TASK, wanted, actor=actor(request)))


def _arguments(body: ImportRequest) -> Iterator[tuple[str, str | int]]:
    """What was said, as the task takes it."""
    for name, value in body.model_dump(exclude_none=True).items():
        yield name, int(value) if isinstance(value, bool) else value


async def _written(request: Request, taken: Upload) -> bool:
    """Write the body as it comes, whatever its size is in memory; False if it is too large."""
    waiting = bytearray()
    async for piece in request.stream():
        waiting += piece
        if taken.size + len(waiting) > MAX_UPLOAD_BYTES:
            return False
        if len(waiting) >= _WRITTEN_AT_ONCE:
            await to_thread.run_sync(taken.add, bytes(waiting))
            waiting.clear()
    await to_thread.run_sync(taken.add, bytes(waiting))
    return True
