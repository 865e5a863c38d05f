"""/api/celery: one typed endpoint a task, and how a task stands.

Each POST answers once the job's row is in the ledger and the broker has taken it. Nothing here asks
a worker; what workers do is read from the files that they keep.
"""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from backend.core.errors import Conflict
from backend.jobs.service import JobRequest
from backend.jobs.views import JobState, WorkerView
from backend.routes.access import DeskRoute, actor, desk, submitter
from backend.routes.errors import refusals, to_json
from backend.routes.lookup import require_strategy, require_symbol
from backend.strategies.fields import MAX_RISK_FRACTION, Fraction, Real
from backend.strategies.files import require_traded
from backend.trading.desk import Mode

router = APIRouter(prefix="/api/celery", tags=["celery"], route_class=DeskRoute)

_AI: Final = "backend.tasks.ai_tasks."
_DATA: Final = "backend.tasks.data_tasks."
_MAINTENANCE: Final = "backend.tasks.maintenance_tasks."

_QUEUE_REFUSALS: Final = refusals(413, 415, 422, 503)
_NAMED_REFUSALS: Final = refusals(404, 409, 413, 415, 422, 503)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="Asking again with the same key gives the task that the first request made",
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoParameters(_Body):
    """The task takes none; an empty body and `{}` are the same."""


class SymbolBody(_Body):
    """One symbol."""

    symbol: str = Field(min_length=1, max_length=64, description="Canonical symbol, such as EURUSD")


class BacktestBody(_Body):
    """What to backtest."""

    symbol: str = Field(min_length=1, max_length=64, description="Canonical symbol, such as EURUSD")
    strategy_name: str = Field(min_length=1, max_length=200, description="Id or name of a strategy")
    days: StrictInt = Field(30, ge=1, le=3650, description="How many days of history, up to now")
    mode: Mode | None = Field(None, description="Who decides, instead of the desk's mode")
    balance: Annotated[Real, Field(gt=0)] | None = Field(None, description="At the start, account currency")
    risk: Annotated[Fraction, Field(gt=0, le=MAX_RISK_FRACTION)] | None = Field(
        None, description="Of one trade, as a fraction: 0.01 is 1 %; instead of the strategy's and the desk's"
    )
    commission_per_lot: Annotated[Real, Field(ge=0)] | None = Field(
        None, description="Account currency per lot and side"
    )
    slippage_points: Annotated[Real, Field(ge=0)] | None = Field(
        None, description="Of a market or stop order"
    )
    spread_points: Annotated[StrictInt, Field(ge=0)] | None = Field(
        None, description="The spread is at least so wide in each hour"
    )


class _Upkeep(_Body):
    dry_run: StrictBool = Field(default=False, description="Tell what would be done, and do nothing")


class KeepLogsBody(_Upkeep):
    """How long logs are kept."""

    days_to_keep: StrictInt = Field(30, ge=1, le=3650)


class KeepCacheBody(_Upkeep):
    """How long cache files are kept."""

    days_to_keep: StrictInt = Field(7, ge=1, le=3650)


class KeepTradesBody(_Upkeep):
    """How long trade logs stay before they are archived."""

    days_to_keep: StrictInt = Field(90, ge=1, le=3650)


class OptimizeBody(_Upkeep):
    """Whether CSV files are rewritten."""


class TaskQueued(BaseModel):
    """The task is accepted: its row is in the ledger."""

    task_id: str
    status: Literal["pending"]
    message: str


class TaskError(BaseModel):
    """Why a task did not succeed."""

    category: str
    code: str
    message: str
    details: dict[str, Any]


class TaskProgress(BaseModel):
    """How much of a running task is done, of how much, in its own units: bars of a backtest."""

    done: int
    total: int


class TaskStatus(BaseModel):
    """How a task stands. Times are UTC; what is not known yet is null."""

    task_id: str
    status: Literal["pending", "started", "retry", "success", "failure", "revoked"]
    result: dict[str, Any] | None
    error: str | None = Field(description="In a sentence why it did not succeed")
    error_detail: TaskError | None
    state: JobState = Field(description="The ledger's finer word for the status")
    task: str
    queue: str
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    retries: int
    worker: str | None
    progress: TaskProgress | None = Field(description="While it runs, as far as it tells")


