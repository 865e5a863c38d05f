"""The API of the desk. `uvicorn backend.app:app` from the root, or `uvicorn app:app` from inside backend/."""

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

from anyio import to_thread
from fastapi import FastAPI

from backend import celery_routes
from backend.config import settings
from backend.core.version import VERSION
from backend.routes import errors, events, health, metrics, queues, schedules, tasks
from backend.routes.guard import Guard
from backend.routes.ports import Desk
from backend.routes.stream import Changes

THREADS: Final = 64
ROUTERS: Final = (
    celery_routes.router,
    tasks.router,
    queues.router,
    schedules.router,
    events.router,
    health.router,
    metrics.router,
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
        app.state.services = services or await to_thread.run_sync(_build_services)
        app.state.changes = changes = Changes(app.state.services.jobs)
        with _at_stop_signal(changes):
            yield
        await changes.close()

    app = FastAPI(
        title="MT5_UI",
        description="A trading desk beside MetaTrader 5: collects, evaluates, proposes, records.",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,  # a page that loads scripts from elsewhere has no place on a trading desk
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Guard, host=host or settings().host)
    return app


def _build_services() -> Desk:
    from backend.services import services

    return services()


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
