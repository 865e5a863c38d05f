"""The API of the desk. `uvicorn backend.app:app` from the root, or `uvicorn app:app` from inside backend/."""

import gc
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

if __name__ != "backend.app" and (root := str(Path(__file__).resolve().parent.parent)) not in sys.path:
    sys.path.append(root)  # started from inside this folder, where the package has no name

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from backend import celery_routes
from backend.config import Settings, settings
from backend.core.version import VERSION
from backend.routes import (
    backtests,
    calendar,
    console,
    control,
    decisions,
    description,
    errors,
    events,
    feeds,
    health,
    history,
    ideas,
    integrations,
    kill,
    market,
    metrics,
    news,
    order_changes,
    parity,
    prop,
    queues,
    schedules,
    session,
    setting_changes,
    status,
    strategies,
    strategy_bars,
    strategy_changes,
    symbols,
    tasks,
    trades,
    trading,
    users,
)
from backend.routes.access import DeskRoute
from backend.routes.event_feed import Feed
from backend.routes.guard import Guard
from backend.routes.peers import Peers
from backend.routes.ports import Desk
from backend.routes.stream import Changes
from backend.routes.submitting import Submitter

THREADS: Final = 64
ROUTERS: Final = (
    celery_routes.router,
    tasks.router,
    queues.router,
    schedules.router,
    events.router,
    ideas.router,
    ideas.approval,
    order_changes.router,
    kill.router,
    decisions.router,
    control.router,
    prop.router,
    parity.router,
    market.router,
    history.router,
    trading.router,
    trades.router,
    backtests.router,
    strategies.router,
    strategy_bars.router,
    strategy_changes.router,
    calendar.router,
    news.router,
    integrations.router,
    feeds.router,
    setting_changes.router,
    symbols.router,
    status.router,
    health.router,
    metrics.router,
    session.router,
    users.router,
    description.router,
    console.router,  # the last: it answers to every address that no other has
)


def create_app(services: Desk | None = None, *, host: str | None = None) -> FastAPI:
    """The ASGI application.

    Args:
        services: What the routes use; built from the settings at start when not given.
        host: A further host name to answer to, besides those of this machine; the configured one
            when not given.

    Raises:
        Invalid: A setting is wrong.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        engine = None if services is not None else await to_thread.run_sync(Engine)
        app.state.services = services or (engine and engine.services)
        if services is not None:
            await to_thread.run_sync(_open, services)
        app.state.admissions = CapacityLimiter(THREADS)
        app.state.changes = changes = Changes(Feed(app.state.services.jobs, app.state.services.journal))
        app.state.submitter = submitter = Submitter(app.state.services.jobs)
        try:
            with _at_stop_signal(changes):
                yield
        finally:
            await changes.close()
            await submitter.close()
            if engine is not None:
                await to_thread.run_sync(engine.stop)

    app = FastAPI(
        title="MT5_UI",
        description="A trading desk beside MetaTrader 5: collects, evaluates, proposes, records.",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,  # a page that loads scripts from elsewhere has no place on a trading desk
        redoc_url=None,
        openapi_url=None,  # its own route, which asks for a right like any other
        redirect_slashes=False,
    )
    errors.install(app)
    for router in ROUTERS:
        if unguarded := [route for route in router.routes if not isinstance(route, DeskRoute)]:
            raise TypeError(f"{unguarded} would ask nobody: its router needs route_class=DeskRoute")
        app.router.routes.extend(router.routes)  # `include_router` would make each anew, at the first request
    current = settings() if services is None else services.settings
    app.state.peers = Peers(current.proxies)
    app.add_middleware(Guard, host=host or current.host, origins=current.origins)
    if current.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=current.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Last-Event-ID"],
        )
    return app


class Engine:
    """What an API process of a real desk runs beside the routes.

    The services, the log file, and, where the broker lives in this process, the workers and beat.

    Raises:
        DeskError: The desk cannot start, and why.
    """

    def __init__(self) -> None:
        from backend.celery_app import app as celery
        from backend.celery_app import lifecycle, runtimes
        from backend.jobs.broker import MEMORY_URL
        from backend.jobs.embedded import Embedded, start_embedded
        from backend.services import services

        _log(settings())
        self._runtimes = runtimes
        self._embedded: Embedded | None = None
        runtimes.role = "api"
        self.services: Desk = services()
        services().secrets.make_key()
        services().secrets.learn()  # a caller may name one by mistake, and this process is who is told
        _open(self.services)  # before anything works: who may not come in must not have been in
        if str(celery.conf.broker_url).startswith(MEMORY_URL):
            self._embedded = start_embedded(celery, runtimes, lifecycle)
        # What was loaded is never garbage, and looking through it would hold up every request for 50 ms.
        gc.collect()
        gc.freeze()

    def stop(self) -> None:
        """End what runs here; what waits to be written is written."""
        if self._embedded is not None:
            self._embedded.stop()
        else:
            self._runtimes.close()


def _open(services: Desk) -> None:
    services.door.open(services.why_sign_in)


def _log(settings: Settings) -> None:
    from backend.jobs.applog import log_to_file

    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(console)
    handler = log_to_file(settings.logs_dir, "api", level=settings.log_level)
    server = logging.getLogger("uvicorn")
    if not server.propagate and handler not in server.handlers:
        server.addHandler(handler)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each look at the terminal


@contextmanager
def _at_stop_signal(changes: Changes) -> Iterator[None]:
    """End the event streams at the stop signal itself: the server waits for them before anything else."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in (getattr(signal, name) for name in names)}

    def stop(number: int, frame: FrameType | None) -> None:
        changes.stop()
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    chained = [number for number, handler in before.items() if callable(handler)]
    for number in chained:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in chained:
            if signal.getsignal(number) is stop:
                signal.signal(number, before[number])


app = create_app()