class ActiveTasks(BaseModel):
    """What each worker runs, from the files that the workers keep."""

    active: dict[str, list[dict[str, Any]]]
    scheduled: dict[str, list[dict[str, Any]]]
    timestamp: datetime
    ages: dict[str, float] = Field(description="Seconds since each worker last said what it does")
    reason: str | None = Field(description="Why nothing is known, where nothing is")


class WorkerStats(BaseModel):
    """Numbers of each worker, from the files that the workers keep."""

    stats: dict[str, dict[str, Any]]
    timestamp: datetime
    ages: dict[str, float] = Field(description="Seconds since each worker last said how it is")
    reason: str | None = Field(description="Why nothing is known, where nothing is")


async def _queue(
    request: Request, task: str, what: str, kwargs: dict[str, Any] | None = None, key: str | None = None
) -> Response:
    given = kwargs or {}
    if key is None:
        task_id = await submitter(request).submit(JobRequest(task=task, kwargs=given, actor=actor(request)))
    else:
        # The same key with other arguments is another request, never the answer to this one.
        once = f"api:{sha256(to_json([task, given, key])).hexdigest()}"
        jobs, who = desk(request).jobs, actor(request)
        task_id = await to_thread.run_sync(lambda: jobs.submit(task, given, actor=who, key=once))
    # Written here: FastAPI would go through a thread to write so small an answer.
    answer = {"task_id": task_id, "status": "pending", "message": f"{what} is queued"}
    return Response(to_json(answer), media_type="application/json")


@router.post("/tasks/ai/evaluate-all", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def evaluate_all(
    request: Request, _: NoParameters | None = None, key: IdempotencyKey = None
) -> Response:
    """Evaluate every enabled strategy of every enabled symbol."""
    return await _queue(request, _AI + "evaluate_all_strategies", "Evaluation of all strategies", key=key)


@router.post("/tasks/ai/evaluate-symbol", response_model=TaskQueued, responses=_NAMED_REFUSALS)
async def evaluate_symbol(request: Request, body: SymbolBody, key: IdempotencyKey = None) -> Response:
    """Evaluate every enabled strategy of one symbol."""
    row = await to_thread.run_sync(require_symbol, desk(request), body.symbol)
    if not row.enabled:
        raise Conflict(
            "symbol_disabled",
            f"{body.symbol} is disabled in config/symbol_map.csv; enable it there to evaluate it",
            symbol=body.symbol,
        )
    what = f"Evaluation of {body.symbol}"
    return await _queue(request, _AI + "evaluate_single_symbol", what, {"symbol": body.symbol}, key)


@router.post("/tasks/ai/backtest", response_model=TaskQueued, responses=_NAMED_REFUSALS)
async def backtest(request: Request, body: BacktestBody, key: IdempotencyKey = None) -> Response:
    """Backtest one strategy on one symbol's history."""
    await to_thread.run_sync(require_symbol, desk(request), body.symbol)
    strategy = await to_thread.run_sync(require_strategy, desk(request), body.strategy_name)
    require_traded(strategy, body.symbol)
    what = f"Backtest of {strategy.id} on {body.symbol} over {body.days} days"
    kwargs = body.model_dump(mode="json", exclude_none=True) | {"strategy_name": strategy.id}
    return await _queue(request, _AI + "backtest_strategy", what, kwargs, key)


@router.post("/tasks/data/collect-market-data", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def collect_market_data(
    request: Request, _: NoParameters | None = None, key: IdempotencyKey = None
) -> Response:
    """Collect bid, ask, spread, volume and tick time of the watchlist."""
    return await _queue(request, _DATA + "collect_market_data", "Collection of market data", key=key)


@router.post("/tasks/data/update-calendar", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def update_calendar(
    request: Request, _: NoParameters | None = None, key: IdempotencyKey = None
) -> Response:
    """Fetch upcoming economic events from the configured provider."""
    return await _queue(
        request, _DATA + "update_economic_calendar", "Update of the economic calendar", key=key
    )


@router.post("/tasks/data/collect-news", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def collect_news(
    request: Request, _: NoParameters | None = None, key: IdempotencyKey = None
) -> Response:
    """Fetch articles from the configured feeds."""
    return await _queue(request, _DATA + "collect_rss_news", "Collection of news", key=key)


@router.post("/tasks/data/update-symbols", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def update_symbols(
    request: Request, _: NoParameters | None = None, key: IdempotencyKey = None
) -> Response:
    """Read the symbols' specifications from the terminal."""
    return await _queue(request, _DATA + "update_symbol_info", "Update of symbol information", key=key)


@router.post("/tasks/maintenance/cleanup-logs", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def cleanup_logs(
    request: Request, body: KeepLogsBody | None = None, key: IdempotencyKey = None
) -> Response:
    """Remove log files older than `days_to_keep` days."""
    kept = body or KeepLogsBody()
    return await _queue(
        request, _MAINTENANCE + "cleanup_old_logs", "Clean-up of logs", kept.model_dump(), key
    )


@router.post("/tasks/maintenance/cleanup-cache", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def cleanup_cache(
    request: Request, body: KeepCacheBody | None = None, key: IdempotencyKey = None
) -> Response:
    """Remove cache files older than `days_to_keep` days."""
    kept = body or KeepCacheBody()
    return await _queue(
        request, _MAINTENANCE + "cleanup_cache", "Clean-up of the cache", kept.model_dump(), key
    )


@router.post("/tasks/maintenance/archive-trades", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def archive_trades(
    request: Request, body: KeepTradesBody | None = None, key: IdempotencyKey = None
) -> Response:
    """Move trade logs older than `days_to_keep` days to the archive."""
    kept = body or KeepTradesBody()
    return await _queue(
        request, _MAINTENANCE + "archive_old_trades", "Archiving of trades", kept.model_dump(), key
    )


@router.post("/tasks/maintenance/health-check", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def health_check(
    request: Request, _: NoParameters | None = None, key: IdempotencyKey = None
) -> Response:
    """Check terminal, broker, workers, beat, disk, logs, cache and the age of data."""
    return await _queue(request, _MAINTENANCE + "system_health_check", "Health check", key=key)


@router.post("/tasks/maintenance/optimize-csv", response_model=TaskQueued, responses=_QUEUE_REFUSALS)
async def optimize_csv(
    request: Request, body: OptimizeBody | None = None, key: IdempotencyKey = None
) -> Response:
    """Sort, deduplicate, validate and compact the CSV files."""
    asked = (body or OptimizeBody()).model_dump()
    return await _queue(request, _MAINTENANCE + "optimize_csv_files", "Optimisation of CSV files", asked, key)


@router.get("/tasks/active", responses=refusals())
def active(request: Request) -> ActiveTasks:
    """What the workers run, and what waits for a later try."""
    services = desk(request)
    workers = services.jobs.workers()
    return ActiveTasks(
        active=services.jobs.active(),
        scheduled=services.jobs.scheduled(),
        timestamp=services.clock.wall(),
        ages=_ages(workers),
        reason=_silence(workers),
    )


@router.get("/tasks/stats", responses=refusals())
def stats(request: Request) -> WorkerStats:
    """Numbers of each worker."""
    services = desk(request)
    workers = services.jobs.workers()
    return WorkerStats(
        stats=services.jobs.stats(),
        timestamp=services.clock.wall(),
        ages=_ages(workers),
        reason=_silence(workers),
    )


@router.get("/tasks/{task_id}/status", responses=refusals(404))
def status(request: Request, task_id: str) -> TaskStatus:
    """How one task stands; 404 for an id that was never issued."""
    job = desk(request).jobs.get(task_id)
    error = job.error
    return TaskStatus(
        task_id=job.id,
        status=job.status,
        result=dict(job.result) if job.result is not None else None,
        error=error.message if error else None,
        error_detail=TaskError(
            category=error.category, code=error.code, message=error.message, details=dict(error.details)
        )
        if error
        else None,
        state=job.state,
        task=job.task,
        queue=job.queue,
        queued_at=job.queued_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        retries=job.retries,
        worker=job.worker,
        progress=TaskProgress(done=job.progress.done, total=job.progress.total) if job.progress else None,
    )


def _ages(workers: tuple[WorkerView, ...]) -> dict[str, float]:
    return {worker.name: worker.age for worker in workers}


def _silence(workers: tuple[WorkerView, ...]) -> str | None:
    return None if workers else "no worker has reported within the last hour"
